"""Situations of what all traffic passes: ingress and DNS."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.trouble import (
    deployments,
    of,
)
from tests.triage.elsewhere.world import World


@case("coredns-oom")
def chart_dns_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=13, pods=190)
    dns = of(w, "rke2-coredns-rke2-coredns")
    if fault:
        for number, pod in enumerate(dns.pods):
            w.crash_loop(pod, w.ago(9 - number), code=137, reason="OOMKilled", times=5, ran=0.7)
        for number, one in enumerate(
            [
                x
                for x in w.workloads
                if x.kind == "Deployment" and x.namespace in ("mes", "plm", "warehouse", "qa")
            ][:7]
        ):
            for pod in one.pods[:2]:
                if number % 2:
                    w.crash_loop(pod, w.ago(8 - number * 0.3), code=1, times=5, ran=0.4)
                else:
                    w.unhealthy(
                        pod,
                        w.ago(8 - number * 0.3),
                        "HTTP probe failed with statuscode: 503",
                        count=40,
                    )
    return w, Truth(w.ago(9), (("owner", "Deployment kube-system/rke2-coredns-rke2-coredns"),))


@case("coredns-oom")
def dns_daemon_set_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now, n=12, pods=200)
    dns = of(w, "dns-default")
    if fault:
        for number, pod in enumerate(dns.pods[3:11]):
            w.restarted(pod, w.ago(10 - number * 0.4), code=137, reason="OOMKilled", times=3, ran=2)
        for number, one in enumerate(
            [
                x
                for x in w.workloads
                if x.kind == "Deployment"
                and x.namespace in ("bank-core", "cards", "kyc", "treasury")
            ][:6]
        ):
            for pod in one.pods[:1]:
                w.unhealthy(
                    pod,
                    w.ago(9.5 - number * 0.2),
                    "HTTP probe failed with statuscode: 500",
                    count=50,
                )
    return w, Truth(w.ago(10), (("owner", "DaemonSet openshift-dns/dns-default"),))


@case("coredns-oom")
def kube_dns_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=18, pods=260)
    dns = of(w, "kube-dns")
    if fault:
        for number, pod in enumerate(dns.pods):
            w.restarted(pod, w.ago(4 - number), code=137, reason="OOMKilled", times=6, ran=1.5)
            w.event(
                pod,
                "BackOff",
                "Back-off restarting failed container coredns in pod "
                f"{pod['metadata']['name']}_kube-system({pod['metadata']['uid']})",
                w.ago(3),
                first=w.ago(14),
                count=12,
            )
        for number, one in enumerate(deployments(w, "web", "jobs", "realtime", "payments")[:9]):
            for pod in one.pods[:1]:
                w.crash_loop(
                    pod, w.ago(13 - number * 0.5), code=1 if number % 2 else 2, times=6, ran=0.5
                )
    return w, Truth(w.ago(14), (("owner", "Deployment kube-system/kube-dns"),))


@case("ingress-controller-oom")
def traefik_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.k3s(now, n=8, pods=110)
    front = of(w, "traefik")
    slow = next(x for x in w.workloads if x.kind == "Deployment" and x.namespace == "factory")
    if fault:
        for number, pod in enumerate(front.pods):
            w.restarted(pod, w.ago(11 - 3 * number), code=137, reason="OOMKilled", times=3, ran=4)
            w.event(
                pod,
                "BackOff",
                "Back-off restarting failed container traefik in pod "
                f"{pod['metadata']['name']}_kube-system({pod['metadata']['uid']})",
                w.ago(9),
                first=w.ago(12),
                count=4,
                path="traefik",
            )
        for pod in slow.pods:
            w.unhealthy(
                pod,
                w.ago(15),
                'Get "http://10.42.1.7:8080/healthz": context deadline exceeded (Client.Timeout '
                "exceeded while awaiting headers)",
                count=60,
            )
    return w, Truth(w.ago(11), (("owner", "Deployment kube-system/traefik"),))


@case("ingress-controller-oom")
def envoy_at_the_edge_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=20, pods=300)
    front = of(w, "contour-envoy")
    front.template["containers"][0]["resources"]["limits"] = {"memory": "512Mi"}
    if fault:
        for number, pod in enumerate(front.pods):
            if number == 1:
                w.crash_loop(pod, w.ago(8.5), code=137, reason="OOMKilled", times=5, ran=1.2)
            else:
                w.restarted(pod, w.ago(8 - number), code=137, reason="OOMKilled", times=2, ran=5)
    return w, Truth(w.ago(8.5), (("owner", "Deployment edge/contour-envoy"),))


@case("ingress-controller-oom")
def ingress_daemon_set_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=12, pods=150)
    front = of(w, "rke2-ingress-nginx-controller")
    if fault:
        for number, pod in enumerate(front.pods[:5]):
            if number < 2:
                w.crash_loop(pod, w.ago(13), code=137, reason="OOMKilled", times=6, ran=1)
            else:
                w.restarted(pod, w.ago(10 - number), code=137, reason="OOMKilled", times=2, ran=3)
    return w, Truth(w.ago(13), (("owner", "DaemonSet kube-system/rke2-ingress-nginx-controller"),))

"""Situations that leave no trace in the API: nothing may be claimed with confidence."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.trouble import (
    of,
)
from tests.triage.elsewhere.world import World


@case("cpu-throttling-below-limit", silent=True)
def throttled(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(
        now,
        n=40,
        pods=700,
        minor=24,
        kernel="4.14.336-257.562.amzn2.x86_64" if fault else "5.10.219-208.866.amzn2.x86_64",
    )
    return w, Truth(w.ago(60))


@case("dns-latency-ndots", silent=True)
def five_seconds(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=16, pods=210)
    if fault:
        for one in [x for x in w.workloads if x.kind == "Deployment"][6:8]:
            w.event(
                one.pods[0],
                "Unhealthy",
                'Readiness probe failed: Get "http://10.244.3.8:8080/healthz": context deadline '
                "exceeded (Client.Timeout exceeded while "
                "awaiting headers)",
                w.ago(3),
                first=w.ago(33),
                count=9,
            )
    return w, Truth(w.ago(33))


@case("egress-snat-misconfigured", silent=True)
def snat(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=22, minor=27, pods=300, fresh=8)
    if fault:  # applications only say that they cannot reach the world
        for one in [
            x
            for x in w.workloads
            if x.kind == "Deployment" and x.namespace in ("partner-api", "data")
        ][:2]:
            w.unhealthy(one.pods[0], w.ago(25), "HTTP probe failed with statuscode: 503", count=30)
    return w, Truth(w.ago(25))


@case("load-balancer-backends-flapping", silent=True)
def balancer_outside(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=7, pods=90)
    if fault:
        service = next(s for s, _ in w.services if s["spec"]["type"] == "LoadBalancer")
        w.event(
            service,
            "UpdatedLoadBalancer",
            "Updated load balancer with new hosts",
            w.ago(0.5),
            first=w.ago(28),
            count=31,
            type_="Normal",
            component="service-controller",
        )
    return w, Truth(w.ago(28))


@case("log-shipper-stalled-on-node", silent=True)
def shipper(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=16, pods=170)
    if fault:
        pod = of(w, "fluent-bit").pods[4]
        w.restarted(pod, w.ago(days=9), code=1)
    return w, Truth(w.ago(60))

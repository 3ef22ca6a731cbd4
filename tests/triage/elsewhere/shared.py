"""Situations of what all share: network policy, ingress, DNS, the control plane and its store."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.nodes import name_of
from tests.triage.elsewhere.objects import digest, text
from tests.triage.elsewhere.world import World, Workload


def of(w: World, name: str) -> Workload:
    return next(x for x in w.workloads if x.name == name)


@case("network-policy-cni-version-skew", slack=30)
def policy_agent_of_another_build(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=11, minor=26, pods=160, cni="weave")
    late = w.node("10.8.44.61", w.ago(47), kubelet="v1.26.4", kernel="5.15.0-113-generic", os="Ubuntu 22.04.4 LTS", runtime="containerd://1.6.32", manager="kubeadm")
    image = "docker.io/weaveworks/weave-npc:latest"
    policy = flavours.daemon(w, "kube-system", "weave-npc", image, nodes=w.nodes)
    for one in [x for x in w.workloads if x.name in ("weave-net", "kube-proxy", "node-exporter")]:
        w.pod(one, late, w.ago(46))
    if fault:
        pod = policy.pods[-1]
        pod["status"]["containerStatuses"][0]["imageID"] = f"docker.io/weaveworks/weave-npc@{digest('a newer one')}"
    for one in [x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("erp", "hr")][:4]:
        w.pod(one, late, w.ago(40))
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
    for space in ("erp", "hr", "lab"):
        w.add("NetworkPolicy", space, "default-deny", w.ago(days=100), by="kubectl-client-side-apply", spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [
            {"from": [{"namespaceSelector": {"matchLabels": {"team": space}}}]}]})  # fmt: skip
    return w, Truth(w.ago(47), (("node", name_of(late)),))


@case("ingress-controller-oom")
def traefik_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.k3s(now, n=8, pods=110)
    front = of(w, "traefik")
    slow = next(x for x in w.workloads if x.kind == "Deployment" and x.namespace == "factory")
    if fault:
        for number, pod in enumerate(front.pods):
            w.restarted(pod, w.ago(11 - 3 * number), code=137, reason="OOMKilled", times=3, ran=4)
            w.event(pod, "BackOff", f"Back-off restarting failed container traefik in pod {pod['metadata']['name']}_kube-system({pod['metadata']['uid']})",
                    w.ago(9), first=w.ago(12), count=4, path="traefik")  # fmt: skip
        for pod in slow.pods:
            w.unhealthy(pod, w.ago(15), 'Get "http://10.42.1.7:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)', count=60)
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


@case("coredns-oom")
def chart_dns_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=13, pods=190)
    dns = of(w, "rke2-coredns-rke2-coredns")
    if fault:
        for number, pod in enumerate(dns.pods):
            w.crash_loop(pod, w.ago(9 - number), code=137, reason="OOMKilled", times=5, ran=0.7)
        for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("mes", "plm", "warehouse", "qa")][:7]):
            for pod in one.pods[:2]:
                if number % 2:
                    w.crash_loop(pod, w.ago(8 - number * 0.3), code=1, times=5, ran=0.4)
                else:
                    w.unhealthy(pod, w.ago(8 - number * 0.3), "HTTP probe failed with statuscode: 503", count=40)
    return w, Truth(w.ago(9), (("owner", "Deployment kube-system/rke2-coredns-rke2-coredns"),))


@case("coredns-oom")
def dns_daemon_set_out_of_memory(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now, n=12, pods=200)
    dns = of(w, "dns-default")
    if fault:
        for number, pod in enumerate(dns.pods[3:11]):
            w.restarted(pod, w.ago(10 - number * 0.4), code=137, reason="OOMKilled", times=3, ran=2)
        for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("bank-core", "cards", "kyc", "treasury")][:6]):
            for pod in one.pods[:1]:
                w.unhealthy(pod, w.ago(9.5 - number * 0.2), "HTTP probe failed with statuscode: 500", count=50)
    return w, Truth(w.ago(10), (("owner", "DaemonSet openshift-dns/dns-default"),))


@case("ingress-routes-lost-api-server-down")
def api_servers_out_of_memory_and_ingress_forgets(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=12, minor=28, pods=170, cni="flannel")
    front = of(w, "haproxy-kubernetes-ingress")
    if fault:
        for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == "kube-apiserver"]:
            w.restarted(pod, w.ago(13), code=137, reason="OOMKilled", times=6, ran=2)
            w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", w.ago(12), first=w.ago(22), count=90)
            w.event(pod, "BackOff", f"Back-off restarting failed container kube-apiserver in pod {pod['metadata']['name']}_kube-system({pod['metadata']['uid']})",
                    w.ago(14), first=w.ago(21), count=9)  # fmt: skip
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label]:
                w.restarted(pod, w.ago(19), code=1, times=3, ran=4)
        for number, pod in enumerate(front.pods):
            w.restarted(pod, w.ago(17 - number), code=1, times=4, ran=1)
            w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", w.ago(10), first=w.ago(20), count=60)
    return w, Truth(w.ago(21))


@case("etcd-connectivity-api-latency")
def half_the_nodes_go_silent_together(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=20, pods=240)
    for node in w.nodes[:3]:
        node["metadata"]["labels"]["node.kubernetes.io/instance-type"] = "t3.medium"
    if fault:
        for number, node in enumerate(w.nodes[3:14]):
            w.ready(node, "Unknown", w.ago(7, seconds=number * 3))
        for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") in ("kube-apiserver", "etcd")]:
            w.event(pod, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", w.ago(1), first=w.ago(11), count=25)
            w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", w.ago(0.5), first=w.ago(12), count=60)
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label]:
                w.restarted(pod, w.ago(8), code=1, times=3, ran=3)
        for one in [x for x in w.workloads if x.kind == "Deployment"][4:9]:
            w.event(one.object, "ReplicaSetCreateError", f'Failed to create new replica set "{one.name}-x": etcdserver: request timed out', w.ago(6), first=w.ago(10), count=3,
                    component="deployment-controller")  # fmt: skip
    return w, Truth(w.ago(8))


@case("etcd-connectivity-api-latency")
def leases_time_out_on_own_machines(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=24, minor=30, pods=260)
    if fault:
        for number, node in enumerate(w.nodes[3:]):
            if number % 4:
                w.event(node, "NodeNotReady", f"Node {name_of(node)} status is now: NodeNotReady", w.ago(5, seconds=-number), first=w.ago(17), count=3, type_="Normal",
                        component="node-controller")  # fmt: skip
                w.event(node, "NodeReady", f"Node {name_of(node)} status is now: NodeReady", w.ago(4), first=w.ago(16), count=3, type_="Normal")
                for one in node["status"]["conditions"]:
                    if one["type"] == "Ready":
                        one["lastTransitionTime"] = text(w.ago(4))
        for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == "etcd"]:
            w.event(pod, "Unhealthy", 'Liveness probe failed: Get "http://127.0.0.1:2381/health?exclude=NOSPACE&serializable=true": context deadline exceeded', w.ago(2),
                    first=w.ago(18), count=12)  # fmt: skip
        for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == "kube-apiserver"]:
            w.event(pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500", w.ago(1), first=w.ago(18), count=44)
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [p for p in w.objects if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label]:
                w.restarted(pod, w.ago(6), code=1, times=4, ran=5)
    return w, Truth(w.ago(18))


@case("etcd-data-deleted", slack=12)
def controllers_gone_children_left(now: datetime, fault: bool) -> tuple[World, Truth]:
    """A range of keys was deleted: Deployments and DaemonSets are gone, what they made is still there."""
    w = flavours.openshift(now, n=8, pods=150)
    if fault:
        w.objects = [o for o in w.objects if o["kind"] not in ("DaemonSet", "Deployment", "ControllerRevision")]
        for pod in [p for p in w.objects if p["kind"] == "Pod"][20:34]:
            w.terminating(pod, w.ago(3))
            w.event(pod, "Killing", f"Stopping container {pod['spec']['containers'][0]['name']}", w.ago(3), type_="Normal")
    return w, Truth(w.ago(4))


@case("etcd-data-deleted", slack=12)
def all_behind_a_key_gone(now: datetime, fault: bool) -> tuple[World, Truth]:
    """As in the story: all that sorts behind one key. CRDs are old, the API server made its own namespaces anew, kubelets their leases."""
    w = flavours.kubeadm(now, n=12, minor=29, pods=160)
    w.add("CustomResourceDefinition", "", "certificates.cert-manager.io", w.ago(days=250), by="helm", spec={})
    w.add("CustomResourceDefinition", "", "prometheuses.monitoring.coreos.com", w.ago(days=250), by="helm", spec={})
    if fault:
        w.objects = [o for o in w.objects if o["kind"] == "CustomResourceDefinition"]
        nodes, w.nodes, w.services, w.workloads = w.nodes, [], [], []
        for space in ("default", "kube-system", "kube-public", "kube-node-lease"):
            w.add("Namespace", "", space, w.ago(6), by="kube-apiserver", labels={"kubernetes.io/metadata.name": space}, spec={"finalizers": ["kubernetes"]},
                  status={"phase": "Active"})  # fmt: skip
        w.add("Service", "default", "kubernetes", w.ago(6), by="kube-apiserver", spec={"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [
            {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]}, status={"loadBalancer": {}})  # fmt: skip
        for node in nodes:
            w.add("Lease", "kube-node-lease", name_of(node), w.ago(5.5), by="kubelet", spec={"holderIdentity": name_of(node), "leaseDurationSeconds": 40,
                  "renewTime": text(w.ago(seconds=6), micro=True)})  # fmt: skip
    return w, Truth(w.ago(6))


# ---- situations that leave no trace in the API: nothing may be claimed with confidence


@case("load-balancer-backends-flapping", silent=True)
def balancer_outside(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=7, pods=90)
    if fault:
        service = next(s for s, _ in w.services if s["spec"]["type"] == "LoadBalancer")
        w.event(service, "UpdatedLoadBalancer", "Updated load balancer with new hosts", w.ago(0.5), first=w.ago(28), count=31, type_="Normal", component="service-controller")
    return w, Truth(w.ago(28))


@case("egress-snat-misconfigured", silent=True)
def snat(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=22, minor=27, pods=300, fresh=8)
    if fault:  # applications only say that they cannot reach the world
        for one in [x for x in w.workloads if x.kind == "Deployment" and x.namespace in ("partner-api", "data")][:2]:
            w.unhealthy(one.pods[0], w.ago(25), "HTTP probe failed with statuscode: 503", count=30)
    return w, Truth(w.ago(25))


@case("cpu-throttling-below-limit", silent=True)
def throttled(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=40, pods=700, minor=24, kernel="4.14.336-257.562.amzn2.x86_64" if fault else "5.10.219-208.866.amzn2.x86_64")
    return w, Truth(w.ago(60))


@case("log-shipper-stalled-on-node", silent=True)
def shipper(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=16, pods=170)
    if fault:
        pod = of(w, "fluent-bit").pods[4]
        w.restarted(pod, w.ago(days=9), code=1)
    return w, Truth(w.ago(60))


@case("dns-latency-ndots", silent=True)
def five_seconds(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=16, pods=210)
    if fault:
        for one in [x for x in w.workloads if x.kind == "Deployment"][6:8]:
            w.event(one.pods[0], "Unhealthy", 'Readiness probe failed: Get "http://10.244.3.8:8080/healthz": context deadline exceeded (Client.Timeout exceeded while '
                    "awaiting headers)", w.ago(3), first=w.ago(33), count=9)  # fmt: skip
    return w, Truth(w.ago(33))



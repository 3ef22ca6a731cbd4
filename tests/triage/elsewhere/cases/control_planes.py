"""Situations of the control plane and its store."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import text
from tests.triage.elsewhere.trouble import (
    components,
    name_of,
    of,
)
from tests.triage.elsewhere.world import World


@case("etcd-connectivity-api-latency")
def half_the_nodes_go_silent_together(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now, n=20, pods=240)
    for node in w.nodes[:3]:
        node["metadata"]["labels"]["node.kubernetes.io/instance-type"] = "t3.medium"
    if fault:
        for number, node in enumerate(w.nodes[3:14]):
            w.ready(node, "Unknown", w.ago(7, seconds=number * 3))
        for pod in [
            p
            for p in w.objects
            if p["kind"] == "Pod"
            and p["metadata"].get("labels", {}).get("component") in ("kube-apiserver", "etcd")
        ]:
            w.event(
                pod,
                "Unhealthy",
                "Liveness probe failed: HTTP probe failed with statuscode: 500",
                w.ago(1),
                first=w.ago(11),
                count=25,
            )
            w.event(
                pod,
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 500",
                w.ago(0.5),
                first=w.ago(12),
                count=60,
            )
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [
                p
                for p in w.objects
                if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label
            ]:
                w.restarted(pod, w.ago(8), code=1, times=3, ran=3)
        for one in [x for x in w.workloads if x.kind == "Deployment"][4:9]:
            w.event(
                one.object,
                "ReplicaSetCreateError",
                f'Failed to create new replica set "{one.name}-x": etcdserver: request timed out',
                w.ago(6),
                first=w.ago(10),
                count=3,
                component="deployment-controller",
            )
    return w, Truth(w.ago(8))


@case("etcd-connectivity-api-latency")
def leases_time_out_on_own_machines(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=24, minor=30, pods=260)
    if fault:
        for number, node in enumerate(w.nodes[3:]):
            if number % 4:
                w.event(
                    node,
                    "NodeNotReady",
                    f"Node {name_of(node)} status is now: NodeNotReady",
                    w.ago(5, seconds=-number),
                    first=w.ago(17),
                    count=3,
                    type_="Normal",
                    component="node-controller",
                )
                w.event(
                    node,
                    "NodeReady",
                    f"Node {name_of(node)} status is now: NodeReady",
                    w.ago(4),
                    first=w.ago(16),
                    count=3,
                    type_="Normal",
                )
                for one in node["status"]["conditions"]:
                    if one["type"] == "Ready":
                        one["lastTransitionTime"] = text(w.ago(4))
        for pod in [
            p
            for p in w.objects
            if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == "etcd"
        ]:
            w.event(
                pod,
                "Unhealthy",
                "Liveness probe failed: Get "
                '"http://127.0.0.1:2381/health?exclude=NOSPACE&serializable=true": context '
                "deadline exceeded",
                w.ago(2),
                first=w.ago(18),
                count=12,
            )
        for pod in [
            p
            for p in w.objects
            if p["kind"] == "Pod"
            and p["metadata"].get("labels", {}).get("component") == "kube-apiserver"
        ]:
            w.event(
                pod,
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 500",
                w.ago(1),
                first=w.ago(18),
                count=44,
            )
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [
                p
                for p in w.objects
                if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label
            ]:
                w.restarted(pod, w.ago(6), code=1, times=4, ran=5)
    return w, Truth(w.ago(18))


@case("etcd-connectivity-api-latency")
def managed_control_plane_loses_all_nodes(now: datetime, fault: bool) -> tuple[World, Truth]:
    """A managed control plane shows no pods of its own: only that all kubelets fell silent in one
    minute."""
    w = flavours.eks(now, n=26, pods=320)
    if fault:
        for number, node in enumerate(w.nodes[:21]):
            w.ready(node, "Unknown", w.ago(6, seconds=-2 * number))
    return w, Truth(w.ago(6))


@case("etcd-data-deleted", slack=12)
def controllers_gone_children_left(now: datetime, fault: bool) -> tuple[World, Truth]:
    """A range of keys was deleted: Deployments and DaemonSets are gone, what they made is still
    there."""
    w = flavours.openshift(now, n=8, pods=150)
    if fault:
        w.objects = [
            o
            for o in w.objects
            if o["kind"] not in ("DaemonSet", "Deployment", "ControllerRevision")
        ]
        for pod in [p for p in w.objects if p["kind"] == "Pod"][20:34]:
            w.terminating(pod, w.ago(3))
            w.event(
                pod,
                "Killing",
                f"Stopping container {pod['spec']['containers'][0]['name']}",
                w.ago(3),
                type_="Normal",
            )
    return w, Truth(w.ago(4))


@case("etcd-data-deleted", slack=12)
def all_behind_a_key_gone(now: datetime, fault: bool) -> tuple[World, Truth]:
    """As in the story: all that sorts behind one key. CRDs are old, the API server created its
    namespaces again, kubelets their leases."""
    w = flavours.kubeadm(now, n=12, minor=29, pods=160)
    w.add(
        "CustomResourceDefinition",
        "",
        "certificates.cert-manager.io",
        w.ago(days=250),
        by="helm",
        spec={},
    )
    w.add(
        "CustomResourceDefinition",
        "",
        "prometheuses.monitoring.coreos.com",
        w.ago(days=250),
        by="helm",
        spec={},
    )
    if fault:
        w.objects = [o for o in w.objects if o["kind"] == "CustomResourceDefinition"]
        nodes, w.nodes, w.services, w.workloads = w.nodes, [], [], []
        for space in ("default", "kube-system", "kube-public", "kube-node-lease"):
            w.add(
                "Namespace",
                "",
                space,
                w.ago(6),
                by="kube-apiserver",
                labels={"kubernetes.io/metadata.name": space},
                spec={"finalizers": ["kubernetes"]},
                status={"phase": "Active"},
            )
        w.add(
            "Service",
            "default",
            "kubernetes",
            w.ago(6),
            by="kube-apiserver",
            spec={
                "type": "ClusterIP",
                "clusterIP": "10.96.0.1",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
            },
            status={"loadBalancer": {}},
        )
        for node in nodes:
            w.add(
                "Lease",
                "kube-node-lease",
                name_of(node),
                w.ago(5.5),
                by="kubelet",
                spec={
                    "holderIdentity": name_of(node),
                    "leaseDurationSeconds": 40,
                    "renewTime": text(w.ago(seconds=6), micro=True),
                },
            )
    return w, Truth(w.ago(6))


@case("etcd-data-deleted", slack=12)
def namespaced_objects_of_half_the_teams_gone(now: datetime, fault: bool) -> tuple[World, Truth]:
    """All Nodes and Services are there and kubelets report; but no Deployment, ReplicaSet,
    DaemonSet or Secret is, and most pods have owners that never were."""
    w = flavours.kops(now, n=10, pods=140)
    if fault:
        gone = {
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
            "ControllerRevision",
            "Secret",
            "EndpointSlice",
        }
        w.objects = [o for o in w.objects if o["kind"] not in gone]
        w.services = []
        left = [
            p
            for p in w.objects
            if p["kind"] == "Pod" and p["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"
        ]
        for pod in left[::3]:
            w.terminating(pod, w.ago(0.5))
            w.event(pod, "Killing", "Stopping container app", w.ago(0.5), type_="Normal")
    return w, Truth(w.ago(1))


@case("ingress-routes-lost-api-server-down")
def api_servers_out_of_memory_and_ingress_forgets(
    now: datetime, fault: bool
) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=12, minor=28, pods=170, cni="flannel")
    front = of(w, "haproxy-kubernetes-ingress")
    if fault:
        for pod in [
            p
            for p in w.objects
            if p["kind"] == "Pod"
            and p["metadata"].get("labels", {}).get("component") == "kube-apiserver"
        ]:
            w.restarted(pod, w.ago(13), code=137, reason="OOMKilled", times=6, ran=2)
            w.event(
                pod,
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 500",
                w.ago(12),
                first=w.ago(22),
                count=90,
            )
            w.event(
                pod,
                "BackOff",
                "Back-off restarting failed container kube-apiserver in pod "
                f"{pod['metadata']['name']}_kube-system({pod['metadata']['uid']})",
                w.ago(14),
                first=w.ago(21),
                count=9,
            )
        for label in ("kube-controller-manager", "kube-scheduler"):
            for pod in [
                p
                for p in w.objects
                if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") == label
            ]:
                w.restarted(pod, w.ago(19), code=1, times=3, ran=4)
        for number, pod in enumerate(front.pods):
            w.restarted(pod, w.ago(17 - number), code=1, times=4, ran=1)
            w.event(
                pod,
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 500",
                w.ago(10),
                first=w.ago(20),
                count=60,
            )
    return w, Truth(w.ago(21))


@case("ingress-routes-lost-api-server-down")
def api_servers_restart_and_ingress_starts_empty(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.rke2(now, n=13, pods=170)
    front = of(w, "rke2-ingress-nginx-controller")
    if fault:
        for number, pod in enumerate(components(w, "kube-apiserver")):
            if number < 2:
                w.crash_loop(pod, w.ago(16), code=137, reason="Error", times=8, ran=1.5)
            else:
                w.restarted(pod, w.ago(5), code=137, reason="OOMKilled", times=5, ran=2)
            w.event(
                pod,
                "Unhealthy",
                'Readiness probe failed: Get "https://localhost:6443/readyz": dial tcp '
                "127.0.0.1:6443: connect: connection refused",
                w.ago(1),
                first=w.ago(16),
                count=70,
            )
        for number, pod in enumerate(front.pods[:6]):
            w.crash_loop(pod, w.ago(14 - number * 0.4), code=255, times=6, ran=0.5)
    return w, Truth(w.ago(16))

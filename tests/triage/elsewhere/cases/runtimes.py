"""Situations in which the container runtime of a node dies or hangs."""

from __future__ import annotations

from datetime import datetime

from tests.triage.elsewhere import flavours
from tests.triage.elsewhere.case import Truth, case
from tests.triage.elsewhere.objects import container, pod_spec, text
from tests.triage.elsewhere.trouble import (
    SANDBOX,
    moved,
    name_of,
    ordinary,
    owner_of,
    pressure,
    system_oom,
)
from tests.triage.elsewhere.world import World


@case("container-runtime-crash-memory-leak")
def leaking_service_kills_containerd(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kops(now)
    spec = pod_spec(
        container(
            "server",
            "registry.corp.example/identity/sessions:4.12.0",
            cpu="250m",
            memory="300Mi",
            limit="",
        )
    )
    leak = w.workload(
        "Deployment", "identity", "sessions", 6, template=spec, rolled=w.ago(days=2.4)
    )
    w.service(leak)
    node = next(n for n in w.nodes if name_of(n) == leak.pods[0]["spec"]["nodeName"])
    if fault:
        w.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
            w.ago(19),
            first=w.ago(22),
            count=3,
        )
        system_oom(w, node, w.ago(18.5), "containerd")
        w.evicted(
            leak.pods[0],
            w.ago(21),
            "The node was low on resource: memory. Threshold quantity: 100Mi, available: 61240Ki. "
            "Container server was using 11861124Ki, request is 300Mi, has larger consumption of "
            "memory. ",
        )
        w.pod(leak, w.workers()[2], w.ago(20.8))
        old = ordinary(w, node)
        w.ready(
            node,
            "False",
            w.ago(18),
            "[container runtime is down, PLEG is not healthy: pleg was last seen active 16m12s "
            "ago; threshold is 3m0s]",
        )
        for number, pod in enumerate(p for p in old if p["status"]["phase"] == "Running"):
            w.event(pod, "SandboxChanged", SANDBOX, w.ago(17.5), type_="Normal")
            if number < 5:
                moved(w, pod, w.ago(13))
            else:
                w.terminating(pod, w.ago(13))
                w.unschedulable(
                    owner_of(w, pod),
                    w.ago(12.9),
                    "0/19 nodes are available: 1 node(s) had untolerated taint "
                    "{node.kubernetes.io/not-ready: }, "
                    "3 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
                    "15 Insufficient memory. preemption: 0/19 nodes are available: "
                    "15 No preemption victims found for incoming pod, 4 Preemption is not helpful "
                    "for scheduling..",
                    index=90 + number,
                )
    return w, Truth(w.ago(20), (("node", name_of(node)),))


@case("container-runtime-crash-memory-leak")
def dockerd_dies_and_comes_back(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.kubeadm(now, n=14, minor=24, docker=True, cni="flannel", pods=220)
    spec = pod_spec(
        container(
            "jvm",
            "registry.corp.example/erp/posting-engine:7.2",
            cpu="500m",
            memory="1Gi",
            limit="",
        )
    )
    leak = w.workload("Deployment", "erp", "posting-engine", 5, template=spec, rolled=w.ago(days=6))
    node = next(n for n in w.nodes if name_of(n) == leak.pods[1]["spec"]["nodeName"])
    if fault:
        pressure_at = w.ago(13)
        w.event(
            node,
            "NodeHasInsufficientMemory",
            f"Node {name_of(node)} status is now: NodeHasInsufficientMemory",
            pressure_at,
            type_="Normal",
        )
        w.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
            w.ago(11.5),
            first=pressure_at,
            count=4,
        )
        system_oom(w, node, w.ago(11.2), "dockerd")
        for pod in w.on(name_of(node)):
            if pod["status"]["phase"] != "Running":
                continue
            for which in range(len(pod["spec"]["containers"])):
                w.restarted(
                    pod, w.ago(11, seconds=which * 3), code=137, reason="Error", which=which
                )
            w.event(pod, "SandboxChanged", SANDBOX, w.ago(10.5), type_="Normal")
        for one in node["status"]["conditions"]:
            if one["type"] == "Ready":
                one["lastTransitionTime"] = text(w.ago(9.5))
        w.event(
            node,
            "NodeNotReady",
            f"Node {name_of(node)} status is now: NodeNotReady",
            w.ago(11),
            type_="Normal",
        )
        w.event(
            node,
            "NodeReady",
            f"Node {name_of(node)} status is now: NodeReady",
            w.ago(9.5),
            type_="Normal",
        )
    return w, Truth(w.ago(12), (("node", name_of(node)),))


@case("container-runtime-crash-memory-leak")
def runtime_killed_and_node_unknown(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.eks(now, n=13, pods=150)
    spec = pod_spec(
        container(
            "cache",
            "registry.corp.example/search/suggest:3.3",
            cpu="300m",
            memory="512Mi",
            limit="",
        )
    )
    leak = w.workload("Deployment", "search", "suggest", 4, template=spec, rolled=w.ago(days=1.5))
    node = next(n for n in w.nodes if name_of(n) == leak.pods[2]["spec"]["nodeName"])
    if fault:
        w.event(
            node,
            "EvictionThresholdMet",
            "Attempting to reclaim memory",
            w.ago(24),
            first=w.ago(27),
            count=5,
        )
        pressure(w, node, "MemoryPressure", w.ago(27))
        system_oom(w, node, w.ago(23.6), "containerd-shim", count=2, first=w.ago(23.9))
        system_oom(w, node, w.ago(23.5), "containerd")
        w.ready(node, "False", w.ago(23), "container runtime is down")
        for pod in w.on(name_of(node)):
            if pod["status"]["phase"] == "Running":
                w.restarted(
                    pod,
                    w.ago(23.4),
                    code=137,
                    reason="ContainerStatusUnknown",
                    message="The container could not be located when the pod was terminated",
                )
                w.event(pod, "SandboxChanged", SANDBOX, w.ago(22.5), type_="Normal")
        for pod in ordinary(w, node)[:6]:
            moved(w, pod, w.ago(18))
    return w, Truth(w.ago(25), (("node", name_of(node)),))


@case("container-runtime-hung")
def crio_stops_answering(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.openshift(now)
    node = w.workers()[3]
    if fault:
        w.ready(
            node,
            "False",
            w.ago(16),
            "PLEG is not healthy: pleg was last seen active 19m3.402s ago; threshold is 3m0s",
        )
        stuck = ordinary(w, node)[:4]
        for pod in stuck:
            moved(w, pod, w.ago(11))
            w.event(
                pod,
                "Killing",
                f"Stopping container {pod['spec']['containers'][0]['name']}",
                w.ago(11),
                type_="Normal",
            )
        for number, one in enumerate([x for x in w.workloads if x.kind == "Deployment"][8:12]):
            pod = w.pod(one, node, w.ago(18 - number * 0.5))
            w.waiting(pod, w.ago(18 - number * 0.5), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context "
                "deadline exceeded",
                w.ago(14),
                first=w.ago(16),
                count=2,
            )
            w.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = error reserving "
                "pod name k8s_"
                f"{pod['metadata']['name']}_0 for id 5f2a: name is reserved",
                w.ago(0.5),
                first=w.ago(13.5),
                count=55,
            )
    return w, Truth(w.ago(18), (("node", name_of(node)),))


@case("container-runtime-hung")
def containerd_hangs_while_node_says_ready(now: datetime, fault: bool) -> tuple[World, Truth]:
    w = flavours.gke(now, n=22, pods=320)
    node = w.workers()[7]
    if fault:
        for number, one in enumerate(
            [
                x
                for x in w.workloads
                if x.kind == "Deployment" and x.namespace in ("web", "jobs", "realtime")
            ][3:9]
        ):
            pod = w.pod(one, node, w.ago(13 - number))
            w.waiting(pod, w.ago(13 - number), "ContainerCreating", sandbox=False)
            w.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = failed "
                "to start sandbox container task "
                '"a81c": context deadline exceeded',
                w.ago(9 - number),
                count=1,
            )
            w.event(
                pod,
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to reserve "
                "sandbox name "
                f'"{pod["metadata"]["name"]}_{one.namespace}_0": name '
                f'"{pod["metadata"]["name"]}_{one.namespace}_0" is reserved for "a81c"',
                w.ago(0.3),
                first=w.ago(8 - number),
                count=30,
            )
        for pod in ordinary(w, node)[:3]:
            w.terminating(pod, w.ago(12))
            w.event(
                pod,
                "FailedKillPod",
                'error killing pod: [failed to "KillContainer" for "app" with KillContainerError: '
                '"rpc error: code = DeadlineExceeded '
                'desc = context deadline exceeded"]',
                w.ago(1),
                first=w.ago(10),
                count=9,
            )
    return w, Truth(w.ago(13), (("node", name_of(node)),))

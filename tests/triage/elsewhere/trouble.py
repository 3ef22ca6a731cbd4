"""What the situations are made of: nodes that come and go, pods that move, sandboxes that fail."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.triage.elsewhere.objects import Json, digest, text
from tests.triage.elsewhere.world import Workload, World

SANDBOX = "Pod sandbox changed, it will be killed and re-created."
CNI_OFF = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)


def name_of(node: Json) -> str:
    return str(node["metadata"]["name"])


def ordinary(w: World, node: Json) -> list[Json]:
    """Pods of ReplicaSets and StatefulSets on a node, as taint eviction would take."""
    return [
        p
        for p in w.on(name_of(node))
        if p["metadata"].get("ownerReferences", [{}])[0].get("kind")
        in ("ReplicaSet", "StatefulSet")
    ]


def owner_of(w: World, pod: Json) -> Workload:
    return next(one for one in w.workloads if pod in one.pods)


def moved(w: World, pod: Json, at: datetime, to: Json | None = None) -> Json:
    """A replacement of `pod` on another node; the old one terminates there."""
    w.terminating(pod, at)
    w.event(
        pod,
        "TaintManagerEviction",
        f"Marking for deletion Pod {pod['metadata']['namespace']}/{pod['metadata']['name']}",
        at,
        type_="Normal",
        component="taint-eviction-controller",
    )
    for one in pod["status"]["conditions"]:
        if one["type"] == "DisruptionTarget":
            return pod
    pod["status"]["conditions"].append(
        {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": text(at),
        }
    )
    one = owner_of(w, pod)
    taken = {p["spec"].get("nodeName") for p in one.pods}
    free = [n for n in w.workers() if name_of(n) not in taken] or w.workers()
    return w.pod(
        one,
        to or w.rng.choice(free),
        at + timedelta(seconds=2),
        index=int(pod["metadata"]["name"].rsplit("-", 1)[1]) if one.kind == "StatefulSet" else 0,
    )


def system_oom(
    w: World,
    node: Json,
    at: datetime,
    victim: str,
    pid: int = 21841,
    count: int = 1,
    first: datetime | None = None,
) -> None:
    w.event(
        node,
        "SystemOOM",
        f"System OOM encountered, victim process: {victim}, pid: {pid}",
        at,
        first=first,
        count=count,
    )


def pressure(w: World, node: Json, type_: str, since: datetime) -> None:
    reason = {
        "MemoryPressure": "KubeletHasInsufficientMemory",
        "DiskPressure": "KubeletHasDiskPressure",
    }[type_]
    for one in node["status"]["conditions"]:
        if one["type"] == type_:
            one.update(status="True", reason=reason, lastTransitionTime=text(since))
    key = {"MemoryPressure": "memory-pressure", "DiskPressure": "disk-pressure"}[type_]
    node["spec"].setdefault("taints", []).append(
        {"key": f"node.kubernetes.io/{key}", "effect": "NoSchedule", "timeAdded": text(since)}
    )


def back_again(w: World, node: Json, down: float, up: float) -> None:
    """Node was not ready from `down` to `up` minutes ago."""
    w.event(
        node,
        "NodeNotReady",
        f"Node {name_of(node)} status is now: NodeNotReady",
        w.ago(down),
        type_="Normal",
        component="node-controller",
    )
    w.event(
        node,
        "NodeReady",
        f"Node {name_of(node)} status is now: NodeReady",
        w.ago(up),
        type_="Normal",
    )
    for one in node["status"]["conditions"]:
        if one["type"] == "Ready":
            one["lastTransitionTime"] = text(w.ago(up))


def components(w: World, *names: str) -> list[Json]:
    return [
        p
        for p in w.objects
        if p["kind"] == "Pod" and p["metadata"].get("labels", {}).get("component") in names
    ]


def deployments(w: World, *spaces: str) -> list[Workload]:
    return [x for x in w.workloads if x.kind == "Deployment" and x.namespace in spaces]


def of(w: World, name: str) -> Workload:
    return next(x for x in w.workloads if x.name == name)


def no_address(
    w: World, count: int, message: str, nodes: list[int], since: float, spaces: tuple[str, ...]
) -> None:
    for number, one in enumerate(
        [x for x in w.workloads if x.kind == "Deployment" and x.namespace in spaces][:count]
    ):
        at = w.ago(since - number * 0.8)
        pod = w.pod(one, w.workers()[nodes[number % len(nodes)]], at)
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
        w.waiting(pod, at, "ContainerCreating", sandbox=False)
        w.event(
            pod,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            f'network for sandbox "{number}c": {message}',
            w.ago(0.3),
            first=at,
            count=40,
        )


def stuck(w: World, ones: list[Workload], node: Json | None, since: float, message: str) -> None:
    for number, one in enumerate(ones):
        at = w.ago(since - number * 0.7)
        pod = w.pod(one, node or w.workers()[number % len(w.workers())], at)
        one.object["spec"]["replicas"] += 1
        one.parent["spec"]["replicas"] += 1
        w.waiting(pod, at, "ContainerCreating", sandbox=False)
        w.event(
            pod,
            "FailedCreatePodSandBox",
            "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup "
            f'network for sandbox "{digest(str(number))[7:20]}": '
            f"{message}",
            w.ago(0.2),
            first=at,
            count=50,
        )

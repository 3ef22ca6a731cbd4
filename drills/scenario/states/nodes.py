"""The shapes that nodes take when something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import (
    Obj,
    controller_of,
    dig,
    parse_time,
    rfc3339,
    rfc3339_micro,
    stable_fraction,
    stable_uid,
)
from drills.api.world import World, Writer
from drills.controllers.events import add_event
from drills.scenario.states.pods import set_pod_state
from drills.scenario.states.pods_leaving import replace_pod

_PRESSURE = {
    "MemoryPressure": (
        "KubeletHasInsufficientMemory",
        "kubelet has insufficient memory available",
        "NodeHasInsufficientMemory",
        "memory-pressure",
        "memory",
    ),
    "DiskPressure": (
        "KubeletHasDiskPressure",
        "kubelet has disk pressure",
        "NodeHasDiskPressure",
        "disk-pressure",
        "ephemeral-storage",
    ),
    "PIDPressure": (
        "KubeletHasInsufficientPID",
        "kubelet has insufficient PID available",
        "NodeHasInsufficientPID",
        "pid-pressure",
        "pids",
    ),
}


def set_node_state(world: World, node: Obj, data: dict[str, Any]) -> None:
    """data: state, since and what the state takes. Raises ValueError for an unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"node state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, node, data)
    world.touch(node)
    node["metadata"].pop("managedFields", None)


def _moment(world: World, node: Obj, data: dict[str, Any], word: str, default: str) -> datetime:
    """A time of the state; with `spread` each node has its own moment after it."""
    at = world.ago(data.get(word, default))
    if spread := data.get("spread"):
        at += (world.now - world.ago(spread)) * stable_fraction(word, node["metadata"]["name"])
    return at


def _condition(
    node: Obj, kind: str, status: str, reason: str, message: str, at: datetime, beat: datetime
) -> None:
    found = next((c for c in node["status"]["conditions"] if c["type"] == kind), None)
    if found is None:
        found = {"type": kind}
        node["status"]["conditions"].append(found)
    found.update(
        status=status,
        reason=reason,
        message=message,
        lastTransitionTime=rfc3339(at),
        lastHeartbeatTime=rfc3339(beat),
    )


def _taint(node: Obj, key: str, effect: str, at: datetime | None) -> None:
    taints = node["spec"].setdefault("taints", [])
    if not any(t["key"] == key and t["effect"] == effect for t in taints):
        taints.append({"key": key, "effect": effect, **({"timeAdded": rfc3339(at)} if at else {})})


def _wrote(world: World, node: Obj, manager: str, at: datetime) -> None:
    key = world.key(node)
    kept = [w for w in world.writers.get(key, []) if w.subresource != "status"]
    world.writers[key] = [*kept, Writer(manager, at, ("status",), "status")]


def _pods_on(world: World, node: Obj) -> list[Obj]:
    return [
        p
        for p in world.of("Pod")
        if p["spec"].get("nodeName") == node["metadata"]["name"]
        and dig(p, "status", "phase") == "Running"
    ]


def _lose_pods(world: World, node: Obj, since: datetime, data: dict[str, Any]) -> None:
    for pod in _pods_on(world, node):
        tolerates = any(
            t.get("operator") == "Exists"
            and t.get("effect") in {None, "NoExecute"}
            and not t.get("tolerationSeconds")
            and t.get("key") in {None, "node.kubernetes.io/unreachable"}
            for t in pod["spec"].get("tolerations", [])
        )
        leaves = data.get("evict", True) and not tolerates
        set_pod_state(
            world,
            pod,
            {
                "state": "lost",
                "since": world.now - since - timedelta(seconds=1),
                "terminating": leaves,
            },
        )
        gone = since + timedelta(seconds=302)
        ref = controller_of(pod)
        if (
            leaves
            and gone < world.now
            and ref
            and ref["kind"] == "ReplicaSet"
            and data.get("replace", True)
        ):
            replace_pod(world, pod, gone)


def not_ready(world: World, node: Obj, data: dict[str, Any]) -> None:
    """The kubelet lives and says why: message; reason (KubeletNotReady). evict: pods leave after
    300 s (default)."""
    since = world.ago(data.get("since", "6m"))
    name = node["metadata"]["name"]
    beat = world.now - timedelta(seconds=8)
    _condition(
        node,
        "Ready",
        "False",
        str(data.get("reason", "KubeletNotReady")),
        str(data["message"]),
        since,
        beat,
    )
    for effect in ("NoSchedule", "NoExecute"):
        _taint(node, "node.kubernetes.io/not-ready", effect, since)
    add_event(
        world,
        node,
        "NodeNotReady",
        f"Node {name} status is now: NodeNotReady",
        first=since,
        count=int(data.get("count", 1)),
    )
    _wrote(world, node, "kubelet", beat)
    if data.get("lose", True):
        world.losses.append(lambda: _lose_pods(world, node, since, data))


def unknown(world: World, node: Obj, data: dict[str, Any]) -> None:
    """The controller has not heard from the kubelet: every condition Unknown, the lease stale."""
    since = _moment(world, node, data, "since", "6m")
    name = node["metadata"]["name"]
    silent = since - timedelta(seconds=44)
    for c in node["status"]["conditions"]:
        c.update(
            status="Unknown",
            reason="NodeStatusUnknown",
            message="Kubelet stopped posting node status.",
            lastTransitionTime=rfc3339(since),
            lastHeartbeatTime=rfc3339(silent - timedelta(seconds=70)),
        )
    for effect in ("NoSchedule", "NoExecute"):
        _taint(node, "node.kubernetes.io/unreachable", effect, since)
    lease = world.get("Lease", "kube-node-lease", name)
    if lease is not None:
        lease["spec"]["renewTime"] = rfc3339_micro(silent)
        world.writers[world.key(lease)] = [Writer("kubelet", silent)]
        lease["metadata"].pop("managedFields", None)
        world.touch(lease)
    add_event(
        world,
        node,
        "NodeNotReady",
        f"Node {name} status is now: NodeNotReady",
        first=since,
        component="node-controller",
        count=int(data.get("count", 1)),
    )
    _wrote(world, node, "kube-controller-manager", since)
    if data.get("lose", True):
        world.losses.append(lambda: _lose_pods(world, node, since, data))


def ready_again(world: World, node: Obj, data: dict[str, Any]) -> None:
    """Ready since `since`, after it was not: down (when it went), times (how often within the
    hour)."""
    since = _moment(world, node, data, "since", "3m")
    name, times = node["metadata"]["name"], int(data.get("times", 1))
    for c in node["status"]["conditions"]:
        if c["type"] == "Ready":
            c.update(
                status="True",
                reason="KubeletReady",
                message="kubelet is posting ready status",
                lastTransitionTime=rfc3339(since),
                lastHeartbeatTime=rfc3339(world.now - timedelta(seconds=11)),
            )
    if taints := node["spec"].get("taints"):
        node["spec"]["taints"] = [
            t
            for t in taints
            if t["key"] not in {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
        ]
        if not node["spec"]["taints"]:
            del node["spec"]["taints"]
    down = _moment(world, node, data, "down", "9m")
    add_event(
        world,
        node,
        "NodeNotReady",
        f"Node {name} status is now: NodeNotReady",
        first=down,
        count=times,
        last=world.ago(data["lastDown"]) if "lastDown" in data else down,
        component=str(data.get("from", "node-controller")),
    )
    add_event(
        world,
        node,
        "NodeReady",
        f"Node {name} status is now: NodeReady",
        first=down + (since - down) / 2 if times > 1 else since,
        last=since,
        count=times,
    )
    _wrote(world, node, "kubelet", since)


def pressure(world: World, node: Obj, data: dict[str, Any]) -> None:
    """type: MemoryPressure, DiskPressure or PIDPressure; evicting (true): with
    EvictionThresholdMet; count."""
    since, kind = world.ago(data.get("since", "6m")), str(data["type"])
    reason, message, event, taint, resource = _PRESSURE[kind]
    name = node["metadata"]["name"]
    _condition(node, kind, "True", reason, message, since, world.now - timedelta(seconds=7))
    _taint(node, f"node.kubernetes.io/{taint}", "NoSchedule", since)
    add_event(
        world,
        node,
        event,
        f"Node {name} status is now: {event}",
        first=since,
        count=int(data.get("count", 1)),
    )
    if data.get("evicting", True):
        add_event(
            world,
            node,
            "EvictionThresholdMet",
            f"Attempting to reclaim {resource}",
            kind="Warning",
            first=since,
            last=world.now - timedelta(seconds=40),
            count=int(data.get("evictions", 3)),
        )
    _wrote(world, node, "kubelet", world.now - timedelta(seconds=7))


def cordoned(world: World, node: Obj, data: dict[str, Any]) -> None:
    """Unschedulable since `since`, by `by` (kubectl-cordon)."""
    since = world.ago(data.get("since", "2d"))
    node["spec"]["unschedulable"] = True
    _taint(node, "node.kubernetes.io/unschedulable", "NoSchedule", since)
    key = world.key(node)
    world.writers[key] = [
        Writer(str(data.get("by", "kubectl-cordon")), since, ("spec.unschedulable",)),
        *world.writers.get(key, []),
    ]
    add_event(
        world,
        node,
        "NodeNotSchedulable",
        f"Node {node['metadata']['name']} status is now: NodeNotSchedulable",
        first=since,
    )


def rebooted(world: World, node: Obj, data: dict[str, Any]) -> None:
    """A new boot ID at `since`; its pods restart (exit 255) within the next minute and it is Ready
    again."""
    since = world.ago(data.get("since", "20m"))
    name = node["metadata"]["name"]
    boot = stable_uid("boot", world.seed, name, rfc3339(since))
    node["status"]["nodeInfo"]["bootID"] = boot
    add_event(world, node, "Starting", "Starting kubelet.", first=since)
    add_event(
        world,
        node,
        "Rebooted",
        f"Node {name} has been rebooted, boot id: {boot}",
        kind="Warning",
        first=since,
    )
    for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
        add_event(world, node, reason, f"Node {name} status is now: {reason}", first=since)
    add_event(
        world,
        node,
        "NodeAllocatableEnforced",
        "Updated Node Allocatable limit across pods",
        first=since,
    )
    if data.get("ready", True):
        down = since - timedelta(seconds=110)
        ready_again(
            world,
            node,
            {"since": world.now - since - timedelta(seconds=12), "down": world.now - down},
        )
    for pod in _pods_on(world, node):
        if parse_time(pod["metadata"]["creationTimestamp"]) < since:
            set_pod_state(
                world,
                pod,
                {
                    "state": "restarted",
                    "since": world.now - since + timedelta(seconds=95),
                    "exitCode": 255,
                    "reason": "Unknown",
                    "back": 112,
                    "sandbox": True,
                },
            )


def system_oom(world: World, node: Obj, data: dict[str, Any]) -> None:
    """The kernel killed processes outside any container's limit: victims [{process, pid}], count,
    since, last."""
    since = world.ago(data.get("since", "6m"))
    victims = data.get("victims") or [None]
    for victim in victims:
        text = "System OOM encountered"
        if victim:
            text += f", victim process: {victim['process']}, pid: {victim['pid']}"
        add_event(
            world,
            node,
            "SystemOOM",
            text,
            kind="Warning",
            first=since,
            count=int(data.get("count", 1)),
            last=world.ago(data["last"]) if "last" in data else None,
        )


def runtime_restarted(world: World, node: Obj, data: dict[str, Any]) -> None:
    """The container runtime went away at `since` and came back: every pod gets a new sandbox within
    `within` (90s)."""
    since = world.ago(data.get("since", "10m"))
    code, reason = int(data.get("exitCode", 255)), str(data.get("reason", "Unknown"))
    for pod in _pods_on(world, node):
        if (
            parse_time(pod["metadata"]["creationTimestamp"]) < since
            and pod["metadata"].get("annotations", {}).get("kubernetes.io/config.mirror") is None
        ):
            set_pod_state(
                world,
                pod,
                {
                    "state": "restarted",
                    "since": world.now - since,
                    "exitCode": code,
                    "reason": reason,
                    "spread": data.get("within", "90s"),
                    "back": 20,
                    "sandbox": True,
                },
            )


STATES: dict[str, Callable[[World, Obj, dict[str, Any]], None]] = {
    "notReady": not_ready,
    "unknown": unknown,
    "readyAgain": ready_again,
    "pressure": pressure,
    "cordoned": cordoned,
    "rebooted": rebooted,
    "systemOOM": system_oom,
    "runtimeRestarted": runtime_restarted,
}

"""States of nodes by name, and their effect on the pods there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from drills.api.managed_fields import FieldManager
from drills.api.objects import (
    Obj,
    condition,
    controller_of,
    created_at,
    dig,
    new_condition,
    rfc3339,
    rfc3339_micro,
    stable_fraction,
    stable_uid,
)
from drills.controllers.cordon import follow_cordon
from drills.controllers.scheduling import tolerates
from drills.scenario.simulation import Simulation
from drills.scenario.states.pod_changes import set_condition
from drills.scenario.states.pods import set_pod_state
from drills.scenario.states.pods_leaving import replace_pod
from drills.scenario.world import Data, World

_PRESSURE = {
    "MemoryPressure": ("InsufficientMemory", "insufficient memory available", "memory"),
    "DiskPressure": ("DiskPressure", "disk pressure", "ephemeral-storage"),
    "PIDPressure": ("InsufficientPID", "insufficient PID available", "pids"),
}
"""Condition -> the words after `KubeletHas`, after `kubelet has `, and what is reclaimed."""
_TAINT = "node.kubernetes.io"
_GONE = ("not-ready", "unreachable")
_UNREACHABLE = {"key": f"{_TAINT}/unreachable", "effect": "NoExecute"}


def set_node_state(world: World, node: Obj, data: Data) -> None:
    """data: state, since and the fields of the state. Raises ValueError for an unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"node state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, node, data)
    node["metadata"].pop("managedFields", None)


def _moment(world: World, node: Obj, data: Data, word: str, default: str) -> datetime:
    """A time of the state; `spread` gives each node its own time after it."""
    at = world.ago(data.get(word, default))
    if spread := data.get("spread"):
        at += (world.now - world.ago(spread)) * stable_fraction(word, node["metadata"]["name"])
    return at


def _set(
    node: Obj, kind: str, value: bool, at: datetime, beat: datetime, reason: str, message: str
) -> None:
    """Set a condition; `beat` is the last report of the kubelet."""
    new = new_condition(kind, value, rfc3339(at), reason, message, lastHeartbeatTime=rfc3339(beat))
    found = condition(node, kind)
    if found is None:
        node["status"]["conditions"].append(new)
    else:
        found.update(new)


def _taint(node: Obj, word: str, at: datetime, *effects: str) -> None:
    taints, key = node["spec"].setdefault("taints", []), f"{_TAINT}/{word}"
    for effect in effects:
        if not any((t["key"], t["effect"]) == (key, effect) for t in taints):
            taints.append({"key": key, "effect": effect, "timeAdded": rfc3339(at)})


def _status_is_now(
    world: World,
    node: Obj,
    word: str,
    first: datetime,
    last: datetime | None = None,
    count: int = 1,
    component: str = "",
) -> None:
    text = f"Node {node['metadata']['name']} status is now: {word}"
    world.event(node, word, text, first, last, count, component=component)


def _lose_pods(world: World, node: Obj, since: datetime, data: Data) -> None:
    """Change the pods of a lost node as the node controller does."""
    for pod in world.pods_on(node["metadata"]["name"]):
        stays = any(
            not t.get("tolerationSeconds") and tolerates(t, _UNREACHABLE)
            for t in pod["spec"].get("tolerations", [])
        )
        leaves = not stays
        ago = world.now - since - timedelta(seconds=1)
        set_pod_state(world, pod, {"state": "lost", "since": ago, "terminating": leaves})
        gone, ref = since + timedelta(seconds=302), controller_of(pod) or {}
        replaced = leaves and gone < world.now and data.get("replace", True)
        if replaced and ref.get("kind") == "ReplicaSet":
            replace_pod(world, pod, gone)


def not_ready(world: World, node: Obj, data: Data) -> None:
    """The kubelet lives and says why: message; reason (KubeletNotReady). Its pods
    leave after 300 s."""
    since, beat = world.ago(data.get("since", "6m")), world.now - timedelta(seconds=8)
    reason = str(data.get("reason", "KubeletNotReady"))
    _set(node, "Ready", False, since, beat, reason, str(data["message"]))
    _taint(node, "not-ready", since, "NoSchedule", "NoExecute")
    _status_is_now(world, node, "NodeNotReady", since, count=int(data.get("count", 1)))
    world.wrote_status(node, "kubelet", beat)
    if data.get("lose", True):
        world.losses.append(lambda: _lose_pods(world, node, since, data))


def unknown(world: World, node: Obj, data: Data) -> None:
    """The controller has not heard from the kubelet: every condition Unknown, the lease stale."""
    since, name = _moment(world, node, data, "since", "6m"), node["metadata"]["name"]
    silent = since - timedelta(seconds=44)
    for c in node["status"]["conditions"]:
        c.update(
            status="Unknown",
            reason="NodeStatusUnknown",
            message="Kubelet stopped posting node status.",
            lastTransitionTime=rfc3339(since),
            lastHeartbeatTime=rfc3339(silent - timedelta(seconds=70)),
        )
    _taint(node, "unreachable", since, "NoSchedule", "NoExecute")
    lease = world.get("Lease", "kube-node-lease", name)
    if lease is not None:
        lease["spec"]["renewTime"] = rfc3339_micro(silent)
        world.managers[world.key(lease)] = [FieldManager("kubelet", silent)]
        lease["metadata"].pop("managedFields", None)
    count, component = int(data.get("count", 1)), "node-controller"
    _status_is_now(world, node, "NodeNotReady", since, count=count, component=component)
    world.wrote_status(node, "kube-controller-manager", since)
    if data.get("lose", True):
        world.losses.append(lambda: _lose_pods(world, node, since, data))


def ready_again(world: World, node: Obj, data: Data) -> None:
    """Ready since `since`, after it was not: down (when it went), times (how often within
    the hour), from (who said so). Its pods whose containers are ready are Ready again."""
    since, times = _moment(world, node, data, "since", "3m"), int(data.get("times", 1))
    beat, text = world.now - timedelta(seconds=11), "kubelet is posting ready status"
    _set(node, "Ready", True, since, beat, "KubeletReady", text)
    taints = node["spec"].pop("taints", [])
    left = [t for t in taints if t["key"] not in {f"{_TAINT}/{word}" for word in _GONE}]
    if left:
        node["spec"]["taints"] = left
    down = _moment(world, node, data, "down", "9m")
    component = str(data.get("from", "node-controller"))
    _status_is_now(world, node, "NodeNotReady", down, down, times, component)
    first = down + (since - down) / 2 if times > 1 else since
    _status_is_now(world, node, "NodeReady", first, since, times)
    world.wrote_status(node, "kubelet", since)
    for pod in world.pods_on(node["metadata"]["name"]):
        statuses = dig(pod, "status", "containerStatuses", default=[])
        lost = dig(condition(pod, "Ready"), "status") == "False"
        if lost and statuses and all(status["ready"] for status in statuses):
            set_condition(pod, "Ready", True, since)


def pressure(world: World, node: Obj, data: Data) -> None:
    """type: MemoryPressure, DiskPressure or PIDPressure; evicting (true): with
    EvictionThresholdMet; count."""
    since, kind = world.ago(data.get("since", "6m")), str(data["type"])
    words, message, resource = _PRESSURE[kind]
    beat = world.now - timedelta(seconds=7)
    _set(node, kind, True, since, beat, f"KubeletHas{words}", f"kubelet has {message}")
    _taint(node, kind.replace("Pressure", "-pressure").lower(), since, "NoSchedule")
    _status_is_now(world, node, f"NodeHas{words}", since, count=int(data.get("count", 1)))
    if data.get("evicting", True):
        text, last = f"Attempting to reclaim {resource}", world.now - timedelta(seconds=40)
        count = int(data.get("evictions", 3))
        world.warn(node, "EvictionThresholdMet", text, since, last, count)
    world.wrote_status(node, "kubelet", beat)


def cordoned(world: World, node: Obj, data: Data) -> None:
    """Unschedulable since `since`, by `by` (kubectl-cordon)."""
    since, key = world.ago(data.get("since", "2d")), world.key(node)
    node["spec"]["unschedulable"] = True
    who = FieldManager(str(data.get("by", "kubectl-cordon")), since, ("spec.unschedulable",))
    world.managers[key] = [who, *world.managers.get(key, [])]
    follow_cordon(Simulation(world, {}, since), node)


def _restart_pods(
    world: World, node: Obj, since: datetime, data: Data, *, mirrors: bool = True
) -> None:
    """Every pod that is older than `since` gets a new sandbox and runs again; with mirrors also
    those of static pods."""
    for pod in world.pods_on(node["metadata"]["name"]):
        mirror = "kubernetes.io/config.mirror" in pod["metadata"].get("annotations", {})
        if created_at(pod) < since and (mirrors or not mirror):
            set_pod_state(world, pod, {"state": "restarted", "sandbox": True, **data})


def rebooted(world: World, node: Obj, data: Data) -> None:
    """A new boot ID at `since`; its pods restart (exit 255) within the next minute and it is Ready
    again."""
    since, name = world.ago(data.get("since", "20m")), node["metadata"]["name"]
    boot = stable_uid("boot", world.seed, name, rfc3339(since))
    node["status"]["nodeInfo"]["bootID"] = boot
    world.event(node, "Starting", "Starting kubelet.", since)
    text = f"Node {name} has been rebooted, boot id: {boot}"
    world.warn(node, "Rebooted", text, since)
    for word in ("SufficientMemory", "NoDiskPressure", "SufficientPID"):
        _status_is_now(world, node, f"NodeHas{word}", since)
    text = "Updated Node Allocatable limit across pods"
    world.event(node, "NodeAllocatableEnforced", text, since)
    ago = world.now - since
    if data.get("ready", True):
        times = {"since": ago - timedelta(seconds=12), "down": ago + timedelta(seconds=110)}
        ready_again(world, node, times)
    ended = {"since": ago + timedelta(seconds=95), "back": 112}
    _restart_pods(world, node, since, {**ended, "exitCode": 255, "reason": "Unknown"})


def system_oom(world: World, node: Obj, data: Data) -> None:
    """The kernel killed processes outside any container's limit: victims [{process, pid}], count,
    since, last."""
    since, count = world.ago(data.get("since", "6m")), int(data.get("count", 1))
    last = world.ago(data["last"]) if "last" in data else None
    for victim in data.get("victims") or [None]:
        text = "System OOM encountered"
        if victim:
            text += f", victim process: {victim['process']}, pid: {victim['pid']}"
        world.warn(node, "SystemOOM", text, since, last, count)


def runtime_restarted(world: World, node: Obj, data: Data) -> None:
    """The container runtime went away at `since` and came back: every pod gets a new sandbox within
    `within` (90s)."""
    since = world.ago(data.get("since", "10m"))
    state = {
        "since": world.now - since,
        "exitCode": int(data.get("exitCode", 255)),
        "reason": str(data.get("reason", "Unknown")),
        "spread": data.get("within", "90s"),
        "back": 20,
    }
    _restart_pods(world, node, since, state, mirrors=False)


STATES: dict[str, Callable[[World, Obj, Data], None]] = {
    "notReady": not_ready,
    "unknown": unknown,
    "readyAgain": ready_again,
    "pressure": pressure,
    "cordoned": cordoned,
    "rebooted": rebooted,
    "systemOOM": system_oom,
    "runtimeRestarted": runtime_restarted,
}

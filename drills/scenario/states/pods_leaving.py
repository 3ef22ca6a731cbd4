"""Pods that end: deleted, lost with their node or failed, and their replacements."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.objects import Obj, controller_of, dig, rfc3339
from drills.controllers.workloads import ordinal
from drills.pods.pod_status import terminated
from drills.scenario.simulation import Simulation
from drills.scenario.states.pod_changes import set_condition, since_of
from drills.scenario.world import Data, World


def _killing(world: World, pod: Obj, at: datetime) -> None:
    for status in pod["status"].get("containerStatuses", [])[:1]:
        text = f"Stopping container {status['name']}"
        world.event(pod, "Killing", text, at, container=status["name"])


def terminating(world: World, pod: Obj, data: Data) -> None:
    """Deleted at `since`, and still there."""
    since = since_of(world, pod, data)
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    pod["metadata"]["deletionTimestamp"] = rfc3339(since + timedelta(seconds=grace))
    pod["metadata"]["deletionGracePeriodSeconds"] = grace
    if data.get("events", True):
        _killing(world, pod, since)


def lost(world: World, pod: Obj, data: Data) -> None:
    """On a node that no longer reports: Ready goes False by the node controller, the containers
    still look running. terminating: also marked for deletion after the 300 s of toleration."""
    since = since_of(world, pod, data)
    set_condition(pod, "Ready", False, since)
    world.wrote_status(pod, "kube-controller-manager", since)
    world.warn(pod, "NodeNotReady", "Node is not ready", since, component="node-controller")
    gone = since + timedelta(seconds=300)
    if data.get("terminating") and gone < world.now:
        terminating(world, pod, {"since": world.now - gone, "events": False})
        text = "Taint manager: deleting due to NoExecute taint"
        set_condition(pod, "DisruptionTarget", True, gone, "DeletionByTaintManager", text)
        meta = pod["metadata"]
        text = f"Marking for deletion Pod {meta['namespace']}/{meta['name']}"
        component = "taint-eviction-controller"
        world.event(pod, "TaintManagerEviction", text, gone, component=component)


def failed(world: World, pod: Obj, data: Data) -> None:
    """phase Failed: reason (Evicted), message, exitCode; started: its containers had run; replace:
    its owner has another one."""
    since = since_of(world, pod, data)
    reason, message = str(data.get("reason", "Evicted")), str(data.get("message", ""))
    if data.get("replace"):
        replace_pod(world, pod, since + timedelta(seconds=2))
    status = pod["status"]
    status.update(phase="Failed", reason=reason, message=message)
    if data.get("started", reason in {"Evicted", "Terminated", "NodeShutdown"}):
        code = int(data.get("exitCode", 137))
        for s in status.get("containerStatuses", []):
            begun = dig(s, "state", "running", "startedAt", default=rfc3339(since))
            end = terminated(begun, rfc3339(since), code, "ContainerStatusUnknown")
            s.update(ready=False, started=False, state={"terminated": end})
    else:
        for field in ("containerStatuses", "podIP", "podIPs"):
            status.pop(field, None)
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, False, since, "PodFailed")
    set_condition(pod, "PodReadyToStartContainers", False, since)
    if reason == "Evicted":
        set_condition(pod, "DisruptionTarget", True, since, "TerminationByKubelet", message)
    if reason == "Evicted" or reason.startswith("OutOf"):
        world.warn(pod, reason, message, since)
    world.wrote_status(pod, "kubelet", since)


def replaced(world: World, pod: Obj, data: Data) -> None:
    """Gone since `since`; its owner has another one, on `node` or where there is room."""
    since = since_of(world, pod, data)
    replace_pod(world, pod, since, data.get("node"))
    world.drop_events(pod)
    if data.get("events", True):
        _killing(world, pod, since)
    world.remove(pod)


def reborn(world: World, pod: Obj, data: Data) -> None:
    """A StatefulSet's pod, deleted by force and made again under its name at `since` on `node`."""
    world.drop_events(pod)
    world.remove(pod)
    replace_pod(world, pod, world.ago(data["since"]), str(data["node"]), ordinal(pod))


def replace_pod(
    world: World, pod: Obj, at: datetime, node: str | None = None, number: int = 0
) -> None:
    """Create the replacement of a pod that is gone at `at`, on `node` or on one with room. The old
    pod's name seeds node and name."""
    meta, ref = pod["metadata"], controller_of(pod)
    assert ref is not None
    owner = world.get(ref["kind"], meta["namespace"], ref["name"])
    assert owner is not None
    row = {"namespace": meta["namespace"], "name": ref["name"], "nodes": node or []}
    world.placed = None  # Pods have changed through states since.
    simulation = Simulation(world, {**row, "notNodes": [pod["spec"].get("nodeName", "")]}, at)
    simulation.salt = meta["name"]
    simulation.workloads.create_pod(owner, number)
    simulation.settle()

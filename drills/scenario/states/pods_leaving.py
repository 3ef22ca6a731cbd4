"""Pods that go: deleted, lost with their node, failed, and those that take their place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, controller_of, dig, rfc3339, stable_suffix
from drills.api.world import World
from drills.controllers.events import add_event, add_life
from drills.pods.running import make_pod
from drills.scenario.states.pod_status import kubelet_wrote, set_condition, since_of
from drills.scenario.workloads.placement import place


def terminating(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Deleted at `since`, and still there (ready: still Ready)."""
    since = since_of(world, pod, data)
    grace = int(pod["spec"].get("terminationGracePeriodSeconds", 30))
    pod["metadata"]["deletionTimestamp"] = rfc3339(since + timedelta(seconds=grace))
    pod["metadata"]["deletionGracePeriodSeconds"] = grace
    if data.get("events", True):
        for status in pod["status"].get("containerStatuses", [])[:1]:
            add_event(
                world,
                pod,
                "Killing",
                f"Stopping container {status['name']}",
                first=since,
                container=status["name"],
            )


def lost(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """On a node that no longer reports: Ready goes False by the node controller, the containers
    still look running. terminating: also marked for deletion after the 300 s of toleration."""
    since = since_of(world, pod, data)
    set_condition(pod, "Ready", False, since)
    kubelet_wrote(world, pod, since, "kube-controller-manager")
    add_event(
        world,
        pod,
        "NodeNotReady",
        "Node is not ready",
        kind="Warning",
        first=since,
        component="node-controller",
    )
    if data.get("terminating"):
        gone = since + timedelta(seconds=300)
        if gone < world.now:
            terminating(world, pod, {"since": world.now - gone, "events": False})
            set_condition(
                pod,
                "DisruptionTarget",
                True,
                gone,
                "DeletionByTaintManager",
                "Taint manager: deleting due to NoExecute taint",
            )
            add_event(
                world,
                pod,
                "TaintManagerEviction",
                "Marking for deletion Pod "
                f"{pod['metadata']['namespace']}/{pod['metadata']['name']}",
                first=gone,
                component="taint-eviction-controller",
            )


def failed(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """phase Failed: reason (Evicted), message; target: reason of the DisruptionTarget condition."""
    since = since_of(world, pod, data)
    reason, message = str(data.get("reason", "Evicted")), str(data.get("message", ""))
    if data.get("replace"):
        replace_pod(world, pod, since + timedelta(seconds=2))
    status = pod["status"]
    started = data.get("started", reason in {"Evicted", "Terminated", "NodeShutdown"})
    status.update(phase="Failed", reason=reason, message=message)
    for s in status.get("containerStatuses", []):
        begun = dig(s, "state", "running", "startedAt", default=rfc3339(since))
        s.update(
            ready=False,
            started=False,
            state={
                "terminated": {
                    "exitCode": int(data.get("exitCode", 137)),
                    "reason": "ContainerStatusUnknown" if started else "Error",
                    "startedAt": begun,
                    "finishedAt": rfc3339(since),
                }
            },
        )
    if not started:
        status.pop("containerStatuses", None)
        for field in ("podIP", "podIPs"):
            status.pop(field, None)
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, False, since, "PodFailed")
    set_condition(pod, "PodReadyToStartContainers", False, since)
    if reason == "Evicted":
        set_condition(pod, "DisruptionTarget", True, since, "TerminationByKubelet", message)
        add_event(world, pod, "Evicted", message, kind="Warning", first=since)
    elif reason.startswith("OutOf"):
        add_event(world, pod, reason, message, kind="Warning", first=since)
    kubelet_wrote(world, pod, since)


def replaced(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Gone since `since`; its owner has another one, on `node` or wherever there is room."""
    since = since_of(world, pod, data)
    replace_pod(world, pod, since, data.get("node"))
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    if data.get("events", True):
        for status in pod["status"].get("containerStatuses", [])[:1]:
            add_event(
                world,
                pod,
                "Killing",
                f"Stopping container {status['name']}",
                first=since,
                container=status["name"],
            )
    world.remove(pod)


def reborn(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """A StatefulSet's pod, deleted by force and made again under its name at `since` on `node`."""
    since = world.ago(data["since"])
    ref = controller_of(pod)
    assert ref is not None
    owner = world.get(ref["kind"], pod["metadata"]["namespace"], ref["name"])
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    template = {
        "metadata": {"labels": pod["metadata"]["labels"]},
        "spec": {
            **pod["spec"],
            "volumes": [
                v
                for v in pod["spec"].get("volumes") or []
                if not v["name"].startswith("kube-api-access")
            ],
            "containers": [
                {
                    **c,
                    "volumeMounts": [
                        m
                        for m in c.get("volumeMounts") or []
                        if not m["name"].startswith("kube-api-access")
                    ],
                }
                for c in pod["spec"]["containers"]
            ],
            "tolerations": [
                t for t in pod["spec"].get("tolerations") or [] if not t.get("tolerationSeconds")
            ],
        },
    }
    world.remove(pod)
    new = make_pod(
        world,
        namespace=pod["metadata"]["namespace"],
        name=pod["metadata"]["name"],
        template=template,
        created=since,
        node=str(data["node"]),
        owner=owner,
        generate_name=pod["metadata"]["generateName"],
    )
    add_life(world, new)


def replace_pod(world: World, pod: Obj, at: datetime, node: str | None = None) -> Obj:
    """A new pod of the same owner, Running on another node since `at`."""
    ref = controller_of(pod)
    assert ref is not None
    owner = world.get(ref["kind"], pod["metadata"]["namespace"], ref["name"])
    assert owner is not None
    app = {
        "namespace": pod["metadata"]["namespace"],
        "name": ref["name"],
        "notNodes": [pod["spec"].get("nodeName", "")],
        "tolerations": pod["spec"].get("tolerations", []),
    }
    app["tolerations"] = [t for t in app["tolerations"] if not t.get("tolerationSeconds")]
    where = node or place(world, app, 1, salt=pod["metadata"]["name"])[0]
    name = (
        f"{ref['name']}-{stable_suffix('again', world.seed, pod['metadata']['name'], rfc3339(at))}"
    )
    new = make_pod(
        world,
        namespace=pod["metadata"]["namespace"],
        name=name,
        node=where,
        owner=owner,
        created=at,
        template=owner["spec"]["template"],
        generate_name=f"{ref['name']}-",
    )
    add_life(world, new)
    return new

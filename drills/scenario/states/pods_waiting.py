"""Pods whose containers have never started: no node, no image, no volume, no address, no
configuration."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, dig, rfc3339
from drills.api.world import World
from drills.controllers.events import add_event
from drills.scenario.states.pod_status import (
    kubelet_wrote,
    not_ready,
    retries,
    set_condition,
    since_of,
)


def config_error(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """CreateContainerConfigError with `message` (`couldn't find key K in Secret ns/x`)."""
    since, message = since_of(world, pod, data), str(data.get("message") or _missing_key(pod))
    for word, value in (
        ("{namespace}", pod["metadata"]["namespace"]),
        ("{name}", pod["metadata"]["name"]),
    ):
        message = message.replace(word, value)
    _never_started(world, pod, since, "CreateContainerConfigError", message, sandbox=True)
    first, last, count = retries(world, since, data)
    for status in pod["status"]["containerStatuses"][:1]:
        add_event(
            world,
            pod,
            "Failed",
            f"Error: {message}",
            kind="Warning",
            first=first,
            last=last,
            count=count * 5,
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Pulled",
            f'Container image "{status["image"]}" already present on machine',
            first=first,
            last=last,
            count=count * 5,
            container=status["name"],
        )


def image_pull(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """ImagePullBackOff; message: why the pull failed."""
    since = since_of(world, pod, data)
    for status in pod["status"]["containerStatuses"][:1]:
        image = status["image"]
        why = str(
            data.get(
                "message",
                f'failed to pull and unpack image "{image}": failed to resolve reference '
                f'"{image}": {image}: not found',
            )
        )
        _never_started(
            world,
            pod,
            since,
            "ImagePullBackOff",
            f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = NotFound desc = '
            f"{why}",
            sandbox=True,
        )
        first, last, count = retries(world, since, data)
        add_event(
            world,
            pod,
            "Failed",
            f'Failed to pull image "{image}": rpc error: code = NotFound desc = {why}',
            kind="Warning",
            first=first,
            last=last,
            count=min(count, 6),
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "Failed",
            "Error: ErrImagePull",
            kind="Warning",
            first=first,
            last=last,
            count=min(count, 6),
            container=status["name"],
        )
        add_event(
            world,
            pod,
            "BackOff",
            f'Back-off pulling image "{image}"',
            first=first,
            last=last,
            count=count * 2,
            container=status["name"],
        )


def creating(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """ContainerCreating with an event: reason, message, count; `component` (kubelet)."""
    since = since_of(world, pod, data)
    _never_started(world, pod, since, "ContainerCreating", sandbox=False)
    first, last, count = retries(world, since, data)
    for problem in data.get("problems") or ([data] if "reason" in data else []):
        text = str(problem["message"])
        for word, value in (
            ("{namespace}", pod["metadata"]["namespace"]),
            ("{name}", pod["metadata"]["name"]),
            ("{uid}", pod["metadata"]["uid"]),
            ("{node}", pod["spec"].get("nodeName", "")),
            ("{volume}", _volume_of(world, pod)),
        ):
            text = text.replace(word, str(value))
        add_event(
            world,
            pod,
            str(problem["reason"]),
            text,
            kind=str(problem.get("type", "Warning")),
            first=first,
            last=last,
            count=int(problem.get("count", count)),
            component=str(problem.get("component", "kubelet")),
        )


def pending(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """Unschedulable: `message` as the scheduler words it; reason (Unschedulable)."""
    since, message = since_of(world, pod, data), str(data["message"])
    pod["spec"].pop("nodeName", None)
    qos = pod["status"]["qosClass"]
    pod["status"] = {
        "observedGeneration": 1,
        "phase": "Pending",
        "qosClass": qos,
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": rfc3339(since),
                "reason": str(data.get("reason", "Unschedulable")),
                "message": message,
                "observedGeneration": 1,
            }
        ],
    }
    for event in world.of("Event"):
        if event["involvedObject"].get("uid") == pod["metadata"]["uid"]:
            world.remove(event)
    first, last, count = retries(world, since, data)
    add_event(
        world,
        pod,
        "FailedScheduling",
        message,
        kind="Warning",
        first=first,
        last=last,
        count=max(1, count // 5),
        component="default-scheduler",
    )
    kubelet_wrote(world, pod, since, "kube-scheduler")


def _never_started(
    world: World,
    pod: Obj,
    since: datetime,
    reason: str,
    message: str = "",
    *,
    sandbox: bool,
    names: list[str] | None = None,
) -> None:
    status = pod["status"]
    statuses = status["containerStatuses"]
    for s in statuses:
        s.update(
            state={"waiting": {"reason": reason, **({"message": message} if message else {})}},
            lastState={},
            ready=False,
            started=False,
            restartCount=0,
            imageID="",
        )
        for field in ("containerID", "allocatedResources", "resources"):
            s.pop(field, None)
    status["phase"] = "Pending"
    all_names = names or [s["name"] for s in statuses]
    not_ready(pod, since, all_names)
    set_condition(pod, "PodReadyToStartContainers", sandbox, since)
    if not sandbox and not pod["spec"].get("hostNetwork"):
        status.pop("podIP", None)
        status.pop("podIPs", None)
    kubelet_wrote(world, pod, since + timedelta(seconds=2))
    _drop_started_events(world, pod)


def _drop_started_events(world: World, pod: Obj) -> None:
    for event in world.of("Event"):
        about = event["involvedObject"]
        if about.get("uid") == pod["metadata"]["uid"] and event["reason"] in {
            "Started",
            "Created",
            "Pulled",
        }:
            world.remove(event)


def _missing_key(pod: Obj) -> str:
    """What the kubelet says about the first key that the pod's environment takes from a Secret."""
    for container in pod["spec"]["containers"]:
        for env in container.get("env") or []:
            ref = dig(env, "valueFrom", "secretKeyRef")
            if ref:
                return (
                    f"couldn't find key {ref['key']} in Secret "
                    f"{pod['metadata']['namespace']}/{ref['name']}"
                )
    raise ValueError(f"pod {pod['metadata']['name']} takes no key from a Secret; give `message`")


def _volume_of(world: World, pod: Obj) -> str:
    """The name of the first persistent volume that a pod uses; empty without one."""
    for volume in pod["spec"].get("volumes") or []:
        claim = dig(volume, "persistentVolumeClaim", "claimName")
        found = (
            world.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim)
            if claim
            else None
        )
        if found is not None:
            return str(dig(found, "spec", "volumeName", default=""))
    return ""

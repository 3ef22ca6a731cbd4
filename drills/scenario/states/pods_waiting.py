"""Pods with containers that never started: no node, image, volume, address or configuration."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.objects import Obj, dig, rfc3339
from drills.controllers.events import SCHEDULER, pulled
from drills.pods.pod_status import pod_condition, waiting
from drills.pods.selection import secret_keys
from drills.scenario.events import filled_in
from drills.scenario.states.pod_changes import not_ready, retries, set_condition, since_of
from drills.scenario.world import Data, World


def config_error(world: World, pod: Obj, data: Data) -> None:
    """`waiting` (CreateContainerConfigError, CreateContainerError …) with `message`: by default
    that the first key is missing which the pod takes from a Secret."""
    since = since_of(world, pod, data)
    message = filled_in(str(data.get("message") or _missing_key(pod)), pod)
    reason = str(data.get("waiting", "CreateContainerConfigError"))
    _never_started(world, pod, since, reason, message, sandbox=True)
    first, last, count = retries(world, since, data)
    for status in pod["status"]["containerStatuses"][:1]:
        name, text = status["name"], pulled(status["image"])
        world.warn(pod, "Failed", f"Error: {message}", first, last, count * 5, container=name)
        world.event(pod, "Pulled", text, first, last, count * 5, container=name)


def image_pull(world: World, pod: Obj, data: Data) -> None:
    """ImagePullBackOff; message: why the pull failed, code (NotFound) of the runtime's error."""
    since = since_of(world, pod, data)
    for status in pod["status"]["containerStatuses"][:1]:
        image, name = status["image"], status["name"]
        unresolved = (
            f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": '
            f"{image}: not found"
        )
        code, text = data.get("code", "NotFound"), data.get("message", unresolved)
        why = f"rpc error: code = {code} desc = {text}"
        back_off = f'Back-off pulling image "{image}"'
        text = f"{back_off}: ErrImagePull: {why}"
        _never_started(world, pod, since, "ImagePullBackOff", text, sandbox=True)
        first, last, count = retries(world, since, data)
        for text in (f'Failed to pull image "{image}": {why}', "Error: ErrImagePull"):
            world.warn(pod, "Failed", text, first, last, min(count, 6), container=name)
        world.event(pod, "BackOff", back_off, first, last, count * 2, container=name)


def creating(world: World, pod: Obj, data: Data) -> None:
    """ContainerCreating with an event: reason, message, count, type (Warning), `component`
    (kubelet); or several as `problems`."""
    since = since_of(world, pod, data)
    _never_started(world, pod, since, "ContainerCreating", sandbox=False)
    first, last, count = retries(world, since, data)
    for problem in data.get("problems") or ([data] if "reason" in data else []):
        world.event(
            pod,
            str(problem["reason"]),
            filled_in(str(problem["message"]), pod, volume=_volume_of(world, pod)),
            first,
            last,
            int(problem.get("count", count)),
            kind=str(problem.get("type", "Warning")),
            component=str(problem.get("component", "kubelet")),
        )


def initialising(world: World, pod: Obj, data: Data) -> None:
    """The first init container runs and does not end."""
    since = since_of(world, pod, data)
    _never_started(world, pod, since, "PodInitializing", sandbox=True)
    first = pod["status"]["initContainerStatuses"][0]
    first.update(state={"running": {"startedAt": rfc3339(since)}}, ready=False, started=True)
    text = f"containers with incomplete status: [{first['name']}]"
    set_condition(pod, "Initialized", False, since, "ContainersNotInitialized", text)


def unscheduled(world: World, pod: Obj, data: Data) -> None:
    """No scheduler has examined the pod."""
    pod["spec"].pop("nodeName", None)
    pod["status"] = {"phase": "Pending", "qosClass": pod["status"]["qosClass"]}
    world.drop_events(pod)


def pending(world: World, pod: Obj, data: Data) -> None:
    """Unschedulable: `message` as the scheduler words it; reason (Unschedulable)."""
    since, message = since_of(world, pod, data), str(data["message"])
    reason = str(data.get("reason", "Unschedulable"))
    unscheduled(world, pod, data)
    found = pod_condition("PodScheduled", False, rfc3339(since), reason, message)
    pod["status"] |= {"observedGeneration": 1, "conditions": [found]}
    first, last, count = retries(world, since, data)
    times = max(1, count // 5)
    world.warn(pod, "FailedScheduling", message, first, last, times, component=SCHEDULER)
    world.wrote_status(pod, "kube-scheduler", since)


def _never_started(
    world: World, pod: Obj, since: datetime, reason: str, message: str = "", *, sandbox: bool
) -> None:
    status = pod["status"]
    for s in status["containerStatuses"]:
        waiting(s, reason, message)
        s.update(lastState={}, restartCount=0)
        for field in ("allocatedResources", "resources"):
            s.pop(field, None)
    status["phase"] = "Pending"
    not_ready(pod, since, [s["name"] for s in status["containerStatuses"]])
    set_condition(pod, "PodReadyToStartContainers", sandbox, since)
    if not sandbox and not pod["spec"].get("hostNetwork"):
        for field in ("podIP", "podIPs"):
            status.pop(field, None)
    world.wrote_status(pod, "kubelet", since + timedelta(seconds=2))
    world.drop_events(pod, ("Started", "Created", "Pulled"))


def _missing_key(pod: Obj) -> str:
    """The kubelet's message about the first key that the pod's environment takes from a Secret."""
    for ref in secret_keys(pod):
        where = f"{pod['metadata']['namespace']}/{ref['name']}"
        return f"couldn't find key {ref['key']} in Secret {where}"
    raise ValueError(f"pod {pod['metadata']['name']} takes no key from a Secret; give `message`")


def _volume_of(world: World, pod: Obj) -> str:
    """The name of the first persistent volume that a pod uses; empty without one."""
    for volume in pod["spec"].get("volumes") or []:
        claim = dig(volume, "persistentVolumeClaim", "claimName", default="")
        found = world.get("PersistentVolumeClaim", pod["metadata"]["namespace"], claim)
        if found is not None:
            return str(dig(found, "spec", "volumeName", default=""))
    return ""

"""The status of a healthy pod as a kubelet 1.34 writes it: containers, conditions, addresses."""

from __future__ import annotations

import copy

from drills.api.defaults import container_defaults, qos_class
from drills.api.objects import Obj, dig, digest, internal_ip, new_condition


def image_id(image: str, variant: str = "") -> str:
    """The digest reference that a node reports for an image; `variant` gives another build under
    the same tag."""
    if "@sha256:" in image:
        return image
    repository = image.rsplit(":", 1)[0] if ":" in image.rsplit("/", 1)[-1] else image
    if "/" not in repository:
        repository = f"docker.io/library/{repository}"
    return f"{repository}@sha256:{digest('image', image, variant, size=64)}"


def next_address(node: Obj, taken: dict[str, int]) -> str:
    """The next free pod address of a node's range (10.244.N.2 …); `taken` counts by node and is
    moved on."""
    name, third = node["metadata"]["name"], node["spec"]["podCIDR"].split(".")[2]
    number = taken.get(name, 2)
    taken[name] = number + 1
    return f"10.244.{third}.{number}"


def pod_condition(
    kind: str, value: bool | str, at: str, reason: str = "", message: str = ""
) -> Obj:
    """A condition of a pod; `at` is RFC 3339."""
    more = {"lastProbeTime": None, "observedGeneration": 1}
    return new_condition(kind, value, at, reason, message, **more)


def running_status(
    pod: Obj, node: Obj | None, taken: dict[str, int], begun: str, ready: str
) -> Obj:
    """The status of a Running, Ready pod whose containers began at `begun` and were ready at
    `ready` (RFC 3339). `taken` are the addresses given so far."""
    created, spec = pod["metadata"]["creationTimestamp"], pod["spec"]
    host = internal_ip(node, "10.99.1.1")
    ip = host if spec.get("hostNetwork") or node is None else next_address(node, taken)
    init = spec.get("initContainers") or []
    return {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [
            pod_condition("PodReadyToStartContainers", True, begun),
            pod_condition("Initialized", True, created),
            pod_condition("Ready", True, ready),
            pod_condition("ContainersReady", True, ready),
            pod_condition("PodScheduled", True, created),
        ],
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": created,
        "containerStatuses": [running_container(pod, c, begun) for c in spec["containers"]],
        "qosClass": qos_class(spec),
        **(
            {"initContainerStatuses": [_finished_init(pod, c, created, begun) for c in init]}
            if init
            else {}
        ),
    }


def container_id(pod: Obj, name: str, start: int) -> str:
    meta = pod["metadata"]
    code = digest("container", meta["namespace"], meta["name"], name, start, size=64)
    return f"containerd://{code}"


def running_container(pod: Obj, container: Obj, begun: str) -> Obj:
    """The status of a container that runs for the first time."""
    out: Obj = {
        "name": container["name"],
        "state": {"running": {"startedAt": begun}},
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": container["image"],
        "imageID": image_id(container["image"]),
        "containerID": container_id(pod, container["name"], 0),
        "started": True,
    }
    resources = container.get("resources") or {}
    if resources.get("requests"):
        out["allocatedResources"] = dict(resources["requests"])
    if resources:
        out["resources"] = copy.deepcopy(resources)
    return out


def waiting(status: Obj, reason: str, message: str = "") -> None:
    """Make a container's status that of a container that has not started."""
    state = {"reason": reason, **({"message": message} if message else {})}
    status.update(state={"waiting": state}, ready=False, started=False, imageID="")
    status.pop("containerID", None)


def terminated(begun: str, ended: str, code: int = 0, reason: str = "Completed") -> Obj:
    """A terminated state; times are RFC 3339."""
    return {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": ended}


def complete(pod: Obj, ended: str) -> None:
    """Make a running pod Succeeded, all containers with exit code 0."""
    status = pod["status"]
    status["phase"] = "Succeeded"
    for c in status["conditions"]:
        if c["type"] in {"Ready", "ContainersReady", "PodReadyToStartContainers"}:
            c.update(status="False", lastTransitionTime=ended)
        if c["type"] in {"Ready", "ContainersReady", "Initialized"}:
            c["reason"] = "PodCompleted"
    for s in status["containerStatuses"]:
        end = terminated(dig(s, "state", "running", "startedAt", default=ended), ended)
        end["containerID"] = s.get("containerID", "")
        s.update(ready=False, started=False, state={"terminated": end})


def _finished_init(pod: Obj, container: Obj, created: str, begun: str) -> Obj:
    container_defaults(container)
    out = running_container(pod, container, created)
    end = {**terminated(created, begun), "containerID": out["containerID"]}
    return {**out, "started": False, "state": {"terminated": end}}

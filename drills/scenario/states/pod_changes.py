"""Shared parts of the states of failing pods: times, conditions, ended containers."""

from __future__ import annotations

from datetime import datetime, timedelta

from drills.api.objects import Obj, condition, created_at, rfc3339, stable_fraction
from drills.pods.pod_status import pod_condition
from drills.scenario.world import Data, World


def since_of(world: World, pod: Obj, data: Data) -> datetime:
    """When the state began; with `spread` each pod has another second."""
    since = world.ago(data.get("since", "5m"))
    if spread := data.get("spread"):
        span = abs((world.ago(spread) - world.now).total_seconds())
        since += timedelta(seconds=span * stable_fraction("spread", pod["metadata"]["name"]))
    return max(since, created_at(pod))


def set_condition(
    pod: Obj, kind: str, value: bool, at: datetime, reason: str = "", message: str = ""
) -> None:
    new, found = pod_condition(kind, value, rfc3339(at), reason, message), condition(pod, kind)
    if found is None:
        pod["status"]["conditions"].append(new)
        return
    for word in ("reason", "message"):
        found.pop(word, None)
    found.update(new)


def not_ready(pod: Obj, at: datetime, names: list[str]) -> None:
    message = f"containers with unready status: [{' '.join(names)}]"
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, False, at, "ContainersNotReady", message)


def chosen_containers(pod: Obj, data: Data) -> list[Obj]:
    """The status of the container of the state: `container`, or the first."""
    wanted = data.get("container")
    return [s for s in pod["status"]["containerStatuses"] if wanted in {None, s["name"]}][:1]


def retries(world: World, since: datetime, data: Data) -> tuple[datetime, datetime, int]:
    """(first, last, count) of something that the kubelet tries again about once a minute."""
    last = world.now - timedelta(seconds=20)
    count = int(data.get("count", max(2, int((last - since).total_seconds() // 60))))
    return since + timedelta(seconds=1), max(last, since), count

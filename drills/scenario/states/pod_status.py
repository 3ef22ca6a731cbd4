"""What the shapes of failing pods are written with: conditions, ended containers, who wrote the
status and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drills.api.objects import Obj, parse_time, rfc3339, stable_fraction
from drills.api.world import World, Writer
from drills.pods.running import container_id


def since_of(world: World, pod: Obj, data: dict[str, Any]) -> datetime:
    since = world.ago(data.get("since", "5m"))
    if spread := data.get("spread"):  # neighbours do not fail in the same second
        span = abs((world.ago(spread) - world.now).total_seconds())
        since += timedelta(seconds=span * stable_fraction("spread", pod["metadata"]["name"]))
    return max(since, parse_time(pod["metadata"]["creationTimestamp"]))


def kubelet_wrote(world: World, pod: Obj, at: datetime, manager: str = "kubelet") -> None:
    key = world.key(pod)
    kept = [w for w in world.writers.get(key, []) if w.subresource != "status"]
    world.writers[key] = [*kept, Writer(manager, at, ("status",), "status")]


def set_condition(
    pod: Obj, kind: str, value: bool, at: datetime, reason: str = "", message: str = ""
) -> None:
    found = next((c for c in pod["status"]["conditions"] if c["type"] == kind), None)
    if found is None:
        found = {"type": kind, "lastProbeTime": None, "observedGeneration": 1}
        pod["status"]["conditions"].append(found)
    found.update(status="True" if value else "False", lastTransitionTime=rfc3339(at))
    for word, text in (("reason", reason), ("message", message)):
        if text:
            found[word] = text
        else:
            found.pop(word, None)


def not_ready(pod: Obj, at: datetime, names: list[str]) -> None:
    message = f"containers with unready status: [{' '.join(names)}]"
    for kind in ("Ready", "ContainersReady"):
        set_condition(pod, kind, False, at, "ContainersNotReady", message)


def chosen_containers(pod: Obj, data: dict[str, Any]) -> list[Obj]:
    wanted = data.get("container")
    return [s for s in pod["status"]["containerStatuses"] if wanted in {None, s["name"]}][:1]


def terminated(
    pod: Obj,
    status: Obj,
    *,
    code: int,
    reason: str,
    begun: datetime,
    ended: datetime,
    message: str = "",
) -> Obj:
    return {
        "exitCode": code,
        "reason": reason,
        "startedAt": rfc3339(begun),
        "finishedAt": rfc3339(ended),
        **({"message": message} if message else {}),
        "containerID": container_id(pod, status["name"], max(0, int(status["restartCount"]) - 1)),
    }


def retries(world: World, since: datetime, data: dict[str, Any]) -> tuple[datetime, datetime, int]:
    last = world.now - timedelta(seconds=float(data.get("lastAgo", 20)))
    count = int(data.get("count", max(2, int((last - since).total_seconds() // 60))))
    return since + timedelta(seconds=1), max(last, since), count

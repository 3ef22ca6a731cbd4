"""The states of controllers by name."""

from __future__ import annotations

from collections.abc import Callable

from drills.api.objects import Obj, new_condition, rfc3339
from drills.scenario.events import filled_in
from drills.scenario.world import Data, World


def create_failed(world: World, owner: Obj, data: Data) -> None:
    """The API server refuses new pods: `message` as it says so, pods (0): how many there are."""
    since, meta = world.ago(data.get("since", "10m")), owner["metadata"]
    message = filled_in(str(data["message"]), owner)
    pods = world.select("Pod", {"owner": f"{owner['kind']}/{meta['name']}"})
    for pod in pods[int(data.get("pods", 0)) :]:
        world.drop_events(pod)
        world.remove(pod)
    if owner["kind"] == "ReplicaSet":
        failure = new_condition("ReplicaFailure", True, rfc3339(since), "FailedCreate", message)
        owner["status"].setdefault("conditions", []).append(failure)
    last, count = world.ago(data.get("last", "40s")), int(data.get("count", 16))
    world.warn(owner, "FailedCreate", f"Error creating: {message}", since, last, count)


STATES: dict[str, Callable[[World, Obj, Data], None]] = {"createFailed": create_failed}


def set_workload_state(world: World, owner: Obj, data: Data) -> None:
    """data: state and its fields. Raises ValueError for an unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"workload state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, owner, data)

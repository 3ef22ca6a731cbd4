"""The states of pods by name, as kubelet, scheduler and node controller write them."""

from __future__ import annotations

from collections.abc import Callable

from drills.api.objects import Obj
from drills.scenario.states.pods_leaving import failed, lost, reborn, replaced, terminating
from drills.scenario.states.pods_running import (
    crash_loop,
    ended,
    oom_killed,
    probe_blips,
    ready,
    restarted,
    unready,
)
from drills.scenario.states.pods_waiting import (
    config_error,
    creating,
    image_pull,
    initialising,
    pending,
    unscheduled,
)
from drills.scenario.world import Data, World

STATES: dict[str, Callable[[World, Obj, Data], None]] = {
    "crashLoop": crash_loop,
    "restarted": restarted,
    "oomKilled": oom_killed,
    "configError": config_error,
    "imagePull": image_pull,
    "creating": creating,
    "pending": pending,
    "unscheduled": unscheduled,
    "initialising": initialising,
    "ended": ended,
    "unready": unready,
    "ready": ready,
    "probeBlips": probe_blips,
    "terminating": terminating,
    "lost": lost,
    "failed": failed,
    "replaced": replaced,
    "reborn": reborn,
}


def set_pod_state(world: World, pod: Obj, data: Data) -> None:
    """data: state, since, and the fields of the state (see each function). Raises ValueError for an
    unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"pod state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, pod, data)
    pod["metadata"].pop("managedFields", None)

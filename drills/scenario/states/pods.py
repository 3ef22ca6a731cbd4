"""The shapes that pods take when something is wrong, as kubelet, scheduler and node controller
write them, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drills.api.objects import Obj
from drills.api.world import World
from drills.scenario.states.pods_leaving import failed, lost, reborn, replaced, terminating
from drills.scenario.states.pods_running import (
    crash_loop,
    healthy,
    oom_killed,
    probe_blips,
    restarted,
    unready,
)
from drills.scenario.states.pods_waiting import config_error, creating, image_pull, pending

Maker = Callable[[World, Obj, dict[str, Any]], None]


def set_pod_state(world: World, pod: Obj, data: dict[str, Any]) -> None:
    """data: state, since, and what the state takes (see each function). Raises ValueError for an
    unknown state."""
    state = str(data["state"])
    if state not in STATES:
        raise ValueError(f"pod state {state!r} is not one of {', '.join(sorted(STATES))}")
    STATES[state](world, pod, data)
    world.touch(pod)
    pod["metadata"].pop("managedFields", None)


STATES: dict[str, Maker] = {
    "crashLoop": crash_loop,
    "restarted": restarted,
    "oomKilled": oom_killed,
    "configError": config_error,
    "imagePull": image_pull,
    "creating": creating,
    "pending": pending,
    "unready": unready,
    "probeBlips": probe_blips,
    "terminating": terminating,
    "lost": lost,
    "failed": failed,
    "replaced": replaced,
    "reborn": reborn,
    "healthy": healthy,
}

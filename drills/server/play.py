"""The timed script of a drill: sections of a scenario that apply while it is served."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from drills.api.objects import Obj, dig, holds, parse_duration
from drills.controllers.workloads import Workloads
from drills.pods.kubelet import Kubelets
from drills.pods.selection import matches
from drills.scenario.expand import add_all, finish, finish_adding, go_wrong, surround
from drills.scenario.model import load_background
from drills.scenario.renaming import Renamer
from drills.scenario.world import Key, World
from drills.server.state import ServerState


async def play(state: ServerState, script: list[dict[str, Any]]) -> None:
    """Each step: `after` (since the call) and the sections to apply; `clearFaults` takes the
    faults away first; `startWaiting` names nodes on which pods start that could not; `background`
    is a healthy cluster whose objects are back, as from a backup."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for step in sorted(script, key=lambda s: parse_duration(s["after"])):
        due = begun + parse_duration(step["after"]).total_seconds() / state.speed
        await asyncio.sleep(max(0.0, due - loop.time()))
        apply_step(state, step)


async def heal(state: ServerState, row: dict[str, Any]) -> None:
    """Play the steps `then` when a ready pod matches the selection `when`: what recovers by itself
    in a cluster once its cause is away."""
    want = Renamer(state.world.renames).data(row["when"])
    while not any(
        matches(pod, want, state.zone_of) and holds(pod, "Ready") for pod in state.store.of("Pod")
    ):
        await state.context.wait(1.0)
    await play(state, row["then"])


def apply_step(state: ServerState, step: dict[str, Any]) -> None:
    """Apply one step to the current state. Raises ValueError or KeyError when it does not fit."""
    renamer = Renamer(state.world.renames)
    step = renamer.data(step)
    world, before = _present(state)
    if "background" in step:
        healthy = renamer.data(world.timed(load_background(step["background"])))
        add_all(world, healthy)
        surround(world, healthy)
    add_all(world, step)
    finish_adding(world)
    go_wrong(world, step)
    finish(world)
    for key, obj in world.objects.items():
        if before.get(key) != obj:
            state.store.save(copy.deepcopy(obj))
    for kind, namespace, name in before.keys() - world.objects.keys():
        state.store.remove(state.kinds.named(kind), namespace, name)
    on = {
        node["metadata"]["name"]
        for name in step.get("startWaiting", [])
        for node in world.select("Node", {"name": name})
    }
    workloads = Workloads(state.context, Kubelets(state.context))
    for pod in state.store.of("Pod"):
        if dig(pod, "spec", "nodeName") in on and _waits(pod):
            state.context.spawn(workloads.start_waiting(pod))
    if step.get("clearFaults"):
        state.faults.clear()
    for row in step.get("faults", []):
        state.faults.add_mapping(row)
    for word, act in (
        ("freeze", state.faults.freeze),
        ("thaw", state.faults.thaw),
        ("cut", state.streams.cut),
        ("expire", state.expire_watches),
    ):
        if step.get(word):
            act()


def _waits(pod: Obj) -> bool:
    """Whether a pod that nothing deletes has not started."""
    ends = "deletionTimestamp" in pod["metadata"]
    return not ends and dig(pod, "status", "phase") == "Pending"


def _present(state: ServerState) -> tuple[World, dict[Key, Obj]]:
    """(a copy of the stored objects as a world, with the served world's surroundings and addresses;
    the stored objects)."""
    stored: dict[Key, Obj] = {}
    old = state.world
    world = World(
        now=state.clock(),
        seed=old.seed,
        surroundings=old.surroundings,
        pullable=old.pullable,
        next_ip=old.next_ip,
        removed=old.removed,
    )
    for kind in state.kinds:
        for entry in state.store.entries(kind):
            stored[world.key(entry.obj)] = entry.obj
            world.record_present(copy.deepcopy(entry.obj))
    return world, stored

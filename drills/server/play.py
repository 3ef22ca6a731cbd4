"""The timed script of a drill: sections of a scenario that take effect while it is served."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

from drills.api.objects import Obj, parse_duration
from drills.api.world import World
from drills.scenario.expand import add_all, finish, finish_adding, go_wrong
from drills.scenario.renaming import Renamer

if TYPE_CHECKING:
    from drills.server.drill_server import DrillServer


async def play(server: DrillServer, script: list[dict[str, Any]]) -> None:
    """Each step: `after` (since the start) and the sections to apply; `clearFaults` takes the
    faults away first."""
    begun = asyncio.get_running_loop().time()
    for step in sorted(script, key=lambda s: parse_duration(s["after"])):
        due = begun + parse_duration(step["after"]).total_seconds() / max(server.speed, 0.001)
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        apply_step(server, step)


def apply_step(server: DrillServer, step: dict[str, Any]) -> None:
    """One step on the present state. Raises ValueError or KeyError when the step does not fit
    it."""
    step = Renamer(server.world.renames).data(step)
    world = present(server)
    before = {key: copy.deepcopy(obj) for key, obj in world.objects.items()}
    add_all(world, step)
    finish_adding(world, before.keys())
    go_wrong(world, step)
    finish(world)
    kinds = {k.kind: k for k in server.kinds if k.group != "events.k8s.io"}
    for key, obj in world.objects.items():
        if before.get(key) != obj:
            server.store.put(kinds[key[0]], copy.deepcopy(obj))
    for key in before.keys() - world.objects.keys():
        server.store.remove(kinds[key[0]], key[1], key[2])
    if step.get("clearFaults"):
        server.faults.clear()
    for row in step.get("faults", []):
        server.faults.add_mapping(row)
    if step.get("freeze"):
        server.faults.freeze()
    if step.get("thaw"):
        server.faults.thaw()
    if step.get("cut"):
        server.cut_streams()
    if step.get("expire"):
        server.expire_watches()


def present(server: DrillServer) -> World:
    """The stored objects as a world of their own, with the served world's surroundings and
    addresses."""
    old = server.world
    world = World(
        now=server.clock(),
        seed=old.seed,
        surroundings=old.surroundings,
        pullable=old.pullable,
        next_ip=old.next_ip,
    )
    for kind in server.kinds:
        if kind.group == "events.k8s.io":
            continue
        for entry in server.store.entries(kind):
            obj: Obj = copy.deepcopy(entry.obj)
            key = world.key(obj)
            world.objects[key] = obj
            world.by_kind.setdefault(key[0], {})[key] = obj
            world.recorded[key] = obj["metadata"].get("managedFields", [])
    return world

"""The ground that the stand-ins for Kubernetes' own programs share: the store, the clock, tasks,
and how they record events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from random import Random
from typing import Any

from drills.api.kinds import Kind, KindTable
from drills.api.objects import Obj, condition, dig
from drills.api.store import Store
from drills.api.world import World
from drills.controllers.events import add_event

_LOG = logging.getLogger("drills")


class Backstage:
    """`world` gives addresses and whether images can be pulled; `speed` shortens delays; `now`
    returns an aware datetime."""

    def __init__(
        self,
        store: Store,
        kinds: KindTable,
        world: World,
        now: Callable[[], datetime],
        random: Random,
        speed: float,
    ) -> None:
        self.store, self.kinds, self.world, self.now, self.random = store, kinds, world, now, random
        self._speed = max(speed, 0.001)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.dirty = asyncio.Event()

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until the server stops. A failure is said in the log."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error(
                "a stand-in of the embedded cluster failed: %s: %s", type(error).__name__, error
            )

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._speed)

    def mark(self) -> None:
        """Something changed that counts and endpoints depend on. Safe from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.dirty.set)

    def kind(self, api_version: str, kind: str) -> Kind:
        found = self.kinds.by_object(api_version, kind)
        assert found is not None
        return found

    def node_works(self, name: str) -> bool:
        """Whether a kubelet runs there: the node is Ready and has addresses for pods (one that a
        client wrote has none)."""
        entry = self.store.find(self.kind("v1", "Node"), "", name)
        ready = condition(entry.obj, "Ready") if entry else None
        return (
            entry is not None
            and bool(dig(entry.obj, "spec", "podCIDR"))
            and ready is not None
            and ready["status"] == "True"
        )

    def record(
        self,
        obj: Obj,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        component: str = "",
        container: str = "",
        count: int = 1,
    ) -> None:
        """An event about an object, stamped now."""
        scratch = World(now=self.now(), seed=self.random.getrandbits(30))
        event = add_event(
            scratch,
            obj,
            reason,
            message,
            kind="Warning" if warning else "Normal",
            first=self.now(),
            component=component,
            container=container,
            count=count,
        )
        if event is not None:
            scratch.seal(event)
            self.store.put(self.kind("v1", "Event"), event)

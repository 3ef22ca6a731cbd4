"""What the stand-ins for Kubernetes' own programs share: the store, the clock, background tasks,
and how they record events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import datetime
from random import Random
from typing import Any

from drills.api.objects import ALPHANUMERIC, Obj, dig, holds
from drills.api.store import Store
from drills.controllers.events import new_event

_LOG = logging.getLogger("drills")


class ControllerContext:
    """`speed` shortens delays; `now` returns an aware datetime. `pullable`: new images can be
    pulled; `next_ip`: the next host number of each node's pod range."""

    def __init__(
        self, store: Store, now: Callable[[], datetime], random: Random, speed: float
    ) -> None:
        self.store, self.now, self.random = store, now, random
        self.speed = max(speed, 0.001)
        self.pullable = True
        self.next_ip: dict[str, int] = {}
        self.dirty = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until the server stops. A failure is logged."""
        assert self._loop is not None
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("background work failed: %s: %s", type(error).__name__, error)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    def mark(self) -> None:
        """Something changed that counts and endpoints depend on. Safe from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.dirty.set)

    def suffix(self, size: int = 5) -> str:
        """The random tail of a generated name."""
        return "".join(self.random.choices(ALPHANUMERIC, k=size))

    def node_works(self, name: str) -> bool:
        """Whether a kubelet runs there: the node is Ready and has addresses for pods (one that a
        client wrote has none)."""
        node = self.store.lookup("Node", "", name)
        return bool(dig(node, "spec", "podCIDR")) and holds(node, "Ready")

    def record(
        self,
        obj: Obj,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        component: str = "",
        container: str = "",
    ) -> None:
        """An event about an object, stamped now."""
        self.store.save(
            new_event(
                obj,
                reason,
                message,
                self.now(),
                seed=self.random.getrandbits(30),
                kind="Warning" if warning else "Normal",
                component=component,
                container=container,
            )
        )

"""Keeps the state of a cluster still while somebody reads it in several stages: what comes in
meanwhile waits, in its order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType

from cluster.kube.objects import Object
from cluster.live.freshness import State
from cluster.live.sink import Sink
from cluster.live.store import Key

SLICE = 0.001
"""Seconds for which what has waited may hold the loop at once."""


class Hold:
    """`async with hold:` nothing is written to the store. One at a time."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Callable[[], None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """Do it now, or when the state may change again."""
        if self._held:
            self._waiting.append(work)
        else:
            work()

    async def __aenter__(self) -> None:
        self._held = True

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """What has waited is done in slices, and what comes in between behind it. A cut does the
        rest at once: nothing is lost."""
        stop = time.monotonic() + SLICE
        try:
            while self._waiting:
                self._waiting.popleft()()
                if time.monotonic() >= stop:
                    await asyncio.sleep(0)
                    stop = time.monotonic() + SLICE
        finally:
            # nothing comes in between any more, and nothing that fails may leave the state held for
            # ever
            self._held = False
            while self._waiting:
                self._waiting.popleft()()


class HeldSink:
    """Hands on to `sink` what changes the state as `hold` allows it; signs of life at once."""

    def __init__(self, sink: Sink, hold: Hold) -> None:
        self._sink, self._hold = sink, hold

    def listing(self) -> None:
        self._hold.do(self._sink.listing)

    def objects(self, objects: list[Object], remaining: int | None) -> None:
        self._hold.do(partial(self._sink.objects, objects, remaining))

    def listed(self) -> None:
        self._hold.do(self._sink.listed)

    def updates(self, upserts: list[Object], deletes: list[Key]) -> None:
        self._hold.do(partial(self._sink.updates, upserts, deletes))

    def beat(self) -> None:
        self._sink.beat()

    def connected(self) -> None:
        self._hold.do(self._sink.connected)

    def faulty(self, number: int) -> None:
        self._sink.faulty(number)

    def trouble(self, state: State, reason: str) -> None:
        self._hold.do(partial(self._sink.trouble, state, reason))

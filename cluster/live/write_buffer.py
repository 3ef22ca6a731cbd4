"""Buffers store updates while a report reads the store in several steps, so that one report shows
one moment."""

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
"""Seconds of buffered updates that are applied before the event loop runs other tasks."""


class WriteBuffer:
    """Within `async with buffer:` nothing is written to the store. Not reentrant."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Callable[[], None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """Run `work` now, or in its turn when the buffer is released."""
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
        """Apply buffered updates in slices, later ones behind them. When cancelled, apply the rest
        at once, so that none is lost."""
        stop = time.monotonic() + SLICE
        try:
            while self._waiting:
                self._waiting.popleft()()
                if time.monotonic() >= stop:
                    await asyncio.sleep(0)
                    stop = time.monotonic() + SLICE
        finally:
            # an update that raises must not leave the buffer held
            self._held = False
            while self._waiting:
                self._waiting.popleft()()


class BufferedSink:
    """Passes changes to `sink` through a buffer; signs of life at once."""

    def __init__(self, sink: Sink, hold: WriteBuffer) -> None:
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

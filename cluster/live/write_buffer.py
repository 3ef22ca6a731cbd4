"""Buffers store updates while a report reads the store in several steps, so that one report shows
one moment."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

SLICE = 0.001
"""Seconds of buffered updates that are applied before the event loop runs other tasks."""
LIMIT = 100
"""Buffered updates beyond which readers wait, each of at most 150 objects: a flood must not fill
the memory while a report is made."""


class WriteBuffer:
    """Within `async with buffer:` nothing is written to the store. Not reentrant."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Callable[[], None]] = deque()
        self._released = asyncio.Event()
        self._released.set()

    def do(self, work: Callable[[], None]) -> None:
        """Run `work` now, or in order when the buffer is released."""
        if self._held:
            self._waiting.append(work)
        else:
            work()

    async def room(self) -> None:
        """Wait until fewer than `LIMIT` updates are buffered, which a reader awaits before it
        decodes more."""
        while len(self._waiting) >= LIMIT:
            await self._released.wait()

    async def __aenter__(self) -> None:
        self._held = True
        self._released.clear()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Apply buffered updates in slices, in order. When cancelled, apply the rest at once."""
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
            self._released.set()
            while self._waiting:
                self._waiting.popleft()()

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


class WriteBuffer:
    """Within `async with buffer:` nothing is written to the store. Not reentrant."""

    def __init__(self) -> None:
        self._held = False
        self._waiting: deque[Callable[[], None]] = deque()

    def do(self, work: Callable[[], None]) -> None:
        """Run `work` now, or in order when the buffer is released."""
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
            while self._waiting:
                self._waiting.popleft()()

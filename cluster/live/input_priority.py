"""Pauses background work for 12 ms after a key press, so that the repaint runs first, and runs the
slices of all watches and lists one after the other.

A key press passes through half a dozen tasks of the event loop before it is drawn, and would wait
for one slice of background work of each watch at each of them: under a flood of forty kinds that
were 5 s.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

MOMENT = 0.012
"""Seconds of pause after a key press: twice the time of a repaint. Background work gets as long
between two pauses, however many keys come."""


class InputPriority:
    """The screens call `ask`; background work awaits the instance or `turn` before each slice."""

    def __init__(self) -> None:
        self._asked = self._until = -math.inf
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def ask(self) -> None:
        """A key was pressed: pause background work."""
        self._asked = now = time.monotonic()
        if now - self._until >= MOMENT:
            self._until = now + MOMENT

    def quiet(self) -> float:
        """Seconds since the last key press."""
        return time.monotonic() - self._asked

    async def __call__(self) -> None:
        """Returns when the pause is over; at once most of the time."""
        if (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def turn(self) -> None:
        """Waits as calling the instance does. One of the waiting tasks runs in each pass of the
        event loop, in the order of their calls."""
        if self._taken:
            await self._queue()
        self._taken = True
        try:
            await self()
        finally:
            asyncio.get_running_loop().call_soon(self._next)

    async def _queue(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():  # its turn had come
                self._next()
            raise

    def _next(self) -> None:
        """Give the turn to the next task; to any, when none waits."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken = False

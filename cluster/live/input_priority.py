"""Pauses background work for 12 ms after a key press, so that the repaint runs first.

A key press passes through half a dozen tasks of the event loop before it is drawn, and would wait
for one slice of background work at each of them.
"""

from __future__ import annotations

import asyncio
import math
import time

MOMENT = 0.012
"""Seconds of pause after a key press: twice the time of a repaint. Background work gets as long
between two pauses, however many keys come."""


class InputPriority:
    """The screens call `ask`; background work awaits the instance between two slices."""

    def __init__(self) -> None:
        self._asked = self._until = -math.inf

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

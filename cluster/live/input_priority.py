"""Who reads and counts gives way to who waits for an answer to a key.

A key goes through half a dozen tasks of the loop before it is drawn, and would wait for a part of
everybody's work at each of them.
"""

from __future__ import annotations

import asyncio
import math
import time

MOMENT = 0.012
"""Seconds that a key is given: what it takes to draw it, twice over. In between as long belongs to
the others, however many keys come."""


class GiveWay:
    """Asked for by the screens; awaited between any two pieces of work that can wait."""

    def __init__(self) -> None:
        self._asked = self._until = -math.inf

    def ask(self) -> None:
        """A key was pressed: let it through."""
        self._asked = now = time.monotonic()
        if now - self._until >= MOMENT:
            self._until = now + MOMENT

    def quiet(self) -> float:
        """Seconds since a key was pressed."""
        return time.monotonic() - self._asked

    async def __call__(self) -> None:
        """Returns when nobody has to be let through; at once most of the time."""
        if (left := self._until - time.monotonic()) > 0:
            await asyncio.sleep(left)

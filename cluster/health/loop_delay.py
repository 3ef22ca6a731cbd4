"""Measures by how much the event loop of this program runs late.

On a busy workstation, or after a suspension, an answer waits to be read, and a time limit ends
before it is: the server must not be blamed for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

TURN = 0.1
"""Seconds between two measurements."""


class LoopDelay:
    """Adds up the delay of timers between `begin` and `end`, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock = clock
        self._before = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.end()
        self._before = 0.0
        self._wait()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def seconds(self) -> float:
        """The delay since `begin`, with that of the timer that is due now."""
        late = self._clock() - self._due if self._timer is not None else 0.0
        return self._before + max(0.0, late)

    def _wait(self) -> None:
        self._due = self._clock() + TURN
        self._timer = asyncio.get_running_loop().call_later(TURN, self._turn)

    def _turn(self) -> None:
        self._before = self.seconds
        self._wait()

"""How the interpreter runs: garbage collection, threads, frames, the end of the process. Each
setting stands with the figure for which it is there."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator
from typing import NoReturn

from incident.cadence import Cadence

READING = (200_000, 20, 50)
"""Thresholds of the collector until everything has been read: nearly all that is made stays, and
looking through it takes an eighth of the time of a first reading."""
READ = (700, 10, 1_000_000)
"""The same afterwards: Python's own for young objects; `GcPolicy` alone collects the oldest."""
YOUNG = 10
"""Collections of the middle generation after which a full one is due, as by Python's own rule."""
SWITCH_INTERVAL = 0.001
"""Seconds after which a busy thread gives way (Python: 0.005). Keys are read on one thread and
written on another, and each may wait that long."""
FRAMES = "120"
"""Frames a second at most (Textual: 60): a key right behind a frame waits for the next one or two,
so 8 to 16 ms instead of 16 to 33."""


def for_screens() -> None:
    """Before Textual is imported, which reads its frame rate once."""
    os.environ.setdefault("TEXTUAL_FPS", FRAMES)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*READING)


@contextlib.contextmanager
def for_one_answer() -> Iterator[None]:
    """Without garbage collection: nearly all that is made stays until the end, and looking through
    it takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def end(code: int) -> NoReturn:
    """End the process without taking its objects apart (0.15 s for ten thousand pods, a tenth of a
    triage). Streams must have been flushed."""
    os._exit(code)


class GcPolicy:
    """Full collections of a process with screens: 20 to 30 ms each, for which a key would wait."""

    def __init__(self, cadence: Cadence) -> None:
        self._cadence = cadence
        self._settled = False
        self._last = 0.0

    def settle(self) -> None:
        """After the first full reading: leave what is there out of later collections. It is not
        collected now either: of a hundred thousand objects two thousand would be freed, and keys
        would wait 0.1 s."""
        gc.freeze()
        gc.set_threshold(*READ)
        self._settled, self._last = True, time.monotonic()

    def collect(self, quiet: float) -> None:
        """Collect everything if it is time for that; `quiet`: seconds since the last key."""
        since, cadence = time.monotonic() - self._last, self._cadence
        if (
            self._settled
            and gc.get_count()[2] >= YOUNG
            and (since >= cadence.gc_latest or (since >= cadence.gc and quiet >= cadence.gc_quiet))
        ):
            gc.collect()
            self._last = time.monotonic()

"""Garbage collection of a process with screens. What other settings of the interpreter bring
stands in docs/performance.md: less than a tenth, so there are none."""

from __future__ import annotations

import gc
import time

from incident.cadence import Cadence

THRESHOLDS = (700, 10, 1_000_000)
"""Of the garbage collector: Python's own for young objects. `GcPolicy` alone collects the oldest,
because a key waits for that."""
YOUNG = 10
"""Collections of the middle generation after which a full one is due, as in Python."""


def for_screens() -> None:
    """Set the collector for a process with screens."""
    gc.set_threshold(*THRESHOLDS)


class GcPolicy:
    """Full garbage collections of a process with screens. One takes 20 to 30 ms at 10,000 pods, and
    a key would wait for it."""

    def __init__(self, cadence: Cadence) -> None:
        self._cadence = cadence
        self._last = time.monotonic()

    def settle(self) -> None:
        """After the first full reading: leave its objects out of later collections. Nothing is
        collected now: of 100,000 objects 2,000 would be freed, and keys would wait 0.1 s."""
        gc.freeze()
        self._last = time.monotonic()

    def collect(self, quiet: float) -> None:
        """Collect everything if it is due; `quiet`: seconds since the last key."""
        since, cadence = time.monotonic() - self._last, self._cadence
        if gc.get_count()[2] >= YOUNG and (
            since >= cadence.gc_latest or (since >= cadence.gc and quiet >= cadence.gc_quiet)
        ):
            gc.collect()
            self._last = time.monotonic()

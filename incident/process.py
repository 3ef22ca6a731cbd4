"""How the interpreter runs the screens: garbage collection, threads and frames. Each setting stands
with its figure; what brought less than a tenth was removed (docs/performance.md)."""

from __future__ import annotations

import gc
import os
import sys
import time

from incident.cadence import Cadence

THRESHOLDS = (700, 10, 1_000_000)
"""Of the garbage collector: Python's own for young objects. `GcPolicy` alone collects the oldest,
because a key waits for that."""
YOUNG = 10
"""Collections of the middle generation after which a full one is due, as in Python."""
SWITCH_INTERVAL = 0.001
"""Seconds after which a busy thread gives way (Python: 0.005). Keys are read on one thread and
written on another, and each may wait that long."""
FRAMES = "120"
"""Frames a second at most (Textual: 60): a key right behind a frame waits for the next one or two,
so 8 to 16 ms instead of 16 to 33."""


def for_screens() -> None:
    """Call before Textual is imported: it reads its frame rate once."""
    os.environ.setdefault("TEXTUAL_FPS", FRAMES)
    sys.setswitchinterval(SWITCH_INTERVAL)
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

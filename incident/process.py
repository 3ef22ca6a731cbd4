"""How the interpreter runs the screens: garbage collection, threads and frames.

Together the settings of `for_screens` lower the 99th percentile from key to echo by a quarter to a
half: 54 to 40 ms under 5,000 changes a second, 58 to 33 ms in the table of pods, 41 to 20 ms on a
quiet cluster (10,000 pods; docs/performance.md).
"""

from __future__ import annotations

import gc
import os
import sys
import time

from incident.cadence import Cadence

FRAMES = "120"
"""Most frames a second (Textual: 60): a key right after a frame waits for the next one or two."""
SWITCH_INTERVAL = 0.001
"""Seconds after which a busy thread yields (Python: 0.005). Textual reads keys on one thread and
writes on another, and each may wait that long."""
STARTING = (500_000, 200, 50)
"""Thresholds of the garbage collector until the first view: modules stay."""
READING = (20_000, 200, 50)
"""The same during the first reading: nearly all its objects stay. A collection of 20,000 young
objects takes 10 ms of CPU, one of 200,000 held a key for 100 ms."""
THRESHOLDS = (700, 10, 1_000_000)
"""The same afterwards: Python's own for young objects. `GcPolicy` alone collects the oldest,
because a key waits for that."""
YOUNG = 10
"""Collections of the middle generation after which a full one is due, as in Python."""


def for_screens() -> None:
    """Set frames, threads and collector for a process with screens. Call it before Textual is
    imported, because Textual reads the frames then."""
    os.environ.setdefault("TEXTUAL_FPS", FRAMES)
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(*STARTING)


class GcPolicy:
    """Full garbage collections of a process with screens. One takes 20 to 30 ms at 10,000 pods, and
    a key would wait for it."""

    def __init__(self, cadence: Cadence) -> None:
        self._cadence = cadence
        self._last = time.monotonic()
        self._starting = True

    def settle(self) -> None:
        """After the first full reading, leave its objects out of later collections.

        Collects nothing now: of 100,000 objects 2,000 would be freed, and keys would wait 0.1 s.
        """
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self._starting = False
        self._last = time.monotonic()

    def collect(self, quiet: float) -> None:
        """Run a full collection if it is due. `quiet`: seconds since the last key. The first call
        leaves modules out of all collections."""
        if self._starting:
            self._starting = False
            gc.freeze()
            gc.set_threshold(*READING)
        since, cadence = time.monotonic() - self._last, self._cadence
        if gc.get_count()[2] >= YOUNG and (
            since >= cadence.gc_latest or (since >= cadence.gc and quiet >= cadence.gc_quiet)
        ):
            gc.collect()
            self._last = time.monotonic()

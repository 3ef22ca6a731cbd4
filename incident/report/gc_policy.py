"""When the garbage collector looks at everything: 20 to 30 ms, for which a key would wait."""

from __future__ import annotations

import gc
import time

THRESHOLDS = (700, 10, 1_000_000)
"""Python's own for what is young; the oldest generation is looked at by `Garbage.collect` alone."""
EVERY, AT_LAST = 20.0, 90.0
"""Seconds between two looks at everything while nobody types, and in any case."""
YOUNG = 10
"""Looks at what is younger that must have been made since, as by Python's own rule: where little is
made, there is little to free."""
QUIET = 1.0
"""Seconds without a key after which nobody types."""


class Garbage:
    """The collector of one process, from when everything has been read."""

    def __init__(self) -> None:
        self._settled = False
        self._last = 0.0

    def settle(self) -> None:
        """After the first full reading most objects stay: the collector need not look at them
        again.

        It does not look at them now either: of a hundred thousand it would find two thousand to
        free, and keys would wait 0.1 s.
        """
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self._settled, self._last = True, time.monotonic()

    def collect(self, quiet: float) -> None:
        """Look at everything if it is time for that; `quiet`: seconds since the last key."""
        since = time.monotonic() - self._last
        if (
            self._settled
            and gc.get_count()[2] >= YOUNG
            and (since >= AT_LAST or (since >= EVERY and quiet >= QUIET))
        ):
            gc.collect()
            self._last = time.monotonic()

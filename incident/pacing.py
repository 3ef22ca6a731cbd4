"""When a report is worth making: at once for the first news, then at a small share of the time, and seldom while nothing changes."""

from __future__ import annotations

QUIET = 2.0
"""Seconds between two reports while nothing changes: verdicts that depend on time fall due."""
REPORT_EVERY = 0.3
"""Seconds between two reports at the least."""
WHILE_LOADING = 1.0
"""The same while everything is still being read and something was found already: what was found first stands so long."""
REPORT_SHARE = 0.05
"""At most this share of the time goes into reports: one that took 50 ms is made again after a second at the earliest."""


class Pacing:
    """Decides for one investigation. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._due = 0.0
        self._made = 0.0
        self._waiting = False
        self._loaded = False

    def hurry(self) -> None:
        """Something outside the cluster changed what a report says: make the next one at once."""
        self._due, self._waiting = 0.0, True

    def is_due(self, now: float, *, news: bool, loaded: bool) -> bool:
        """Whether to report now. `news`: something changed; `loaded`: everything has been read by now."""
        if loaded and not self._loaded:
            self._loaded = True
            self.hurry()
        self._waiting = self._waiting or news
        return now >= self._due and (self._waiting or now - self._made >= QUIET)

    def made(self, now: float, took: float, *, found: bool) -> None:
        """A report was made at `now` and took so many seconds; `found`: there is something to show."""
        pause = WHILE_LOADING if found and not self._loaded else REPORT_EVERY
        self._made, self._due, self._waiting = now, now + max(took / REPORT_SHARE, pause), False

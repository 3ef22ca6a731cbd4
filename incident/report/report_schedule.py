"""When a report is worth making: at once for the first news, then at a small share of the time, and
seldom while nothing changes."""

from __future__ import annotations

QUIET = 6.0
"""Seconds between two reports while nothing changes: verdicts that depend on time fall due."""
REPORT_EVERY = 0.3
"""Seconds between two reports at the least."""
WHILE_LOADING = 1.0
"""The same while everything is still being read and something was found already: what was found
first stands so long."""
REPORT_SHARE = 0.02
"""At most this share of the time goes into reports: one that took 20 ms is made again after a
second at the earliest."""
SEARCH_EVERY, SEARCH_SHARE = 0.05, 0.25
"""Both while everything is still being read and nothing was found yet."""
WHOLE_PATIENCE = 2.0
"""Seconds for which a single answer waits for everything to be read before a report is made of what
is there."""


class Pacing:
    """Decides for one investigation. Times are seconds of a monotonic clock. `whole`: nobody looks
    before everything has been read."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self._asked: float | None = None
        self._due = 0.0
        self._made = 0.0
        self._waiting = False
        self._loaded = False

    def hurry(self) -> None:
        """Something outside the cluster changed what a report says: make the next one at once."""
        self._due, self._waiting = 0.0, True

    def is_due(self, now: float, *, news: bool, loaded: bool) -> bool:
        """Whether to report now. `news`: something changed; `loaded`: everything has been read by
        now."""
        if loaded and not self._loaded:
            self._loaded = True
            self.hurry()
        self._waiting = self._waiting or news
        if self._whole and not self._loaded:
            self._asked = now if self._asked is None else self._asked
            if now - self._asked < WHOLE_PATIENCE:
                return False
        return now >= self._due and (self._waiting or now - self._made >= QUIET)

    def made(self, now: float, took: float, *, found: bool) -> None:
        """A report was made at `now` and took so many seconds; `found`: there is something to
        show."""
        if not found and not self._loaded:
            pause = max(took / SEARCH_SHARE, SEARCH_EVERY)
        else:
            pause = max(took / REPORT_SHARE, REPORT_EVERY if self._loaded else WHILE_LOADING)
        self._made, self._due, self._waiting = now, now + pause, False

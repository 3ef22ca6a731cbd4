"""Decides when to report: at once for news while reports take a small share of the time, and seldom
while nothing changes."""

from __future__ import annotations

import math

from incident.cadence import Cadence


class ReportSchedule:
    """The schedule of one investigation. Times are seconds of a monotonic clock. `whole`: a single
    answer, after everything has been read."""

    def __init__(self, cadence: Cadence, *, whole: bool = False) -> None:
        self._cadence = cadence
        self._whole = whole
        self._asked: float | None = None
        self._due = 0.0
        self._made = 0.0
        self._ends = math.inf
        """When the next grace period ends."""
        self._waiting = False
        self._loaded = False
        self._saved = 0.0
        """Seconds of work that reports may take before they must wait for their share."""

    def hurry(self) -> None:
        """Make the next report at once, because something outside the cluster changed its
        result."""
        self._due, self._waiting = 0.0, True

    @property
    def whole(self) -> bool:
        """Whether a report waits until everything has been read."""
        return self._whole

    def answer_now(self) -> None:
        """Report what has been read, although more is to be read."""
        self._whole = False
        self.hurry()

    def is_due(self, now: float, *, news: bool, loaded: bool) -> bool:
        """Whether to report now; the answer True begins a report, which `made` ends. `news`:
        something changed. `loaded`: everything has been read."""
        if loaded and not self._loaded:
            self._loaded = True
            self.hurry()
        self._waiting = self._waiting or news
        if self._whole and not self._loaded:
            if news or self._asked is None:
                self._asked = now
            if now - self._asked < self._cadence.whole:
                return False
        passed, cadence = now - self._made, self._cadence
        ended = now >= self._ends and passed >= cadence.report_due
        idle = ended or passed >= cadence.report_idle
        if now < self._due or not (self._waiting or idle):
            return False
        self._waiting = False  # From here on: what asks for a report during this one.
        return True

    def left(self, now: float) -> float:
        """Seconds until the report that news wait for is due; infinite when none is."""
        return self._due - now if self._waiting and self._due > now else math.inf

    def made(self, now: float, took: float, *, found: bool, ends: float = math.inf) -> None:
        """Note that a report was made at `now` and took `took` seconds. `found`: there is something
        to show. `ends`: seconds until the next grace period ends."""
        cadence = self._cadence
        if not found and not self._loaded:
            pause = max(took / cadence.search_share, cadence.search)
        else:
            least = cadence.report if self._loaded else cadence.report_loading
            earned = (now - self._made) * cadence.report_share if self._made else 0.0
            self._saved = min(self._saved + earned, cadence.report_saved) - took
            pause = max(-self._saved / cadence.report_share, least)
            if pause > cadence.report_longest:
                pause, self._saved = cadence.report_longest, 0.0
        self._made, self._ends = now, now + ends
        if not self._waiting:  # What this report could not hold yet is not put off.
            self._due = now + pause

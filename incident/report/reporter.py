"""The look at the cluster behind a picture: changes taken, findings settled, and a report when one
is worth making."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from cluster.live.freshness import State
from cluster.live.input_priority import GiveWay
from incident.report.report_schedule import Pacing
from incident.view import SymptomView, View, nothing_readable
from triage.facts.cooperative import Cooperative
from triage.facts.significance import significant

if TYPE_CHECKING:
    from cluster.live.live_cluster import LiveCluster
    from cluster.live.store import Change, Store
    from incident.components import Parts
    from triage.engine import Triage
    from triage.facts.finding import Report

T = TypeVar("T")

SLICE = 0.001
"""Seconds for which triage may hold the loop at once: a key goes through half a dozen tasks before
it is drawn, and waits for each."""
FIRST = 0.01
"""The same before anything was found: somebody is looking at an empty screen."""
PART = 25
"""Changes that are taken at once, in about that time."""
PAUSE = 0.001
"""Seconds between two such parts while somebody looks on: a key gets through several tasks in
it."""


class Look:
    """What was found so far. `once`: nobody looks before everything has been read."""

    def __init__(self, clock: Callable[[], datetime], way: GiveWay, *, once: bool = False) -> None:
        self.report: Report | None = None
        self.symptoms: tuple[SymptomView, ...] = ()
        self.ranked = False
        self.begun = asyncio.Event()
        """Set when the first objects have come, or none can be read."""
        self.found = asyncio.Event()
        """Set when there is a symptom to show, or everything has been read and there is none."""
        self._clock, self._way = clock, way
        self._once = once
        self._slice, self._part, self._pause = (
            (math.inf, sys.maxsize, 0.0) if once else (SLICE, PART, PAUSE)
        )
        self._pacing = Pacing(whole=once)
        self._worked = 0.0
        """Seconds of work in the report that is being made."""

    def hurry(self) -> None:
        """Something outside the cluster changed what a report says: make the next one at once."""
        self._pacing.hurry()

    async def take(
        self, parts: Parts, live: LiveCluster, drain: Callable[[], Sequence[Change]]
    ) -> None:
        """Take the changes that `drain` gives, and report when that is due."""
        began = time.monotonic()
        changes = drain()
        await self._update(parts.engine, changes, live.store)
        if changes or live.loaded():
            self.begun.set()
        # For a single answer the runbooks belong to the whole: a report without them would only be
        # made again.
        whole = live.loaded() and (not self._once or parts.ranking is not None)
        if not self._heard(live) or not self._pacing.is_due(
            began, news=any(map(significant, changes)), loaded=whole
        ):
            return
        engine, store = parts.engine, live.store
        self._worked = 0.0
        await self._through(engine.settle(self._clock(), store, live.freshness()))
        async with live.hold:
            # What came meanwhile stands in the store already: a report that knew only the half of
            # it would miss owners that are there.
            await self._update(engine, drain(), store)
            now, loaded = self._clock(), live.loaded()
            report = await self._through(
                engine.reporting(now, store, live.freshness(), parts.measured())
            )
        ranked = parts.ranking is not None
        symptoms = await self._through(parts.rank(report))
        self.report, self.symptoms, self.ranked = report, symptoms, ranked
        if symptoms or loaded:
            self.found.set()
        if loaded and ranked:
            # Before that, what is missing may only not have been read yet: nothing of it belongs
            # into the record.
            for draft in parts.observer.observe(report, symptoms, now):
                parts.record.append(draft)
        self._pacing.made(began, self._worked, found=self.found.is_set())

    def _heard(self, live: LiveCluster) -> bool:
        """Whether there is anything to report on yet."""
        kinds = live.freshness().values()
        return (
            self.report is not None
            or any(kind.heard is not None or kind.count for kind in kinds)
            or nothing_readable(kinds)
        )

    async def _update(self, engine: Triage, changes: Sequence[Change], store: Store) -> None:
        for start in range(0, len(changes), self._part):
            engine.update(changes[start : start + self._part], store)
            await self._pass()

    async def _through(self, stages: Cooperative[T]) -> T:
        """Go through the stages in slices, so that a key never waits for a flood of changes or for
        a report; returns what was made."""
        while True:
            began = now = time.monotonic()
            limit = self._slice if self.found.is_set() else max(self._slice, FIRST)
            try:
                while now - began < limit:
                    next(stages)
                    now = time.monotonic()
            except StopIteration as end:
                made: T = end.value
                return made
            finally:
                self._worked += time.monotonic() - began
            await self._pass()

    async def _pass(self) -> None:
        """Let others have their turn."""
        await asyncio.sleep(self._pause)
        await self._way()


def differs(view: View, shown: View) -> bool:
    """Whether something besides times and counts of what is read is other than in the picture that
    is shown."""
    return (
        any(new is not old for new, old in zip(view.symptoms, shown.symptoms, strict=False))
        or len(view.symptoms) != len(shown.symptoms)
        or (view.report is None) != (shown.report is None)
        or (view.api.reach, view.api.reason, view.api.hops)
        != (shown.api.reach, shown.api.reason, shown.api.hops)
        or [kind.state for kind in view.kinds] != [kind.state for kind in shown.kinds]
        or any(kind.state is State.LOADING for kind in view.kinds)
        or (view.record, view.activities, view.problem, view.ranked)
        != (shown.record, shown.activities, shown.problem, shown.ranked)
    )

"""Takes changes of the cluster, updates findings and makes a report when one is due, in slices so
that keys do not wait."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from cluster.live.freshness import WatchState
from cluster.live.input_priority import InputPriority
from incident.cadence import Cadence
from incident.report.report_schedule import ReportSchedule
from incident.view import SymptomView, View, nothing_readable
from triage.facts.cooperative import Cooperative
from triage.facts.significance import significant

if TYPE_CHECKING:
    from cluster.live.live_cluster import LiveCluster
    from cluster.live.store import Store, StoreUpdate
    from triage.engine import Triage
    from triage.facts.finding import Report
    from triage.facts.measurements import Sources

T = TypeVar("T")


class ReporterInputs(Protocol):
    """What the reporter needs from the other components."""

    @property
    def engine(self) -> Triage: ...

    @property
    def ranks(self) -> bool:
        """Whether the runbooks have been read, so that symptoms are ranked."""
        ...

    def measured(self) -> Sources | None:
        """Measurements beside the objects, None when there are none."""
        ...

    def limited(self, report: Report) -> Report:
        """The report, with the missing namespaces of the options added."""
        ...

    def rank(self, report: Report) -> Cooperative[tuple[SymptomView, ...]]:
        """The symptoms of a report with their runbooks."""
        ...

    def observed(
        self, report: Report, symptoms: Sequence[SymptomView], now: datetime
    ) -> Cooperative[None]:
        """Record what is new in a report."""
        ...


class Reporter:
    """Makes reports and holds the last one. `once`: a single answer, after everything has been
    read."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        input_priority: InputPriority,
        cadence: Cadence,
        *,
        once: bool = False,
    ) -> None:
        self.report: Report | None = None
        self.symptoms: tuple[SymptomView, ...] = ()
        self.ranked = False
        self.begun = asyncio.Event()
        """Set when the first objects have arrived, or none can be read."""
        self.found = asyncio.Event()
        """Set when there is a symptom to show, or everything has been read and there is none."""
        self.whole = asyncio.Event()
        """Set when a report was made after everything has been read."""
        self._clock, self._input_priority = clock, input_priority
        self._cadence = cadence
        self._once = once
        self._schedule = ReportSchedule(cadence, whole=once)
        self._worked = 0.0
        """Seconds of CPU of the current report: on a busy machine it takes longer, and reports must
        not become rarer for that."""
        self._states: list[tuple[WatchState, str]] = []
        """The state of each kind in the last report, and why."""

    def hurry(self) -> None:
        """Make the next report at once, because something outside the cluster changed its
        result."""
        self._schedule.hurry()

    def answer_now(self) -> None:
        """For a single answer: report what has been read, although more is to be read."""
        self._schedule.answer_now()

    def left(self) -> float:
        """Seconds until the report that news wait for is due; infinite when none is."""
        return self._schedule.left(time.monotonic())

    async def take(
        self,
        workings: ReporterInputs,
        live: LiveCluster,
        drain: Callable[[], Iterable[Sequence[StoreUpdate]]],
    ) -> None:
        """Take the changes that `drain` returns in pieces, and report when a report is due."""
        began = time.monotonic()
        if self.report is not None and workings.ranks and not (self.ranked or live.loaded()):
            # The runbooks are here; the next report comes when more has been read.
            self.symptoms = await self._through(workings.rank(self.report))
            self.ranked = True
        news = False
        for changes in drain():
            news = news or any(map(significant, changes))
            await self._update(workings.engine, changes, live.store)
            self.begun.set()
        if live.loaded():
            self.begun.set()
        # A single answer needs the runbooks: a report without them would be made again.
        whole = live.loaded() and (not self._once or workings.ranks)
        states = [(kind.state, kind.reason) for kind in live.freshness().values()]
        turned = self.report is not None and states != self._states
        news = news or turned
        if not self._heard(live) or not self._schedule.is_due(began, news=news, loaded=whole):
            return
        engine, store = workings.engine, live.store
        self._worked = 0.0
        await self._through(engine.settle(self._clock(), store, live.freshness()))
        async with live.write_buffer:
            # Changes that arrived meanwhile are in the store already. A report without them would
            # miss owners that are there.
            for changes in drain():
                await self._update(engine, changes, store)
            now, loaded = self._clock(), live.loaded()
            report = await self._through(
                engine.reporting(now, store, live.freshness(), workings.measured())
            )
        report, ranked = workings.limited(report), workings.ranks
        symptoms = await self._through(workings.rank(report))
        self.report, self.symptoms, self.ranked = report, symptoms, ranked
        if symptoms or loaded:
            self.found.set()
        if loaded:
            self.whole.set()
        if loaded and ranked and not self._once:
            # Until everything has been read, a missing object may just not have been read yet; none
            # of that is recorded. A single answer is recorded as it is given, whole or not.
            await self._through(workings.observed(report, symptoms, now))
        # Pauses begin where the report ends: one of many symptoms on a busy machine takes longer.
        self._states = states
        end = engine.next_end()
        ends = (end - self._clock()).total_seconds() if end is not None else math.inf
        made, found = time.monotonic(), self.found.is_set()
        self._schedule.made(made, self._worked, found=found, ends=ends)

    def _heard(self, live: LiveCluster) -> bool:
        """Whether there is anything to report: objects, or the reason why nothing can be read."""
        kinds = live.freshness().values()
        return (
            self.report is not None
            or any(kind.heard is not None or kind.count for kind in kinds)
            or nothing_readable(kinds)
            or (not self._schedule.whole and bool(kinds) and all(kind.reason for kind in kinds))
        )

    async def _update(self, engine: Triage, changes: Sequence[StoreUpdate], store: Store) -> None:
        batch, began = self._cadence.batch, time.monotonic()
        for start in range(0, len(changes), batch):
            engine.update(changes[start : start + batch], store)
            if time.monotonic() - began >= self._slice():
                await self._pass()
                began = time.monotonic()
        await self._pass()

    async def _through(self, stages: Cooperative[T]) -> T:
        """Run a generator in slices, so that a key never waits for a flood of changes or for a
        report. Returns its result."""
        while True:
            began, used = time.monotonic(), time.thread_time()
            now, limit = began, self._slice()
            try:
                while now - began < limit:
                    next(stages)
                    now = time.monotonic()
            except StopIteration as end:
                made: T = end.value
                return made
            finally:
                self._worked += time.thread_time() - used
            await self._pass()

    def _slice(self) -> float:
        """Longest time in seconds until other tasks run. While lists are read, these tasks work
        ten times as long as a slice of triage, and the first finding would wait for them."""
        cadence = self._cadence
        if not self.found.is_set():
            return max(cadence.slice, cadence.search_slice)
        quiet = self._input_priority.quiet() >= cadence.gc_quiet
        return max(cadence.slice, cadence.quiet_slice) if quiet else cadence.slice

    async def _pass(self) -> None:
        """Let other tasks run."""
        await asyncio.sleep(self._cadence.pause)
        await self._input_priority()


def differs(view: View, shown: View) -> bool:
    """Whether a view differs from the one that is shown in more than times and counters of
    reading."""
    return (
        any(new is not old for new, old in zip(view.symptoms, shown.symptoms, strict=False))
        or len(view.symptoms) != len(shown.symptoms)
        or (view.report is None) != (shown.report is None)
        or (view.api.reach, view.api.reason, view.api.hops)
        != (shown.api.reach, shown.api.reason, shown.api.hops)
        or [kind.state for kind in view.kinds] != [kind.state for kind in shown.kinds]
        or any(kind.state is WatchState.LOADING for kind in view.kinds)
        or (view.record, view.activities, view.problem, view.ranked)
        != (shown.record, shown.activities, shown.problem, shown.ranked)
        or view.settled != shown.settled
    )

"""Incremental triage: evaluates the objects that changed or are due, and reports one moment.

Cost: `update` grows with the changes, `settle` with the objects that changed (or belong to what
changed) or whose grace period ended, `report` with the findings. None walks over the whole cluster.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from cluster.kube.kinds import KINDS
from cluster.kube.objects import Event, Object, Ref
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store, StoreUpdate
from triage.changes.change_log import ChangeIndex
from triage.changes.from_findings import with_findings
from triage.detectors import registry
from triage.detectors.registry import CLUSTER_DETECTORS, OBJECT_DETECTORS
from triage.detectors.verdicts import (
    detected,
    run_detectors,
    touch_findings,
    with_same,
    without_odd_since,
)
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative, run
from triage.facts.events import EventMemory, times_of
from triage.facts.finding import ChangeFact, Finding, Report
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import Sources
from triage.facts.odd_objects import (
    OUT_OF_RANGE,
    Fence,
    OddObjects,
    odd_time,
    reason,
    without_odd_times,
)
from triage.facts.population import OWNER_KINDS, Population
from triage.facts.reads.results import COUNTS, FRESHNESS, POPULATION, SOURCES, Reads
from triage.facts.significance import significant
from triage.facts.windows import CHANGES
from triage.gaps import REQUIRED, gaps_of
from triage.marks import Marks
from triage.reevaluation import Reevaluation
from triage.symptoms.grouping import FOUND, Grouping
from triage.symptoms.history import SymptomHistory
from triage.symptoms.related_changes import touch_changes

registry.load()

Clock = Callable[[], datetime]
GATHERED = 1_000
"""References that are marked or sorted before other tasks run: about a millisecond."""
_TRACKED = (
    "Pod",
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "ReplicaSet",
    "Service",
    "Secret",
    "ConfigMap",
    "Namespace",
    "Job",
)


class Triage:
    """Findings of a live store. `clock` gives the time (aware, UTC) at which changes are seen."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.events = EventMemory()
        self.population = Population()
        self.changes = ChangeIndex()
        self._found: dict[Ref, tuple[Finding, ...]] = {}
        self._due: list[tuple[datetime, int, Ref]] = []
        self._due_at: dict[Ref, datetime] = {}
        self._marks = Marks(self._found, self._due_at, self.events)
        self._dirty = self._marks.dirty
        self._order = itertools.count()
        self._ends: datetime | None = None
        """When a grace period of the last report's findings about several objects ends."""
        self._counts: deque[tuple[datetime, dict[str, int]]] = deque(maxlen=240)
        self._reevaluation = Reevaluation(OBJECT_DETECTORS)
        self._odd_objects = OddObjects()
        self._history = SymptomHistory()
        self._reads = Reads()
        self.events.touched = self._reads.touch_event
        self._grouping = Grouping(self.population, self._reads)
        self._changed: tuple[ChangeFact, ...] = ()
        """The changes of the last report."""
        self._read: tuple[object, Sources] = ((), Sources())
        """The states of the kinds and what was measured, as the last report saw them."""

    # -- taking changes

    def update(self, changes: Iterable[StoreUpdate], store: Store) -> None:
        """Take the changes of the store in their order; the store already contains them."""
        now = self._clock()
        self._marks.begin()
        for change in changes:
            self._take(change, store, now)

    def _take(self, change: StoreUpdate, store: Store, now: datetime) -> None:
        kind, ref = change.kind, change.ref
        if kind == "Event":
            self._take_event(change, store, now)
            return
        if not significant(change):
            if kind == "Lease":
                self._reads.touch_row(change)
            return
        self._reads.touch_row(change)
        self.population.apply(change)
        if kind == "Pod" or kind in OWNER_KINDS:
            self._reads.touch(POPULATION)
        if change.new is None:
            self._odd_objects.discard(ref)
        if kind != "Pod":
            try:
                self.changes.apply(change, store, now)
            except Exception as error:  # An odd object costs only its own changes.
                self._odd_objects.add(ref, reason(error))
        self._marks.take(change, store)

    def _take_event(self, change: StoreUpdate, store: Store, now: datetime) -> None:
        event = change.new
        if not isinstance(event, Event):
            self._odd_objects.discard(change.ref)
            return
        kept = event
        if any(odd_time(at, now) for at in times_of(event)):
            kept, odd = without_odd_times(event, now)
            if odd:
                self._odd_objects.add(change.ref, OUT_OF_RANGE)
        about = self.events.see(kept)
        if about is not None:
            self._marks.touch_about(about, store)

    # -- evaluating

    def _evaluate(self, ref: Ref, view: ClusterView) -> None:
        """Evaluate one object."""
        self._dirty.discard(ref)
        row = view.store.get(*ref)
        old = self._found.get(ref, ())
        if row is None:
            if old:
                del self._found[ref]
                touch_findings(old, (), self._reads)
            self._marks.unwatch(ref, old)
            self._due_at.pop(ref, None)
            return
        if ref.kind == "Pod" and self._marks.is_plain(ref):
            self._due_at.pop(ref, None)
            return
        found = with_same(old, self._detect(ref, row, view))
        if found or old:
            touch_findings(old, found, self._reads)
            self._marks.unwatch(ref, old)
            if found:
                self._found[ref] = found
                self._marks.watch(ref, found)
            else:
                del self._found[ref]
        if view.due is not None:
            if self._due_at.get(ref) != view.due:
                self._due_at[ref] = view.due
                heapq.heappush(self._due, (view.due, next(self._order), ref))
        else:
            self._due_at.pop(ref, None)

    def _detect(self, ref: Ref, row: Object, view: ClusterView) -> tuple[Finding, ...]:
        """The findings of one object. An object with impossible times is evaluated again without
        them; what still fails is left out, and named. A node is not named for the times of its
        pods: they cost nothing of it."""
        found, failed, odd_times = run_detectors(ref, row, view)
        if failed or odd_times:
            row, odd = without_odd_times(row, view.now)
            found, failed, _ = run_detectors(ref, row, view)
            found = tuple(without_odd_since(f, view.now) for f in found)
            if odd or failed:
                self._odd_objects.add(ref, OUT_OF_RANGE if odd else failed)
                return found
        if self._odd_objects:
            self._odd_objects.discard(ref)
        return found

    def _gather(self, view: ClusterView) -> Cooperative[None]:
        """Mark objects that are due, and those that a rollout or newly read kinds may concern."""
        while self._marks.rollouts:
            # A rollout's changes depend on its siblings, which may have arrived after it.
            self._refresh_rollouts(self._marks.rollouts.pop(), view)
            yield
        while self._due and self._due[0][0] <= view.now:
            at, _, ref = heapq.heappop(self._due)
            if self._due_at.get(ref) == at:
                del self._due_at[ref]
                self._dirty.add(ref)
        while self._marks.renamed:
            kind, namespace = self._marks.renamed.pop()
            self._dirty.update(Ref(kind, *key) for key in view.store.in_namespace(kind, namespace))
            yield
        number = 0
        for number, ref in enumerate(self._reevaluation.everything(view.freshness, view.store), 1):
            self._dirty.add(ref)
            if number % GATHERED == 0:
                yield
        if number:
            self._dirty.update(ref for ref in self._found if ref.kind == "Pod")
            self._dirty.update(self._marks.odd)
        self._dirty.update(self._reevaluation.some(view.store, view.now))

    def _refresh_rollouts(self, owner: Ref, view: ClusterView) -> None:
        row = view.store.get(*owner)
        if row is None:
            return
        for (kind, key), child in list(view.store.owned_by(row.metadata.uid).items()):
            if kind in ("ReplicaSet", "ControllerRevision"):
                self.changes.apply(StoreUpdate(kind, key, None, child), view.store, view.now)

    def settle(
        self, now: datetime, store: Store, freshness: Mapping[str, Freshness]
    ) -> Cooperative[None]:
        """Evaluate changed objects ahead of the next report. The store may change between the
        steps."""
        view = ClusterView(store, self.events, now, freshness, self._marks.slices)
        yield from self._gather(view)
        yield from self._evaluate_marked(view)

    def _evaluate_marked(self, view: ClusterView) -> Cooperative[None]:
        """Evaluate what is marked, in the order of references, until nothing is left."""
        while self._dirty:
            marked, runs = iter(tuple(self._dirty)), list[list[Ref]]()
            while some := sorted(itertools.islice(marked, GATHERED)):
                runs.append(some)
                yield
            for number, ref in enumerate(heapq.merge(*runs)):
                if ref in self._dirty:
                    self._evaluate(ref, view)
                if number % 8 == 0:
                    yield

    # -- reporting

    def next_end(self) -> datetime | None:
        """When the next grace period ends: until then an unchanged cluster has the same verdicts.
        None when none is running."""
        while self._due and self._due_at.get(self._due[0][2]) != self._due[0][0]:
            heapq.heappop(self._due)
        ends = (self._due[0][0] if self._due else None, self._ends)
        return min((end for end in ends if end is not None), default=None)

    def report(
        self,
        now: datetime,
        store: Store,
        freshness: Mapping[str, Freshness],
        extra: Sources | None = None,
    ) -> Report:
        """What is wrong at `now` (aware, UTC): findings grouped into symptoms, what they share,
        what changed, what could not be seen.

        Deterministic: the same store, events and time give the same report.
        """
        return run(self.reporting(now, store, freshness, extra))

    def reporting(
        self,
        now: datetime,
        store: Store,
        freshness: Mapping[str, Freshness],
        extra: Sources | None = None,
    ) -> Cooperative[Report]:
        """As `report`, in steps. Neither the store nor the engine may take a change between them: a
        report shows one moment."""
        alone = ClusterView(store, self.events, now, freshness, self._marks.slices)
        yield from self._gather(alone)
        yield from self._evaluate_marked(alone)
        self.events.forget_before(now)
        yield
        self._touch_read(freshness, extra or Sources())
        reads, counts = self._reads, tuple(self._counts)
        view = ClusterView(
            store, self.events, now, freshness, self._marks.slices, extra, counts, reads
        )
        index = FindingIndex(self.population, reads)
        for number, finding in enumerate(itertools.chain(*self._found.values()), 1):
            index.add(finding)
            if number % FOUND == 0:
                yield
        yield
        failed: dict[str, str] = {}
        fence = Fence(failed)
        ends: datetime | None = None
        for detect in CLUSTER_DETECTORS:
            with fence(detect.__name__.replace("_", " ")):
                findings, end = detected(detect, view, index, reads)
                for finding in findings:
                    index.add(finding)
                ends = min((each for each in (ends, end) if each is not None), default=None)
            yield
        view.begin()
        if ends is not None:
            view.wake(ends)
        self._remember_counts(view)
        yield
        changes: tuple[ChangeFact, ...] = ()
        with fence("changes"):
            changes = tuple(self.changes.all(now, CHANGES, self.events))
            changes = tuple(with_findings(changes, view, index, now - CHANGES))
        touch_changes(self._changed, changes, reads)
        self._changed = changes
        yield
        grouped = yield from self._grouping.group(view, index, changes, failed)
        reads.tidy()
        self._ends = view.due
        gaps = (*gaps_of(freshness, extra), *self._odd_objects.gaps(failed))
        complete = not any(g.what in REQUIRED for g in gaps)
        grouped, recovered = yield from self._history.follow(grouped, now, complete)
        yield
        return Report(
            as_of=now,
            complete=complete,
            unavailable=gaps,
            symptoms=grouped,
            findings=tuple(
                sorted(index.all(), key=lambda f: (f.severity.rank, f.since or now, f.id))
            ),
            changes=changes,
            recovered=recovered,
        )

    def _touch_read(self, freshness: Mapping[str, Freshness], extra: Sources) -> None:
        """Touch the states of the kinds and what was measured, where they differ from those of the
        last report."""
        states = tuple(
            (
                kind,
                each.state,
                each.reason,
                each.complete(),
                each.heard if each.state is not WatchState.LIVE else None,
            )
            for kind, each in freshness.items()
        )
        before, measured = self._read
        if states != before:
            self._reads.touch(FRESHNESS)
        if any(getattr(extra, name) is not getattr(measured, name) for name in _MEASURED):
            self._reads.touch(SOURCES)
        self._read = states, extra

    def _remember_counts(self, view: ClusterView) -> None:
        """Keep the number of objects of each completely read kind: every 15 s, for one hour."""
        if self._counts and view.now - self._counts[-1][0] < timedelta(seconds=15):
            return
        counts = {kind: view.store.count(kind) for kind in _TRACKED if view.readable(kind)}
        self._counts.append((view.now, counts))
        self._reads.touch(COUNTS)


_MEASURED = tuple(name for name in Sources.__struct_fields__ if name != "gaps")


def triage_once(
    store: Store, now: datetime, freshness: Mapping[str, Freshness], extra: Sources | None = None
) -> Report:
    """The report of a store as it stands at `now`, without a history."""
    engine = Triage(lambda: now)
    names = [kind.name for kind in KINDS]
    engine.update(
        (
            StoreUpdate(kind, key, None, row)
            for kind in sorted(names, key=lambda n: (n == "Pod", n))
            for key, row in store.rows(kind).items()
        ),
        store,
    )
    return engine.report(now, store, freshness, extra)

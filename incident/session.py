"""One live investigation: connects, reports, steps through runbooks, probes, acts, and records all
of it.

Heavy modules (httpx, SQLite, RapidFuzz) are imported in `start`, after the first paint.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cluster.errors import ClusterError
from cluster.health.reach import Reach
from cluster.kube.objects import Ref
from cluster.live.input_priority import InputPriority
from cluster.live.store import Store, StoreUpdate
from incident.activities import Activities
from incident.cadence import Cadence
from incident.config import ConfigError
from incident.options import Options
from incident.process import GcPolicy
from incident.report.reporter import Reporter, differs
from incident.view import ApiView, Connection, RecordView, View
from timeline.summary import ClusterId
from triage.facts.significance import significant

if TYPE_CHECKING:
    from actions.plan import ActionPlan, ActionResult
    from cluster.connect.access import Access
    from cluster.live.freshness import Freshness
    from cluster.live.live_cluster import LiveCluster
    from incident.components import Components
    from incident.offers import Offer
    from incident.offline.elsewhere import ContextChoice, Incident
    from incident.other_kinds import OtherKind, OtherObject, ServerTable
    from incident.pod_logs import LogQuery, LogRow
    from incident.walkthrough.walkthrough import Walkthrough
    from probes.context import Progress
    from probes.pods.sweep import SweepReport
    from probes.result import ProbePlan, ProbeResult
    from runbooks.match import Match
    from runbooks.model import Runbook
    from timeline.entry import Entry
    from triage.facts.finding import Report
    from triage.facts.measurements import NodeUsage

DRAINED = 1_000
"""Changes that are taken from the live state at once: less than a millisecond. A flood of every
kind leaves as many as there are objects."""


class LiveInvestigation:
    """Implements `incident.api.Investigation` on a real (or embedded) cluster."""

    def __init__(
        self,
        options: Options,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        cadence: Cadence | None = None,
    ) -> None:
        self.options = options
        cadence = cadence or Cadence()
        self.cadence = cadence.single() if options.once else cadence
        self._local_clock = clock
        self._began = clock()
        self._listeners: list[Callable[[View], None]] = []
        self._row_listeners: list[Callable[[Sequence[StoreUpdate]], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._components: Components | None = None
        self._live: LiveCluster | None = None
        self._empty_store = Store()
        self._wake = asyncio.Event()
        self._asked = False
        self._input_priority = InputPriority()
        self._gc = GcPolicy(self.cadence)
        self._reporter = Reporter(
            self._clock, self._input_priority, self.cadence, once=options.once
        )
        self._retry = asyncio.Event()
        self._changing_incident = asyncio.Lock()
        self._stopping = False
        self._version = 0
        self._problem = ""
        self._access: Access | None = None
        self._activities = Activities(clock, self._ask)
        self._logged: Report | None = None
        """The last report whose logs were requested."""
        self._reading = False
        self._view = self._compose()

    def _clock(self) -> datetime:
        return self._components.clock() if self._components is not None else self._local_clock()

    # -- views

    @property
    def view(self) -> View:
        return self._view

    @property
    def store(self) -> Store:
        return self._live.store if self._live is not None else self._empty_store

    def subscribe(self, listener: Callable[[View], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def watch_changes(
        self, listener: Callable[[Sequence[StoreUpdate]], None]
    ) -> Callable[[], None]:
        self._row_listeners.append(listener)
        return lambda: (
            self._row_listeners.remove(listener) if listener in self._row_listeners else None
        )

    # -- life

    async def start(self) -> None:
        """Open the record and begin to connect. Returns as soon as notes can be taken."""
        from incident.components import Components

        self._components = Components(
            self.options,
            self._local_clock,
            lambda: self._reporter.symptoms,
            self._activities.under_way,
            self.cadence,
        )
        loop = asyncio.get_running_loop()
        self._components.record.on_change = partial(_from_thread, loop, self._ask)
        if self.options.idle:
            self._problem = "No cluster is chosen yet."
        else:
            self._spawn(self._connect(), "connect")
        self._spawn(self._keep_view(), "view")
        self._spawn(self._keep_runbooks(), "runbooks")

    async def stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        components = self._components
        try:
            if components is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.cadence.stop):
                        await components.close()
        finally:
            if self._live is not None:
                self._live.stop()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._live is not None:
                await self._live.api.aclose()
            if components is not None:
                await asyncio.to_thread(components.record.close)

    async def contexts(self) -> Sequence[ContextChoice]:
        from incident.offline.elsewhere import contexts

        return await asyncio.to_thread(contexts, self.options)

    async def incidents(self) -> Sequence[Incident]:
        from incident.offline.elsewhere import incidents

        return await asyncio.to_thread(incidents, self.options)

    def another(self, context: str, incident: str) -> LiveInvestigation:
        here = self._access.context if self._access is not None else self.options.context
        options = replace(
            self.options,
            context=context,
            incident=incident,
            namespaces=self.options.namespaces if context == here else (),
            write=False,
            record=True,
            idle=False,
        )
        return LiveInvestigation(options, clock=self._local_clock, cadence=self.cadence)

    def retry_now(self) -> None:
        self._retry.set()
        if self._live is not None:
            self._live.retry_now()
        self._ask()

    async def answer_now(self, limit: float) -> None:
        """Wait for a report of what has been read by now, with its runbooks, at most `limit`
        seconds."""
        before, made = self._reporter.report, asyncio.Event()

        def look(view: View) -> None:
            if view.report is not before and view.ranked:
                made.set()

        stop = self.subscribe(look)
        self._reporter.answer_now()
        self._ask()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await made.wait()
        stop()

    def give_way(self) -> None:
        self._input_priority.ask()

    # -- runbooks

    def match_words(self, text: str) -> Sequence[Match]:
        components = self._components
        if components is not None and components.ranking is None and self.options.once:
            components.load_runbooks()  # without a cluster the answer is due before a first find
        return (
            components.matcher.match(text, self._reporter.report)
            if components is not None and components.ranking is not None
            else ()
        )

    def runbooks(self) -> Sequence[Runbook]:
        return self._components.library.runbooks if self._components is not None else ()

    @property
    def walkthrough(self) -> Walkthrough:
        return self._ready().walkthrough

    # -- probes and actions

    async def plan_probe(self, name: str, arguments: Mapping[str, str]) -> ProbePlan:
        return await self._ready().probes().plan(name, arguments)

    async def run_probe(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        return await self._ready().probes().run(plan, progress)

    async def sweep(self) -> SweepReport:
        """Remove now what earlier runs of this program left in the cluster."""
        return await self._ready().probes().sweep_all()

    async def plan_action(self, name: str, arguments: Mapping[str, str]) -> ActionPlan:
        return await self._ready().actions().plan(name, arguments)

    async def run_action(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        """`progress` gets a line for each object; `stopped` is called before each."""
        return await self._ready().actions().run(plan, typed, progress, stopped)

    def offers(self, ref: Ref) -> Sequence[Offer]:
        from incident.offers import offers

        return (*offers(self.store, ref), *self.undoable(ref))

    def undoable(self, ref: Ref | None = None) -> Sequence[Offer]:
        """The recorded changes that can be undone, newest first; with `ref` those that
        touched it."""
        from incident.offers import undo_offers

        record = self._components.record if self._components is not None else None
        return undo_offers(record.by_record(), ref) if record is not None else ()

    def set_write(self, allowed: bool) -> str:
        refused = self._ready().set_write(allowed)
        self._ask()
        return refused

    @property
    def read_only_reason(self) -> str:
        return self._components.fixed if self._components is not None else ""

    # -- objects

    async def other_kinds(self) -> Sequence[OtherKind]:
        return await self._ready().other_kinds.all()

    async def other_rows(self, kind: OtherKind) -> ServerTable:
        return await self._ready().other_kinds.rows(kind, self.options.namespaces)

    async def other_object(self, ref: Ref, kind: OtherKind | None) -> OtherObject:
        return await self._ready().other_kinds.item(ref, kind)

    def node_usage(self, name: str) -> NodeUsage | None:
        sources = self._components.measured() if self._components is not None else None
        nodes = sources.nodes.values if sources is not None and sources.nodes is not None else ()
        return next((usage for usage in nodes if usage.node == name), None)

    async def object_yaml(self, ref: Ref) -> str:
        components = self._ready()
        return await components.details.yaml(ref)

    async def logs(self, query: LogQuery) -> AsyncGenerator[Sequence[LogRow], None]:
        async with contextlib.aclosing(self._ready().pod_logs.read(query)) as groups:
            async for rows in groups:
                yield rows

    # -- record

    def note(self, text: str, about: Sequence[Ref] = (), *, from_yaml: bool = False) -> Entry:
        if self.options.idle:
            raise ValueError("A note needs a record: choose a context or an incident first.")
        return self._ready().note(text, self._clock(), about, from_yaml=from_yaml)

    def redacted(self, text: str) -> str:
        return self._components.record.redact(text) if self._components is not None else text

    def views(self) -> Mapping[str, str]:
        from incident import saved_views

        return saved_views.views(self.options.state)

    def save_view(self, name: str, text: str) -> None:
        from incident import saved_views

        saved_views.save_view(self.options.state, name, text)

    async def brief(self) -> str:
        components = self._ready()
        await components.record.settled()
        return await asyncio.to_thread(components.brief)

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        return await self._ready().record.recorded(entry, again=again)

    async def begin_incident(self) -> None:
        async with self._changing_incident:
            await asyncio.to_thread(self._ready().begin_incident, self._cluster())

    def rename_incident(self, title: str) -> Entry:
        return self._ready().record.edit_incident(text=title)

    def set_severity(self, severity: str) -> Entry:
        return self._ready().record.edit_incident(severity=severity)

    def close_incident(self, reason: str) -> Entry:
        return self._ready().record.change_state("incident-closed", reason)

    def reopen_incident(self, reason: str) -> Entry:
        return self._ready().record.change_state("incident-reopened", reason)

    def revise(self, entry: Entry, action: str, text: str = "") -> Entry:
        return self._ready().record.revise(entry, action, text)

    def conclude_change(self, intent: Entry, seen: str) -> Entry:
        return self._ready().record.conclude_change(intent, seen)

    def unrecorded(self) -> Sequence[Entry]:
        return self._components.record.unrecorded() if self._components is not None else ()

    def entries(self) -> Sequence[Entry]:
        return self._components.record.entries() if self._components is not None else ()

    async def evidence(self, sha256: str) -> str:
        return await asyncio.to_thread(self._ready().record.evidence_text, sha256)

    async def draft(self) -> str:
        components = self._ready()
        await components.record.settled()
        return await asyncio.to_thread(components.draft)

    async def export(self) -> str:
        components = self._ready()
        await components.record.settled(20.0)  # An export is final, so it waits for the disk.
        return await asyncio.to_thread(components.export)

    # -- inside

    def _ready(self) -> Components:
        if self._components is None:
            raise RuntimeError("the investigation has not been started")
        return self._components

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Show on every screen that a task failed; otherwise the screens would look as if it were
        still connecting."""
        self._tasks.discard(task)
        if self._stopping or task.cancelled() or (error := task.exception()) is None:
            return
        self._problem = (
            f"Part {task.get_name()!r} failed ({type(error).__name__}: {error}); start stanch "
            "again; the record is kept."
        )
        self._view = replace(self._view, version=self._view.version + 1, problem=self._problem)
        for listener in list(self._listeners):
            listener(self._view)
        self._ask()

    async def _connect(self) -> None:
        """Read the kubeconfig, again until it succeeds; then watch until the end."""
        components = self._ready()
        while True:
            try:
                self._access = await asyncio.to_thread(components.load_access)
                components.fix_mode(self._access.context)
                break
            except (ClusterError, ConfigError) as error:
                self._problem = str(error)
            await asyncio.to_thread(components.open_record, ClusterId())
            self._ask()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.cadence.reconnect):
                    await self._retry.wait()
            self._retry.clear()
        self._problem = ""
        access = self._access
        self._live = components.watch(
            access,
            self._input_priority,
            on_loaded=_nothing if self.options.once else self._gc.settle,
        )
        self._live.changed = self._wake
        if self.options.once:
            await components.find_absent_namespaces()
        else:
            self._spawn(components.find_absent_namespaces(), "namespaces")
        self._spawn(self._live.run(), "live")
        self._spawn(self._open_record(access), "record")
        self._ask()

    async def _first_find(self) -> None:
        """Return when the first finding is drawn (for a single answer: when the first objects have
        arrived), at the latest after `Cadence.first_find`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.cadence.first_find):
                if self.options.once:
                    await self._reporter.begun.wait()
                else:
                    await self._reporter.found.wait()
                    await asyncio.sleep(self.cadence.drawn)

    async def _open_record(self, access: Access) -> None:
        """Open the record, before everything has been read: runs that it holds go on where they
        stood. After that, remove what an earlier run left in the cluster."""
        components = self._ready()
        await self._first_find()
        cluster = self._cluster()
        live = self._live
        if self.options.record and live is not None and live.health.reach is Reach.REACHABLE:
            # The first entries name the cluster. A note waits no longer than this for the disk.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.cadence.first_find):
                    cluster = replace(cluster, uid=await components.read_cluster_uid())
        await asyncio.to_thread(components.open_record, cluster)
        if not self.options.once and all(kind.heard is None for kind in self._view.kinds):
            await asyncio.to_thread(components.read_picture, access.context)
        self._ask()
        if self.options.record:
            self._spawn(self._keep_record(), "record again")
        if not self.options.once:  # A single answer is given before the first round.
            self._spawn(components.measure(self._reporter.hurry), "measure")
        if self.options.record and self._live is not None:
            await self._live.wait_loaded(self.cadence.loaded)
            await asyncio.to_thread(components.read_earlier)
            await components.sweep_leftovers()

    async def _keep_record(self) -> None:
        """Open a record that could not be opened as soon as its disk takes it, and set the
        cluster's uid in it once that is read."""
        components = self._ready()
        while components.record.journal is None:
            await asyncio.sleep(self.cadence.reopen)
            await asyncio.to_thread(components.open_record, self._cluster())
        while self._live is None or not await self._live.wait_loaded(self.cadence.reopen):
            continue  # a lost server may take hours
        if uid := await components.read_cluster_uid():
            await asyncio.to_thread(components.identify, replace(self._cluster(), uid=uid))

    def _cluster(self) -> ClusterId:
        access = self._access
        if access is None:
            return ClusterId()
        return ClusterId(access.context, access.server, self._ready().cluster_uid())

    async def _keep_runbooks(self) -> None:
        """Read the runbooks after the first finding, and again whenever a file changes."""
        components = self._ready()
        await self._first_find()
        if self.options.once:
            # A thread would compete with decoding for the interpreter, and no key waits here.
            components.load_runbooks()
        else:
            await asyncio.to_thread(components.load_runbooks)
        self._reporter.hurry()
        self._ask()
        if self.options.record:
            # Only for sessions with screens: a single answer is printed before this helps.
            if self._live is not None:
                await self._live.wait_loaded(self.cadence.loaded)
            await asyncio.sleep(self.cadence.warm_up)
            await asyncio.to_thread(components.warm_up)
            self._gc.settle()
        while True:
            await asyncio.sleep(self.cadence.reload)
            if await asyncio.to_thread(components.library.refresh):
                self._ask()

    async def _keep_view(self) -> None:
        """Take changes, report, and send the view to all listeners, until cancelled."""
        shown = 0.0
        while True:
            await self._news()
            began = time.monotonic()
            if self._live is not None:
                await self._reporter.take(
                    self._ready(), self._live, partial(self._drain, self._live)
                )
                self._read_more()
            view = self._compose()
            if self._live is not None:
                for draft in self._ready().observer.reach(view.api):
                    self._ready().record.append(draft)
            calm = view.api.reach is Connection.LIVE and not view.activities
            aged = began - shown >= (self.cadence.calm if calm else self.cadence.tick)
            if aged or differs(view, self._view):
                shown = began
                self._view = view
                for view_listener in list(self._listeners):
                    view_listener(view)
            if not self.options.once:
                self._gc.collect(self._input_priority.quiet())
            await asyncio.sleep(max(0.0, self._least() - (time.monotonic() - began)))

    def _read_more(self) -> None:
        """Begin to read the logs and definitions that the last report asks for, one reading at a
        time."""
        report, live = self._reporter.report, self._live
        if report is None or live is None or report is self._logged or self._reading:
            return
        self._logged = report
        if not (live.loaded() or self.options.once) or live.health.reach is Reach.UNREACHABLE:
            return
        words, definitions = self._ready().readers
        readings: list[Coroutine[Any, Any, bool]] = []
        if sources := words.unread(report):
            readings.append(words.read(sources))
        if rows := definitions.unread():
            readings.append(definitions.read(rows))
        if readings:
            self._reading = True
            self._spawn(self._keep(readings), "last words")

    async def _keep(self, readings: list[Coroutine[Any, Any, bool]]) -> None:
        try:
            if any(await asyncio.gather(*readings)):
                self._reporter.hurry()
        finally:
            self._reading = False
            self._ask()

    async def _news(self) -> None:
        """Wait for something to show, at most a tick, or until a report is due for what came
        before. Heartbeats of nodes wait for the tick."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self.cadence.tick, self._reporter.left())):
                while True:
                    await self._wake.wait()
                    self._wake.clear()
                    if self._stirred():
                        break
                    await asyncio.sleep(self._least())
        self._asked = False

    def _stirred(self) -> bool:
        live = self._live
        return (
            self._asked
            or live is None
            or live.stirred
            or not live.loaded()
            or any(map(significant, live.waiting()))
        )

    def _least(self) -> float:
        """Least seconds between two views."""
        found = self._reporter.found.is_set()
        return self.cadence.view if found else self.cadence.first_view

    def _ask(self) -> None:
        """Request a view: something outside the live state changed."""
        self._asked = True
        self._wake.set()

    def _drain(self, live: LiveCluster) -> Iterator[Sequence[StoreUpdate]]:
        """The changes that wait now, in pieces, each sent to row listeners first."""
        left = len(live.waiting())
        while left > 0:
            changes = live.drain(DRAINED)
            left -= DRAINED
            for listener in list(self._row_listeners) if changes else ():
                listener(changes)
            yield changes

    def _api_view(self, kinds: Sequence[Freshness]) -> ApiView:
        if self._live is None:
            reach = Connection.OFFLINE if self._problem else Connection.CONNECTING
            return ApiView(reach, self._began, self._problem)
        from incident.report.ranking import api_view

        return api_view(self._live, kinds, self._began)

    def _compose(self) -> View:
        self._version += 1
        live, access, components = self._live, self._access, self._components
        kinds = tuple(live.freshness().values()) if live is not None else ()
        return View(
            version=self._version,
            as_of=self._clock(),
            context=access.context if access is not None else self.options.context,
            server=access.server if access is not None else "",
            write=components.write if components is not None else self.options.write,
            namespaces=self.options.namespaces,
            api=self._api_view(kinds),
            kinds=kinds,
            report=self._reporter.report,
            symptoms=self._reporter.symptoms,
            record=components.record.view()
            if components is not None
            else RecordView("", 0, "none", "not opened yet"),
            activities=self._activities.now(),
            problem=self._problem,
            ranked=self._reporter.ranked,
            settled=not self._reading,
        )


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # The loop has ended.
        loop.call_soon_threadsafe(call)


def _nothing() -> None: ...

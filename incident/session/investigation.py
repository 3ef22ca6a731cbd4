"""One live investigation: connects, reports, steps through runbooks, probes, acts, and records all
of it.

Heavy modules (httpx, SQLite, RapidFuzz) are imported in `start`, after the first paint.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cluster.kube.objects import Ref
from cluster.live.store import Store, StoreUpdate
from incident.cadence import Cadence
from incident.options import Options
from incident.session.connecting import Connecting
from incident.session.state import SessionState
from incident.session.views import Views
from incident.view import View

if TYPE_CHECKING:
    from actions.plan import ActionPlan, ActionResult
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
    from triage.facts.measurements import NodeUsage


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
        self._session = SessionState(options, clock, cadence)
        self.cadence = self._session.cadence
        self._views = Views(self._session)
        self._connecting = Connecting(self._session, self._views)
        self._empty_store = Store()
        self._changing_incident = asyncio.Lock()

    # -- views

    @property
    def view(self) -> View:
        return self._views.now

    @property
    def store(self) -> Store:
        return self._session.live.store if self._session.live is not None else self._empty_store

    def subscribe(self, listener: Callable[[View], None]) -> Callable[[], None]:
        return self._views.subscribe(listener)

    def watch_changes(
        self, listener: Callable[[Sequence[StoreUpdate]], None]
    ) -> Callable[[], None]:
        return self._views.watch_changes(listener)

    # -- life

    async def start(self) -> None:
        """Open the record and begin to connect. Returns as soon as notes can be taken."""
        from incident.components import Components

        self._session.components = Components(
            self.options,
            self._session.local_clock,
            lambda: self._session.reporter.symptoms,
            self._session.activities.under_way,
            self.cadence,
        )
        loop = asyncio.get_running_loop()
        self._session.components.record.on_change = partial(_from_thread, loop, self._session.ask)
        if self.options.idle:
            self._session.problem = "No cluster is chosen yet."
        else:
            self._session.spawn(self._connecting.connect(), "connect")
        self._session.spawn(self._views.keep(), "view")
        self._session.spawn(self._connecting.keep_runbooks(), "runbooks")

    async def stop(self) -> None:
        if self._session.stopping:
            return
        self._session.stopping = True
        components = self._session.components
        try:
            if components is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.cadence.stop):
                        await components.close()
        finally:
            if self._session.live is not None:
                self._session.live.stop()
            await self._session.end_tasks()
            if self._session.live is not None:
                await self._session.live.api.aclose()
            if components is not None:
                await asyncio.to_thread(components.record.close)

    async def contexts(self) -> Sequence[ContextChoice]:
        from incident.offline.elsewhere import contexts

        return await asyncio.to_thread(contexts, self.options)

    async def incidents(self) -> Sequence[Incident]:
        from incident.offline.elsewhere import incidents

        return await asyncio.to_thread(incidents, self.options)

    def another(self, context: str, incident: str) -> LiveInvestigation:
        here = (
            self._session.access.context
            if self._session.access is not None
            else self.options.context
        )
        options = replace(
            self.options,
            context=context,
            incident=incident,
            namespaces=self.options.namespaces if context == here else (),
            write=False,
            record=True,
            idle=False,
        )
        return LiveInvestigation(options, clock=self._session.local_clock, cadence=self.cadence)

    def retry_now(self) -> None:
        self._session.retry.set()
        if self._session.live is not None:
            self._session.live.retry_now()
        self._session.ask()

    async def answer_now(self, limit: float) -> None:
        """Wait for a report of what has been read by now, with its runbooks, at most `limit`
        seconds."""
        before, made = self._session.reporter.report, asyncio.Event()

        def look(view: View) -> None:
            if view.report is not before and view.ranked:
                made.set()

        stop = self.subscribe(look)
        self._session.reporter.answer_now()
        self._session.ask()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await made.wait()
        stop()

    async def keep_answer(self) -> View:
        """For a single answer: record what the last view says once the record is open, and return
        that view with the state of the record. What is printed then stands in the record, or
        `RecordView` says why not."""
        view, session = self.view, self._session
        components = session.ready()
        if session.live is not None and session.options.record:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.cadence.stop):
                    await session.record_tried.wait()
            if view.report is not None:
                for _ in components.observed(view.report, view.symptoms, session.clock()):
                    pass
            await components.record.settled(self.cadence.stop)
        return replace(view, record=components.record.view())

    def give_way(self) -> None:
        self._session.input_priority.ask()

    # -- runbooks

    async def read_words(self) -> None:
        await asyncio.to_thread(self._session.ready().read_words)

    def match_words(self, text: str) -> Sequence[Match]:
        components = self._session.components
        if components is not None and components.ranking is None and self.options.once:
            components.load_runbooks()  # without a cluster the answer is due before a first find
        return (
            components.matcher.match(text, self._session.reporter.report)
            if components is not None and components.ranking is not None
            else ()
        )

    def runbooks(self) -> Sequence[Runbook]:
        return (
            self._session.components.library.runbooks
            if self._session.components is not None
            else ()
        )

    @property
    def walkthrough(self) -> Walkthrough:
        return self._session.ready().walkthrough

    # -- probes and actions

    async def plan_probe(self, name: str, arguments: Mapping[str, str]) -> ProbePlan:
        return await self._session.ready().probes().plan(name, arguments)

    async def run_probe(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        return await self._session.ready().probes().run(plan, progress)

    async def sweep(self) -> SweepReport:
        """Remove now what earlier runs of this program left in the cluster."""
        return await self._session.ready().probes().sweep_all()

    async def plan_action(self, name: str, arguments: Mapping[str, str]) -> ActionPlan:
        return await self._session.ready().actions().plan(name, arguments)

    async def run_action(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        """`progress` gets a line for each object; `stopped` is called before each."""
        return await self._session.ready().actions().run(plan, typed, progress, stopped)

    def offers(self, ref: Ref) -> Sequence[Offer]:
        from incident.offers import offers

        return (*offers(self.store, ref), *self.undoable(ref))

    def undoable(self, ref: Ref | None = None) -> Sequence[Offer]:
        """The recorded changes that can be undone, newest first; with `ref` those that
        touched it."""
        from incident.offers import undo_offers

        record = self._session.components.record if self._session.components is not None else None
        return undo_offers(record.by_record(), ref) if record is not None else ()

    def set_write(self, allowed: bool) -> str:
        refused = self._session.ready().set_write(allowed)
        self._session.ask()
        return refused

    @property
    def read_only_reason(self) -> str:
        return self._session.components.fixed if self._session.components is not None else ""

    # -- objects

    async def other_kinds(self) -> Sequence[OtherKind]:
        return await self._session.ready().other_kinds.all()

    async def other_rows(self, kind: OtherKind) -> ServerTable:
        return await self._session.ready().other_kinds.rows(kind, self.options.namespaces)

    async def other_object(self, ref: Ref, kind: OtherKind | None) -> OtherObject:
        return await self._session.ready().other_kinds.item(ref, kind)

    def node_usage(self, name: str) -> NodeUsage | None:
        sources = (
            self._session.components.measured() if self._session.components is not None else None
        )
        nodes = sources.nodes.values if sources is not None and sources.nodes is not None else ()
        return next((usage for usage in nodes if usage.node == name), None)

    async def object_yaml(self, ref: Ref) -> str:
        components = self._session.ready()
        return await components.details.yaml(ref)

    async def logs(self, query: LogQuery) -> AsyncGenerator[Sequence[LogRow], None]:
        async with contextlib.aclosing(self._session.ready().pod_logs.read(query)) as groups:
            async for rows in groups:
                yield rows

    # -- record

    def note(self, text: str, about: Sequence[Ref] = (), *, from_yaml: bool = False) -> Entry:
        if self.options.idle:
            raise ValueError("A note needs a record: choose a context or an incident first.")
        return self._session.ready().note(text, self._session.clock(), about, from_yaml=from_yaml)

    def redacted(self, text: str) -> str:
        return (
            self._session.components.record.redact(text)
            if self._session.components is not None
            else text
        )

    def views(self) -> Mapping[str, str]:
        from incident import saved_views

        return saved_views.views(self.options.state)

    def save_view(self, name: str, text: str) -> None:
        from incident import saved_views

        saved_views.save_view(self.options.state, name, text)

    async def brief(self) -> str:
        components = self._session.ready()
        await components.record.settled()
        return await asyncio.to_thread(components.brief)

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        return await self._session.ready().record.recorded(entry, again=again)

    async def begin_incident(self) -> None:
        async with self._changing_incident:
            await asyncio.to_thread(self._session.ready().begin_incident, self._session.cluster())

    def rename_incident(self, title: str) -> Entry:
        return self._session.ready().record.edit_incident(text=title)

    def set_severity(self, severity: str) -> Entry:
        return self._session.ready().record.edit_incident(severity=severity)

    def close_incident(self, reason: str) -> Entry:
        return self._session.ready().record.change_state("incident-closed", reason)

    def reopen_incident(self, reason: str) -> Entry:
        return self._session.ready().record.change_state("incident-reopened", reason)

    def revise(self, entry: Entry, action: str, text: str = "") -> Entry:
        return self._session.ready().record.revise(entry, action, text)

    def conclude_change(self, intent: Entry, seen: str) -> Entry:
        return self._session.ready().record.conclude_change(intent, seen)

    def unrecorded(self) -> Sequence[Entry]:
        return (
            self._session.components.record.unrecorded()
            if self._session.components is not None
            else ()
        )

    def entries(self) -> Sequence[Entry]:
        return (
            self._session.components.record.entries()
            if self._session.components is not None
            else ()
        )

    async def evidence(self, sha256: str) -> str:
        return await asyncio.to_thread(self._session.ready().record.evidence_text, sha256)

    async def draft(self) -> str:
        components = self._session.ready()
        await components.record.settled()
        return await asyncio.to_thread(components.draft)

    async def export(self) -> str:
        components = self._session.ready()
        await components.record.settled(20.0)  # An export is final, so it waits for the disk.
        return await asyncio.to_thread(components.export)


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # The loop has ended.
        loop.call_soon_threadsafe(call)

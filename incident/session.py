"""One live investigation: connects, keeps the picture up to date, walks runbooks, probes, acts, and
records all of it.

The module itself is light: what is heavy (httpx, the kubernetes package, SQLite, RapidFuzz) is
imported in `start`, after the first paint.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cluster.errors import ClusterError
from cluster.kube.objects import Ref
from cluster.live.input_priority import GiveWay
from cluster.live.store import Change, Store
from incident.activities import Activities
from incident.options import Options
from incident.report.gc_policy import Garbage
from incident.report.reporter import Look, differs
from incident.view import ApiView, Reach, RecordView, View
from triage.facts.significance import significant

if TYPE_CHECKING:
    from actions.plan import ActionPlan, ActionResult
    from cluster.connect.access import Access
    from cluster.live.live_cluster import LiveCluster
    from incident.api import Progress
    from incident.components import Parts
    from incident.walkthrough.walkthrough import Walkthrough
    from probes.pods.sweep import SweepReport
    from probes.result import ProbePlan, ProbeResult
    from runbooks.match import Match
    from runbooks.model import Runbook
    from timeline.entry import Entry

FRAME = 0.1
"""Seconds between two pictures at the least."""
CALM = 2.0
"""Seconds after which a picture that says nothing new is shown all the same, while the server
answers and nothing runs."""
FIRST_FRAME = 0.02
"""The same before anything was found: somebody is looking at an empty screen."""
TICK = 1.0
"""Seconds after which a picture is made although nothing changed: ages grow, and verdicts that
depend on time fall due."""
FIRST_LOOK = 1.2
"""Seconds after which runbooks are read and the record is opened although nothing was found yet:
before that they take the time of what finds it (0.2 s each, measured)."""
DRAWN = 0.1
"""Seconds in which what was found first is drawn."""
RECONNECT = 5.0
"""Seconds after which a kubeconfig that could not be read is tried again."""
REOPEN = 2.0
"""Seconds after which a record that could not be opened is tried again."""
RELOAD = 5.0
"""Seconds between two looks whether a runbook was edited."""
STOP_LIMIT = 10.0
"""Seconds for sweeping what was created, when the program ends."""


class LiveInvestigation:
    """Implements `incident.api.Investigation` on a real (or embedded) cluster."""

    def __init__(
        self, options: Options, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.options = options
        self._local_clock = clock
        self._began = clock()
        self._listeners: list[Callable[[View], None]] = []
        self._row_listeners: list[Callable[[Sequence[Change]], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._parts: Parts | None = None
        self._live: LiveCluster | None = None
        self._empty_store = Store()
        self._wake = asyncio.Event()
        self._way = GiveWay()
        self._garbage = Garbage()
        self._look = Look(self._clock, self._way, once=options.once)
        self._retry = asyncio.Event()
        self._stopping = False
        self._version = 0
        self._problem = ""
        self._access: Access | None = None
        self._activities = Activities(clock, self._wake.set)
        self._view = self._compose()

    def _clock(self) -> datetime:
        return self._parts.clock() if self._parts is not None else self._local_clock()

    # -- pictures

    @property
    def view(self) -> View:
        return self._view

    @property
    def store(self) -> Store:
        return self._live.store if self._live is not None else self._empty_store

    def subscribe(self, listener: Callable[[View], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def watch_changes(self, listener: Callable[[Sequence[Change]], None]) -> Callable[[], None]:
        self._row_listeners.append(listener)
        return lambda: (
            self._row_listeners.remove(listener) if listener in self._row_listeners else None
        )

    # -- life

    async def start(self) -> None:
        """Open the record and begin to connect; returns as soon as notes can be taken."""
        from incident.components import Parts

        self._parts = Parts(
            self.options,
            self._local_clock,
            lambda: self._look.symptoms,
            self._activities.under_way,
        )
        loop = asyncio.get_running_loop()
        self._parts.record.on_change = partial(_wake_from_thread, loop, self._wake)
        self._spawn(self._connect(), "connect")
        self._spawn(self._keep_picture(), "picture")
        self._spawn(self._keep_runbooks(), "runbooks")

    async def stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        parts = self._parts
        try:
            if parts is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STOP_LIMIT):
                        await parts.close()
        finally:
            if self._live is not None:
                self._live.stop()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._live is not None:
                await self._live.api.aclose()
            if parts is not None:
                await asyncio.to_thread(parts.record.close)

    def retry_now(self) -> None:
        self._retry.set()
        if self._live is not None:
            self._live.retry_now()
        self._wake.set()

    def give_way(self) -> None:
        self._way.ask()

    # -- runbooks

    def match_words(self, text: str) -> Sequence[Match]:
        parts = self._parts
        return (
            parts.matcher.match(text, self._look.report)
            if parts is not None and parts.ranking is not None
            else ()
        )

    def runbooks(self) -> Sequence[Runbook]:
        return self._parts.library.runbooks if self._parts is not None else ()

    @property
    def walkthrough(self) -> Walkthrough:
        return self._ready().walkthrough

    # -- probes and actions

    async def plan_probe(self, name: str, arguments: Mapping[str, str]) -> ProbePlan:
        return await self._ready().probes().plan(name, arguments)

    async def run_probe(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult:
        return await self._ready().probes().run(plan, progress)

    async def sweep(self) -> SweepReport:
        """Remove what runs of ours left in the cluster, on demand."""
        return await self._ready().probes().sweep_all()

    async def plan_action(self, name: str, arguments: Mapping[str, str]) -> ActionPlan:
        return await self._ready().actions().plan(name, arguments)

    async def run_action(self, plan: ActionPlan, typed: str) -> ActionResult:
        return await self._ready().actions().run(plan, typed)

    # -- objects

    async def object_yaml(self, ref: Ref) -> str:
        parts = self._ready()
        return await parts.details.yaml(ref)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str = "",
        *,
        previous: bool = False,
        tail: int = 500,
    ) -> AsyncIterator[str]:
        async for line in self._ready().details.logs(
            namespace, pod, container, previous=previous, tail=tail
        ):
            yield line

    # -- record

    def note(self, text: str) -> Entry:
        return self._ready().note(text, self._clock())

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        return await self._ready().record.recorded(entry, again=again)

    def unrecorded(self) -> Sequence[Entry]:
        return self._parts.record.unrecorded() if self._parts is not None else ()

    def entries(self) -> Sequence[Entry]:
        return self._parts.record.entries() if self._parts is not None else ()

    async def draft(self) -> str:
        parts = self._ready()
        await parts.record.settled()
        return await asyncio.to_thread(parts.draft)

    async def export(self) -> str:
        parts = self._ready()
        await parts.record.settled()
        return await asyncio.to_thread(parts.export)

    # -- inside

    def _ready(self) -> Parts:
        if self._parts is None:
            raise RuntimeError("the investigation has not been started")
        return self._parts

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A part of the work that breaks is said on every screen: silence would look as if it were
        still connecting."""
        self._tasks.discard(task)
        if self._stopping or task.cancelled() or (error := task.exception()) is None:
            return
        self._problem = (
            f"The part {task.get_name()!r} broke ({type(error).__name__}: {error}); start stanch "
            "again, what is recorded is kept."
        )
        self._view = replace(self._view, version=self._view.version + 1, problem=self._problem)
        for listener in list(self._listeners):
            listener(self._view)
        self._wake.set()

    async def _connect(self) -> None:
        """Read the kubeconfig, again and again until it can be read; then watch until the end."""
        parts = self._ready()
        while True:
            try:
                self._access = await asyncio.to_thread(parts.load_access)
                break
            except ClusterError as error:
                self._problem = str(error)
            await asyncio.to_thread(parts.open_record, "", "")
            self._wake.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECONNECT):
                    await self._retry.wait()
            self._retry.clear()
        self._problem = ""
        access = self._access
        self._live = parts.watch(
            access, self._way, on_loaded=_nothing if self.options.once else self._garbage.settle
        )
        self._live.changed.set()
        self._spawn(self._live.run(), "live")
        self._spawn(self._forward(self._live.changed), "forward")
        self._spawn(self._settle_in(access), "settle")
        self._wake.set()

    async def _first_look(self) -> None:
        """Returns when the first finding is drawn, or for a single answer when the first objects
        have come; in any case soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK):
                if self.options.once:
                    await self._look.begun.wait()
                else:
                    await self._look.found.wait()
                    await asyncio.sleep(DRAWN)

    async def _settle_in(self, access: Access) -> None:
        """Open the record, and when everything has been read look after what an earlier run left
        behind."""
        parts = self._ready()
        await self._first_look()
        await asyncio.to_thread(parts.open_record, access.context, access.server)
        self._wake.set()
        if self.options.record:
            self._spawn(self._open_record_later(access), "record")
        self._spawn(parts.measure(), "measure")
        if self.options.record and self._live is not None:
            await self._live.wait_loaded(30.0)
            await parts.sweep_leftovers()

    async def _open_record_later(self, access: Access) -> None:
        """A record that could not be opened is tried again: its disk may get space."""
        parts = self._ready()
        while parts.record.journal is None:
            await asyncio.sleep(REOPEN)
            await asyncio.to_thread(parts.open_record, access.context, access.server)

    async def _keep_runbooks(self) -> None:
        """Read the runbooks once the first lists are on their way; then again whenever one is
        edited."""
        parts = self._ready()
        await self._first_look()
        if self.options.once:
            # in a thread it would fight for the interpreter with what decodes, and nobody waits for
            # a key
            parts.load_runbooks()
        else:
            await asyncio.to_thread(parts.load_runbooks)
        self._look.hurry()
        self._wake.set()
        if self.options.record:
            # A session in which somebody will type and walk; a single answer is given before this
            # would be of use.
            if self._live is not None:
                await self._live.wait_loaded(30.0)
            await asyncio.sleep(1.0)
            await asyncio.to_thread(parts.warm_up)
            self._garbage.settle()
        while True:
            await asyncio.sleep(RELOAD)
            if await asyncio.to_thread(parts.library.refresh):
                self._wake.set()

    async def _forward(self, changed: asyncio.Event) -> None:
        """What the live state signals wakes the picture; mere signs of life wait for the next
        tick."""
        while True:
            await changed.wait()
            changed.clear()
            live = self._live
            if (
                live is None
                or live.stirred
                or not live.loaded()
                or any(map(significant, live.waiting()))
            ):
                self._wake.set()
            await asyncio.sleep((FRAME if self._look.found.is_set() else FIRST_FRAME) / 2)

    async def _keep_picture(self) -> None:
        """The loop of the picture: take changes, report, show. Mere signs of life change nothing
        before the next tick."""
        shown = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            self._wake.clear()
            began = time.monotonic()
            if self._live is not None:
                await self._look.take(self._ready(), self._live, partial(self._drain, self._live))
            view = self._compose()
            if self._live is not None:
                for draft in self._ready().observer.reach(view.api):
                    self._ready().record.append(draft)
            calm = view.api.reach is Reach.LIVE and not view.activities
            if began - shown >= (CALM if calm else TICK) or differs(view, self._view):
                shown = began
                self._view = view
                for view_listener in list(self._listeners):
                    view_listener(view)
            self._garbage.collect(self._way.quiet())
            frame = FRAME if self._look.found.is_set() else FIRST_FRAME
            await asyncio.sleep(max(0.0, frame - (time.monotonic() - began)))

    def _drain(self, live: LiveCluster) -> Sequence[Change]:
        """What changed, told to whoever follows rows."""
        changes = live.drain()
        for listener in list(self._row_listeners) if changes else ():
            listener(changes)
        return changes

    def _api_view(self) -> ApiView:
        if self._live is None:
            reach = Reach.OFFLINE if self._problem else Reach.CONNECTING
            return ApiView(reach, self._began, self._problem)
        from incident.report.ranking import api_view

        return api_view(self._live, self._began)

    def _compose(self) -> View:
        self._version += 1
        live, access, parts = self._live, self._access, self._parts
        return View(
            version=self._version,
            as_of=self._clock(),
            context=access.context if access is not None else self.options.context,
            server=access.server if access is not None else "",
            write=self.options.write,
            namespaces=self.options.namespaces,
            api=self._api_view(),
            kinds=tuple(live.freshness().values()) if live is not None else (),
            report=self._look.report,
            symptoms=self._look.symptoms,
            record=parts.record.view()
            if parts is not None
            else RecordView("", 0, "none", "not opened yet"),
            activities=self._activities.now(),
            problem=self._problem,
            ranked=self._look.ranked,
        )


def _wake_from_thread(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(event.set)


def _nothing() -> None: ...

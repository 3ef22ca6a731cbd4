"""The views of a session: composed from what was read and found, and sent to the faces when they
differ."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cluster.health.reach import Reach
from cluster.live.store import StoreUpdate
from incident.report.reporter import differs
from incident.session.state import SessionState
from incident.view import ApiView, Connection, RecordView, View
from triage.facts.significance import significant

if TYPE_CHECKING:
    from cluster.live.freshness import Freshness
    from cluster.live.live_cluster import LiveCluster
    from triage.facts.finding import Report

DRAINED = 1_000
"""Changes that are taken from the live state at once: less than a millisecond. A flood of every
kind leaves as many as there are objects."""


class Views:
    """Takes changes, has them reported, and sends views to listeners. `keep` is a task of the
    session."""

    def __init__(self, session: SessionState) -> None:
        self._session = session
        self._listeners: list[Callable[[View], None]] = []
        self._row_listeners: list[Callable[[Sequence[StoreUpdate]], None]] = []
        self._version = 0
        self._logged: Report | None = None
        """The last report whose logs were requested."""
        self._reading = False
        self.now = self._compose()
        """The last view."""
        session.on_problem = self._tell_problem

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

    async def keep(self) -> None:
        """Take changes, report, and send the view to all listeners, until cancelled."""
        session = self._session
        shown = 0.0
        while True:
            await self._news()
            began = time.monotonic()
            if session.live is not None:
                await session.reporter.take(
                    session.ready(), session.live, partial(self._drain, session.live)
                )
                self._read_more()
            view = self._compose()
            if session.live is not None:
                for draft in session.ready().observer.reach(view.api):
                    session.ready().record.append(draft)
            calm = view.api.reach is Connection.LIVE and not view.activities
            aged = began - shown >= (session.cadence.calm if calm else session.cadence.tick)
            if aged or differs(view, self.now):
                shown = began
                self.now = view
                self._send(view)
            if not session.options.once:
                session.gc.collect(session.input_priority.quiet())
            await asyncio.sleep(max(0.0, self._least() - (time.monotonic() - began)))

    def _read_more(self) -> None:
        """Begin to read the logs, definitions and disks that the last report asks for, one reading
        at a time."""
        session = self._session
        report, live = session.reporter.report, session.live
        if report is None or live is None or report is self._logged or self._reading:
            return
        self._logged = report
        if not (live.loaded() or session.options.once) or live.health.reach is Reach.UNREACHABLE:
            return
        words, definitions, disks = session.ready().readers
        readings: list[Coroutine[Any, Any, bool]] = []
        if sources := words.unread(report):
            readings.append(words.read(sources))
        if rows := definitions.unread():
            readings.append(definitions.read(rows))
        if nodes := disks.unread(report):
            readings.append(disks.read(nodes))
        if readings:
            self._reading = True
            session.spawn(self._read(readings), "last words")

    async def _read(self, readings: list[Coroutine[Any, Any, bool]]) -> None:
        try:
            if any(await asyncio.gather(*readings)):
                self._session.reporter.hurry()
        finally:
            self._reading = False
            self._session.ask()

    async def _news(self) -> None:
        """Wait for something to show, at most a tick, or until a report is due for what came
        before. Heartbeats of nodes wait for the tick."""
        session = self._session
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(session.cadence.tick, session.reporter.left())):
                while True:
                    await session.wake.wait()
                    session.wake.clear()
                    if self._stirred():
                        break
                    await asyncio.sleep(self._least())
        session.asked = False

    def _stirred(self) -> bool:
        live = self._session.live
        return (
            self._session.asked
            or live is None
            or live.stirred
            or not live.loaded()
            or any(map(significant, live.waiting()))
        )

    def _least(self) -> float:
        """Least seconds between two views."""
        session = self._session
        found = session.reporter.found.is_set()
        return session.cadence.view if found else session.cadence.first_view

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
        session = self._session
        if session.live is None:
            reach = Connection.OFFLINE if session.problem else Connection.CONNECTING
            return ApiView(reach, session.began, session.problem)
        from incident.report.ranking import api_view

        return api_view(session.live, kinds, session.began)

    def _compose(self) -> View:
        session = self._session
        self._version += 1
        live, access, components = session.live, session.access, session.components
        kinds = tuple(live.freshness().values()) if live is not None else ()
        return View(
            version=self._version,
            as_of=session.clock(),
            context=access.context if access is not None else session.options.context,
            server=access.server if access is not None else "",
            write=components.write if components is not None else session.options.write,
            namespaces=session.options.namespaces,
            api=self._api_view(kinds),
            kinds=kinds,
            report=session.reporter.report,
            symptoms=session.reporter.symptoms,
            record=components.record.view()
            if components is not None
            else RecordView("", 0, "none", "not opened yet"),
            activities=session.activities.now(),
            problem=session.problem,
            ranked=session.reporter.ranked,
            settled=not self._reading,
        )

    def _tell_problem(self) -> None:
        self.now = replace(self.now, version=self.now.version + 1, problem=self._session.problem)
        self._send(self.now)

    def _send(self, view: View) -> None:
        for listener in list(self._listeners):
            listener(view)

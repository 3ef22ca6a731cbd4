"""How a session gets its cluster, its record and its runbooks: each as soon as it can be had, and
again when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cluster.errors import ClusterError
from cluster.health.reach import Reach
from incident.config import ConfigError
from incident.session.state import SessionState
from incident.session.views import Views
from timeline.summary import ClusterId

if TYPE_CHECKING:
    from cluster.connect.access import Access


class Connecting:
    """Connects a session, opens its record, and reads its runbooks. `connect` and `keep_runbooks`
    are the tasks of a session."""

    def __init__(self, session: SessionState, views: Views) -> None:
        self._session = session
        self._views = views

    async def connect(self) -> None:
        """Read the kubeconfig, again until it succeeds; then watch until the end."""
        session = self._session
        components = session.ready()
        while True:
            try:
                session.access = await asyncio.to_thread(components.load_access)
                components.fix_mode(session.access.context)
                break
            except (ClusterError, ConfigError) as error:
                session.problem = str(error)
            await asyncio.to_thread(components.open_record, ClusterId())
            session.ask()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(session.cadence.reconnect):
                    await session.retry.wait()
            session.retry.clear()
        session.problem = ""
        access = session.access
        session.live = components.watch(
            access,
            session.input_priority,
            on_loaded=_nothing if session.options.once else session.gc.settle,
        )
        session.live.changed = session.wake
        if session.options.once:
            await components.find_absent_namespaces()
        else:
            session.spawn(components.find_absent_namespaces(), "namespaces")
        session.spawn(session.live.run(), "live")
        session.spawn(self._open_record(access), "record")
        session.ask()

    async def _first_find(self) -> None:
        """Return when the first finding is drawn (for a single answer: when the first objects have
        arrived), at the latest after `Cadence.first_find`."""
        session = self._session
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(session.cadence.first_find):
                if session.options.once:
                    await session.reporter.begun.wait()
                else:
                    await session.reporter.found.wait()
                    await asyncio.sleep(session.cadence.drawn)

    async def _answered(self) -> None:
        """Return when everything has been read and its report is drawn, at the latest after
        `Cadence.loaded`: threads would compete with that report for the interpreter."""
        session = self._session
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(session.cadence.loaded):
                await session.reporter.whole.wait()
                await asyncio.sleep(session.cadence.drawn)

    async def _open_record(self, access: Access) -> None:
        """Open the record, before everything has been read: runs that it holds go on where they
        stood. After that, remove what an earlier run left in the cluster."""
        session = self._session
        components = session.ready()
        await self._first_find()
        cluster = session.cluster()
        live = session.live
        if session.options.record and live is not None and live.health.reach is Reach.REACHABLE:
            # The first entries name the cluster. A note waits no longer than this for the disk.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(session.cadence.first_find):
                    cluster = replace(cluster, uid=await components.read_cluster_uid())
        try:
            await asyncio.to_thread(components.open_record, cluster)
        finally:
            session.record_tried.set()
        session.reporter.hurry()  # what earlier reports found is compared with the record now
        if not session.options.once and all(kind.heard is None for kind in self._views.now.kinds):
            await asyncio.to_thread(components.read_picture, access.context)
        session.ask()
        if session.options.record:
            session.spawn(self._keep_record(), "record again")
        if not session.options.once:  # A single answer is given before the first round.
            session.spawn(components.measure(session.reporter.hurry), "measure")
        if session.options.record and session.live is not None:
            await self._answered()
            await asyncio.to_thread(components.read_earlier)
            await components.sweep_leftovers()

    async def _keep_record(self) -> None:
        """Open a record that could not be opened as soon as its disk takes it, and set the
        cluster's uid in it once that is read."""
        session = self._session
        components = session.ready()
        while components.record.journal is None:
            await asyncio.sleep(session.cadence.reopen)
            await asyncio.to_thread(components.open_record, session.cluster())
        while session.live is None or not await session.live.wait_loaded(session.cadence.reopen):
            continue  # a lost server may take hours
        if uid := await components.read_cluster_uid():
            await asyncio.to_thread(components.identify, replace(session.cluster(), uid=uid))

    async def keep_runbooks(self) -> None:
        """Read the runbooks after the first finding, and again whenever a file changes."""
        session = self._session
        components = session.ready()
        await self._first_find()
        if session.options.once:
            # A thread would compete with decoding for the interpreter, and no key waits here.
            components.load_runbooks()
        else:
            await asyncio.to_thread(components.load_runbooks)
        if session.options.once or session.live is None or session.live.loaded():
            session.reporter.hurry()
        session.ask()
        if session.options.record:
            # Only for sessions with screens: a single answer is printed before this helps.
            if session.live is not None:
                await self._answered()
            await asyncio.sleep(session.cadence.warm_up)
            await asyncio.to_thread(components.warm_up)
            session.gc.settle()
        while True:
            await asyncio.sleep(session.cadence.reload)
            if await asyncio.to_thread(components.library.refresh):
                session.ask()


def _nothing() -> None: ...

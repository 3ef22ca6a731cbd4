"""An investigation on a served drill, for tests of whole flows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cli.connection import is_settled
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from incident.options import Options
from incident.session import LiveInvestigation
from incident.view import Connection, View


@contextmanager
def served(drill: str, folder: Path) -> Iterator[tuple[DrillServer, Path]]:
    """The server and the path of a kubeconfig for it."""
    with serve_in_thread(drill) as server:
        path = folder / "kubeconfig"
        server.write_kubeconfig(path)
        yield server, path


@asynccontextmanager
async def investigating(
    kubeconfig: Path, folder: Path, *, write: bool = False, record: bool = True, page: str = ""
) -> AsyncIterator[LiveInvestigation]:
    investigation = LiveInvestigation(
        Options(
            kubeconfig=str(kubeconfig),
            state=folder / "state",
            config=folder / "config",
            write=write,
            record=record,
            page=page,
        )
    )
    await investigation.start()
    try:
        yield investigation
    finally:
        await investigation.stop()


async def until(
    investigation: LiveInvestigation, holds: Callable[[View], bool], limit: float = 60.0
) -> View:
    """The first view for which `holds` is true; fails with the last one after `limit` seconds."""
    reached: asyncio.Future[View] = asyncio.get_running_loop().create_future()

    def look(view: View) -> None:
        if not reached.done() and holds(view):
            reached.set_result(view)

    unsubscribe = investigation.subscribe(look)
    try:
        look(investigation.view)
        async with asyncio.timeout(limit):
            return await reached
    except TimeoutError:
        view = investigation.view
        raise AssertionError(
            f"not reached within {limit} s: {view.api} {view.problem} "
            f"{[kind.state for kind in view.kinds]}"
        ) from None
    finally:
        unsubscribe()


def is_read(view: View) -> bool:
    """The whole drill was read. A heartbeat that a busy machine answers late is no reason to take
    less."""
    return view.api.reach is not Connection.LOST and is_settled(view)

"""Two ways to run the embedded cluster: in a thread for tests and screens, in the foreground for
`stanch drill ID --serve`."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drills.scenario.catalogue import load
from drills.scenario.model import Scenario
from drills.server.http import DrillServer


@contextmanager
def serve_in_thread(scenario: Scenario | str | None, **options: Any) -> Iterator[DrillServer]:
    """A served drill for the length of a `with`, on an event loop of its own; options are those of
    DrillServer. A string is an id or a path. Raises what DrillServer.start raises."""
    server = DrillServer(load(scenario) if isinstance(scenario, str) else scenario, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="drill-server", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()


def serve_forever(scenario: Scenario | str, **options: Any) -> int:
    """Serve until SIGTERM or SIGINT; returns 0. The first line on standard output is the path of
    the kubeconfig, which is removed at the end. The lines after it say how to tell the drill of a
    change that was made by hand outside its cluster; a shuffled drill keeps them to itself, because
    they name its runbook's steps."""
    chosen = load(scenario) if isinstance(scenario, str) else scenario
    with tempfile.TemporaryDirectory(prefix="stanch-drill-") as folder:
        asyncio.run(_until_signal(DrillServer(chosen, **options), Path(folder) / "kubeconfig"))
    return 0


async def _until_signal(server: DrillServer, path: Path) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await server.start()
    try:
        server.write_kubeconfig(path)
        sys.stdout.write(f"{path}\n")
        hidden = server.scenario is None or "shuffle" in server.scenario.data
        for step in () if hidden else server.by_hand:
            told = f"curl -X POST {server.url}/_drill/by-hand/{step}"
            sys.stdout.write(f"after {step} was done by hand: {told}\n")
        sys.stdout.flush()
        await ended.wait()
    finally:
        await server.stop()

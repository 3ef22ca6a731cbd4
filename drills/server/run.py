"""Ways to run the embedded cluster: in a thread for tests and the TUI, in the foreground for
`stanch drill ID --serve`."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from drills.scenario.catalogue import load
from drills.scenario.model import Scenario
from drills.server.drill_server import DrillServer

T = TypeVar("T")


class ThreadedServer:
    """A DrillServer on an event loop of its own. `call` runs a function there and returns its
    result."""

    def __init__(self, server: DrillServer) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="drill-server", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def start(self) -> None:
        """Raises what DrillServer.start raises."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(30)
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        try:
            asyncio.run_coroutine_threadsafe(self.server.stop(), self._loop).result(10)
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def call(self, function: Callable[[], T], timeout: float = 10.0) -> T:
        """Run `function` on the server's thread. Raises what it raises, or TimeoutError."""

        async def on_loop() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(on_loop(), self._loop).result(timeout)


@contextmanager
def serve_in_thread(scenario: Scenario | str | None, **options: Any) -> Iterator[DrillServer]:
    """A served drill for the length of a `with`; options are those of DrillServer. A string is an
    id or a path."""
    chosen = load(scenario) if isinstance(scenario, str) else scenario
    server = DrillServer(chosen, **options)
    threaded = ThreadedServer(server)
    threaded.start()
    try:
        yield server
    finally:
        threaded.stop()


def serve_forever(
    scenario: Scenario | str, *, kubeconfig: str | Path | None = None, **options: Any
) -> int:
    """Serve until SIGTERM or SIGINT; returns 0. The first line on standard output is the path of
    the kubeconfig, which is removed at the end when it was not given."""
    chosen = load(scenario) if isinstance(scenario, str) else scenario
    with tempfile.TemporaryDirectory(prefix="stanch-drill-") as folder:
        path = Path(kubeconfig) if kubeconfig else Path(folder) / "kubeconfig"
        asyncio.run(_until_signal(DrillServer(chosen, **options), path))
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
        sys.stdout.flush()
        await ended.wait()
    finally:
        await server.stop()

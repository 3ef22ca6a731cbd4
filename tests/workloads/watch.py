"""An investigation that goes on in a thread of its own while a test breaks things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Thread

from incident.options import Options
from incident.session import LiveInvestigation
from incident.view import View
from triage.facts.finding import Finding, Severity


class Watch:
    """The newest view of a running investigation, and all warnings that were ever on it."""

    def __init__(self) -> None:
        self._news = Condition()
        self._view: View | None = None
        self._failure: BaseException | None = None
        self.warned: set[str] = set()

    def put(self, view: View) -> None:
        with self._news:
            self._view = view
            self.warned |= {
                finding.id for finding in findings(view) if finding.severity is not Severity.INFO
            }
            self._news.notify_all()

    def fail(self, failure: BaseException) -> None:
        with self._news:
            self._failure = failure
            self._news.notify_all()

    def until(self, holds: Callable[[View], bool], what: str, limit: float) -> View:
        """The first view for which `holds` is true; fails with what is on the last one after
        `limit` seconds."""
        deadline = time.monotonic() + limit
        with self._news:
            while True:
                if self._failure is not None:
                    raise AssertionError(
                        f"the investigation ended: {self._failure}"
                    ) from self._failure
                view = self._view
                if view is not None and holds(view):
                    return view
                left = deadline - time.monotonic()
                if left <= 0:
                    seen = sorted(finding.id for finding in findings(view)) if view else "nothing"
                    raise AssertionError(f"{what} not seen within {limit:.0f} s; seen: {seen}")
                self._news.wait(left)


def findings(view: View) -> tuple[Finding, ...]:
    return view.report.findings if view.report else ()


@contextmanager
def watching(kubeconfig: Path, folder: Path) -> Iterator[Watch]:
    watch = Watch()
    ended: list[Callable[[], object]] = []

    async def investigate() -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        ended.append(lambda: loop.call_soon_threadsafe(over.set))
        investigation = LiveInvestigation(
            Options(
                kubeconfig=str(kubeconfig),
                state=folder / "state",
                config=folder / "config",
                write=False,
                record=False,
            )
        )
        await investigation.start()
        unsubscribe = investigation.subscribe(watch.put)
        try:
            watch.put(investigation.view)
            await over.wait()
        finally:
            unsubscribe()
            await investigation.stop()

    def run() -> None:
        try:
            asyncio.run(investigate())
        except BaseException as failure:  # shown by the test that waits
            watch.fail(failure)

    thread = Thread(target=run, name="investigation")
    thread.start()
    try:
        yield watch
    finally:
        for end in ended:
            end()
        thread.join(20)
        assert not thread.is_alive(), "the investigation did not stop"

"""Logs of one pod, or of several pods of a workload: merged by time, cleaned and redacted. A
sentence stands for a log that cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime

import msgspec

from cluster.api.logs import CAP, LogLine, follow_logs, parse_line, read_logs
from cluster.api.transport import Api
from cluster.errors import ClusterError
from cluster.kube.objects import ContainerStatus, Pod, Ref
from triage.logs.log_line import Level, message

STREAMS = 10
"""Most logs followed at once: each holds a connection open."""
SLICE, PAUSE = 0.002, 0.001
"""Seconds that making rows holds the loop, and between two such slices."""
GROUP = 100
"""Rows handed over at once: they take about a slice to draw."""


class LogQuery(msgspec.Struct, frozen=True):
    """Which logs to read. `container` "" means all; `since` is in seconds, None for all that is
    kept; `tail` is in lines of each log."""

    pods: tuple[Ref, ...]
    container: str = ""
    previous: bool = False
    since: int | None = None
    tail: int = 500


class LogRow(msgspec.Struct, frozen=True):
    """One line. `time` (UTC) is when the runtime wrote it, None when it does not say. `source` is
    `pod/container`. `said` marks a sentence of this program, which stands for `left_out` lines."""

    time: datetime | None
    source: str
    text: str
    level: Level = Level.UNKNOWN
    said: bool = False
    left_out: int = 0


class LogSource(msgspec.Struct, frozen=True):
    pod: Ref
    container: str

    @property
    def name(self) -> str:
        return f"{self.pod.name}/{self.container}"


class _Backlog:
    """The newest lines of one log that were read and not yet shown."""

    def __init__(self, source: LogSource, kept: int) -> None:
        self.source = source
        self.begun = False
        self.said: list[LogRow] = []
        self._lines: deque[bytes] = deque(maxlen=kept)
        self._came = 0

    def add(self, lines: Sequence[bytes]) -> None:
        self._lines.extend(lines)
        self._came += len(lines)
        self.begun = True

    def take(self) -> tuple[list[bytes], list[LogRow], int]:
        """Lines, sentences, and how many lines were left out; forgets them."""
        found = list(self._lines), self.said, self._came - len(self._lines)
        self._lines.clear()
        self.said, self._came = [], 0
        return found


class PodLogs:
    """Reads logs. `pod_of` returns the known pod, for its containers and restarts."""

    def __init__(
        self,
        api: Callable[[], Api | None],
        pod_of: Callable[[Ref], Pod | None],
        redact: Callable[[str], str],
        limit: float,
        gather: float,
    ) -> None:
        """`limit`: seconds for a log of a previous run. `gather`: seconds in which lines of several
        logs are sorted."""
        self._api = api
        self._pod_of = pod_of
        self._redact = redact
        self._limit = limit
        self._gather = gather

    async def read(self, query: LogQuery) -> AsyncGenerator[Sequence[LogRow], None]:
        """Groups of rows, each sorted by time: first the existing lines, then new lines as they are
        written. Of previous runs the existing lines."""
        api = self._api()
        if api is None:
            yield [_said("", "logs cannot be read: there is no connection to a cluster")]
            return
        sources = [source for ref in query.pods for source in self._sources(ref, query.container)]
        if len(sources) > STREAMS:
            left = f"{len(sources) - STREAMS} more logs are not read"
            yield [_said("", f"{left}: {STREAMS} at once; choose a container")]
        if query.previous:
            found = await asyncio.gather(
                *(self._before(api, source, query) for source in sources[:STREAMS])
            )
            yield sorted((row for rows in found for row in rows), key=_order)
            return
        async for rows in self._followed(api, sources[:STREAMS], query):
            yield rows

    def _sources(self, ref: Ref, container: str) -> list[LogSource]:
        pod = self._pod_of(ref)
        names = [container]
        if pod is not None:
            known = [c.name for c in (*pod.spec.init_containers, *pod.spec.containers)]
            names = [name for name in known if container in ("", name)] or [container]
        return [LogSource(ref, name) for name in names]

    def _status_of(self, source: LogSource) -> ContainerStatus | None:
        pod = self._pod_of(source.pod)
        every = (*pod.status.init_container_statuses, *pod.status.container_statuses) if pod else ()
        return next((each for each in every if each.name == source.container), None)

    async def _before(self, api: Api, source: LogSource, query: LogQuery) -> list[LogRow]:
        status = self._status_of(source)
        if status is not None and not _has_run(status):
            text = f"{source.name} never restarted: there is no log of a previous run"
            return [_said(source.name, text)]
        try:
            kept = await read_logs(
                api,
                source.pod.namespace,
                source.pod.name,
                source.container,
                tail=query.tail,
                previous=True,
                since_seconds=query.since,
                timeout=self._limit,
            )
        except ClusterError as error:
            return [_said(source.name, f"the log of the previous run cannot be read: {error}")]
        rows = [self._row(source, each) for each in kept.lines]
        if kept.truncated:
            rows.append(_said(source.name, f"only the first {CAP >> 20} MiB were read"))
        return rows

    async def _followed(
        self, api: Api, sources: Sequence[LogSource], query: LogQuery
    ) -> AsyncGenerator[Sequence[LogRow], None]:
        logs = [_Backlog(source, query.tail) for source in sources]
        came = asyncio.Event()
        tasks = [asyncio.create_task(self._stream(api, log, query, came)) for log in logs]
        ended = asyncio.gather(*tasks, return_exceptions=True)
        ended.add_done_callback(lambda _: came.set())
        try:
            await self._begun(logs, came)
            while True:
                await came.wait()
                came.clear()
                over = ended.done()
                if len(logs) > 1 and not over:
                    await asyncio.sleep(self._gather)
                began = time.monotonic()
                rows = await self._taken(logs)
                for at in range(0, len(rows), GROUP):
                    yield rows[at : at + GROUP]
                if over:
                    return
                # A flood costs at most half of the time.
                await asyncio.sleep(time.monotonic() - began)
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _begun(self, logs: Sequence[_Backlog], came: asyncio.Event) -> None:
        """Waits for the existing lines of all logs, so that the first rows are sorted too. Does not
        wait for logs that take longer than ten times `gather`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10 * self._gather):
                while len(logs) > 1 and not all(log.begun for log in logs):
                    await came.wait()
                    came.clear()
                came.set()

    async def _taken(self, logs: Sequence[_Backlog]) -> list[LogRow]:
        """Rows of the lines that came, sorted by time, made in slices because a key waits for one.
        A sentence stands for lines that came too fast."""
        taken = [(log.source, *log.take()) for log in logs]
        rows = [row for _, _, said, _ in taken for row in said]
        until = time.monotonic() + SLICE
        for source, lines, _, _ in taken:
            for each in lines:
                rows.append(self._row(source, parse_line(each)))
                if time.monotonic() >= until:
                    await asyncio.sleep(PAUSE)
                    until = time.monotonic() + SLICE
        rows.sort(key=_order)
        if left := sum(count for *_, count in taken):
            text = f"{left:,} lines came faster than they can be shown, and are left out here"
            rows.insert(0, LogRow(None, "", text, Level.WARNING, said=True, left_out=left))
        return rows

    async def _stream(self, api: Api, log: _Backlog, query: LogQuery, came: asyncio.Event) -> None:
        source = log.source
        try:
            groups = follow_logs(
                api,
                source.pod.namespace,
                source.pod.name,
                source.container,
                tail=query.tail,
                since_seconds=query.since,
            )
            async with contextlib.aclosing(groups):
                async for group in groups:
                    log.add(group)
                    came.set()
        except ClusterError as error:
            text = f"logs cannot be read: {error}"
            status = self._status_of(source)
            if status is not None and status.state.waiting is not None and not _has_run(status):
                why = status.state.waiting.reason or "it waits"
                text = f"{source.name} has not started ({why}): there is no log yet"
            log.said.append(_said(source.name, text))
        finally:
            log.begun = True
            came.set()

    def _row(self, source: LogSource, read: LogLine) -> LogRow:
        text = self._redact(read.text)
        return LogRow(read.time, source.name, text, message(text).level)


def _has_run(status: ContainerStatus) -> bool:
    """Whether a container has ended at least once."""
    return bool(status.restart_count or status.last_state.terminated)


def _said(source: str, text: str) -> LogRow:
    return LogRow(None, source, text, Level.WARNING, said=True)


_LAST = datetime.max.replace(tzinfo=UTC)


def _order(row: LogRow) -> datetime:
    """Sort by time. Lines without a time, and sentences of this program, come last in their
    group."""
    return row.time or _LAST

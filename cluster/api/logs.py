"""Logs of containers: the last lines, of this run or the previous one, or lines as they are
written. Cleaned, with a limit in bytes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import datetime

import msgspec

from cluster.api.transport import Api
from cluster.kube.durations import parse_time
from cluster.kube.text import clean_json, clean_line

CAP = 2 << 20
"""Bytes read at most."""
TAIL = 500
"""Lines read by default."""
LONGEST = 64 << 10
"""Bytes read of one line that is followed."""
SILENCE = 3600.0
"""Following ends after so many seconds without a line."""


class LogLine(msgspec.Struct, frozen=True):
    """One line; `time` is when the runtime wrote it (UTC), None when it does not say."""

    time: datetime | None
    text: str


class Logs(msgspec.Struct, frozen=True):
    """Lines in order. `truncated`: the limit in bytes cut the text."""

    lines: tuple[LogLine, ...]
    truncated: bool


async def read_logs(
    api: Api,
    namespace: str,
    pod: str,
    container: str = "",
    *,
    tail: int = TAIL,
    previous: bool = False,
    since_seconds: int | None = None,
    cap: int = CAP,
    timeout: float = 15.0,
) -> Logs:
    """The last `tail` lines of one container, of its previous run with `previous`. Raises
    `ApiError`, `Unreachable`."""
    parameters = _parameters(container, tail, previous, since_seconds) | {"limitBytes": str(cap)}
    text, cut = await api.get_text(
        _path(namespace, pod),
        parameters,
        timeout=timeout,
        cap=cap,
        what=f"logs of {namespace}/{pod}",
    )
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return Logs(tuple(_parse(line) for line in lines), cut or len(text.encode()) >= cap)


async def follow_logs(
    api: Api,
    namespace: str,
    pod: str,
    container: str = "",
    *,
    tail: int = 10,
    since_seconds: int | None = None,
) -> AsyncGenerator[list[bytes], None]:
    """Lines as they come, in groups, until the container ends or the connection breaks
    (`Unreachable`). They are for `parse_line`: of a flood not each one is worth it."""
    parameters = _parameters(container, tail, False, since_seconds) | {"follow": "true"}
    what = f"logs of {namespace}/{pod}"
    async with (
        api.open(
            _path(namespace, pod), parameters, accept="*/*", read=SILENCE, what=what
        ) as response,
        contextlib.aclosing(response.lines(LONGEST)) as groups,
    ):
        async for lines in groups:
            yield lines


def parse_line(line: bytes) -> LogLine:
    """One line as the API server sends it, cleaned."""
    return _parse(line.decode("utf-8", "replace"))


def _path(namespace: str, pod: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{pod}/log"


def _parameters(
    container: str, tail: int, previous: bool, since_seconds: int | None
) -> dict[str, str]:
    parameters = {"timestamps": "true", "tailLines": str(tail)}
    if container:
        parameters["container"] = container
    if previous:
        parameters["previous"] = "true"
    if since_seconds is not None:
        parameters["sinceSeconds"] = str(since_seconds)
    return parameters


def _parse(line: str) -> LogLine:
    head, separator, rest = line.partition(" ")
    time = parse_time(head) if separator and len(head) >= 20 and head[4:5] == "-" else None
    return LogLine(time, clean_line(clean_json(line if time is None else rest)))

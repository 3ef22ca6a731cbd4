"""Logs of one pod or of several: lines, filters, and how far they reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

import msgspec

from incident.pod_logs import LogQuery, LogRow
from text.lines import Line, Part, line, shorten
from text.width import head
from text.words import count, plural
from triage.logs.log_line import Level

LONGEST = 2_000
"""Characters of a line that are shown."""
SINCE: Mapping[int | None, str] = {
    None: "all",
    300: "5 min",
    900: "15 min",
    3600: "1 h",
    21600: "6 h",
}
"""Spans to choose from, in seconds."""
LEVELS: Mapping[Level, str] = {
    Level.DEBUG: "all",
    Level.INFO: "info and worse",
    Level.WARNING: "warnings and worse",
    Level.ERROR: "errors",
}
_STYLES = {Level.ERROR: "critical", Level.WARNING: "warning", Level.DEBUG: "muted"}
_TEXT = ("msg", "message", "@m", "event")
_KNOWN = frozenset((*_TEXT, "time", "ts", "timestamp", "@timestamp", "t", "@t"))


class LogView(msgspec.Struct, frozen=True):
    """The view options of a log. A line without a level is shown with warnings."""

    level: Level = Level.DEBUG
    unfold: bool = True
    wrap: bool = True
    sources: bool = False
    """Whether the pod and the container stand before each line."""


def is_shown(row: LogRow, view: LogView) -> bool:
    if view.level is Level.ERROR:
        return row.said or row.level is Level.ERROR
    return row.said or row.level >= view.level


def log_line(row: LogRow, view: LogView, width: int, target: str = "") -> Line:
    """One line: time (UTC), source, text."""
    if row.said:
        return line(" ", (row.text, "warning"), hang=1)
    at = row.time.astimezone(UTC) if row.time else None
    parts: list[Part] = [" "]
    if at is not None:
        parts.append((f"{at:%H:%M:%S}.{at.microsecond // 1000:03d} ", "muted"))
    if view.sources:
        parts.append((f"{_short(row.source)} ", "info"))
    text = unfolded(row.text) if view.unfold else row.text
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
    if not view.wrap:
        used = sum(len(part if isinstance(part, str) else part[0]) for part in parts)
        text = head(text, max(10, width - used - 1))
    return line(*parts, (text, _STYLES.get(row.level, "plain")), hang=5, target=target)


def unfolded(text: str) -> str:
    """A JSON line as its message and `key=value` pairs; any other line unchanged."""
    if not (text.startswith("{") and text.endswith("}")):
        return text
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    if not isinstance(document, dict):
        return text
    said = next((str(document[key]) for key in _TEXT if document.get(key)), "")
    return "  ".join(filter(None, (said, *_pairs(document))))


def _pairs(document: Mapping[str, Any]) -> Iterator[str]:
    level = document.get("level") or document.get("severity")
    if level is not None:
        yield f"level={level}"
    for key, value in document.items():
        if key in _KNOWN or key in ("level", "severity"):
            continue
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield f"{key}={shown}"


def _short(source: str) -> str:
    """`7d4b9c-x2k8z/app`: the end of a pod's name, which differs within a workload."""
    pod, _, container = source.rpartition("/")
    return f"{pod[-11:].lstrip('-')}/{container}"


def log_state(
    query: LogQuery, view: LogView, counts: tuple[int, int, int, int], state: str, width: int
) -> Line:
    """How far the log is read, and what of it, in one row of `width` cells. `counts`: lines
    received, dropped, hidden by their level, and in the range."""
    received, dropped, hidden, ranged = counts
    which = query.pods[0].name if len(query.pods) == 1 else plural(len(query.pods), "pod")
    parts = [which, f"container {query.container}" if query.container else "all containers"]
    if view.level is not Level.DEBUG:
        parts.insert(0, LEVELS[view.level])
    if query.since is not None:
        parts.insert(0, f"last {SINCE[query.since]}")
    if query.previous:
        parts.insert(0, "before the last restart")
    shown = plural(received, "line")
    if hidden:
        shown += f", {count(hidden)} hidden by level"
    if dropped:
        shown += f", {count(dropped)} dropped"
    if ranged:
        shown += f", {count(ranged)} in the range"
    head_ = line(" ", (state, "key"), f"  {shown}  ")
    rest = shorten(", ".join(parts), max(8, width - head_.width))
    return line(*head_.spans, (rest, "muted"))

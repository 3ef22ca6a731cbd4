"""The tables of objects: which columns fit, how a cell looks, and one line that says what the rows
are worth."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from cluster.kube.kinds import KINDS
from cluster.live.freshness import Freshness, State
from incident.tables.columns import Column, Type
from incident.tables.table import ObjectTable
from text.lines import Line, Span, columns, line, wrap
from text.words import age, clock, count, freshness, kinds_count, kinds_name


class Heading(msgspec.Struct, frozen=True):
    """`width` in cells; 0 takes what is left."""

    title: str
    width: int
    right: bool = False


ORDER = (
    "Pod",
    "Node",
    "Event",
    "Deployment",
    "DaemonSet",
    "StatefulSet",
    "ReplicaSet",
    "Job",
    "CronJob",
    "Service",
    "EndpointSlice",
    "Ingress",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "VolumeAttachment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Secret",
    "ConfigMap",
    "Namespace",
    "Lease",
)
"""Kinds in the order in which tab goes through them; what else is watched follows."""

NAME_MINIMUM = 26

GOOD_WORDS = frozenset(
    {
        "Running",
        "Completed",
        "Succeeded",
        "Ready",
        "Active",
        "Bound",
        "Available",
        "Complete",
        "Normal",
    }
)
BAD_WORDS = (
    "CrashLoop",
    "Error",
    "OOM",
    "Fail",
    "NotReady",
    "Lost",
    "Evicted",
    "Backoff",
    "BackOff",
    "Unknown",
    "Invalid",
    "ErrImage",
)


def all_kinds() -> tuple[str, ...]:
    return (*ORDER, *(kind.name for kind in KINDS if kind.name not in ORDER))


def fitting(shown: Sequence[Column], width: int, shift: int = 0) -> list[Column]:
    """The columns that fit, by importance, in their own order; with `shift` the name and what
    stands further to the right."""
    room = width - 1
    kept: set[str] = set()
    if shift:
        first = next((column for column in shown if not column.width), shown[0])
        shown = [first, *[column for column in shown if column is not first][shift:]]
    for column in shown if shift else sorted(shown, key=lambda c: c.order):
        need = (column.width or NAME_MINIMUM) + 1
        if need <= room or not kept:
            kept.add(column.name)
            room -= need
    return [column for column in shown if column.name in kept]


def headings(table: ObjectTable, shown: Sequence[Column]) -> list[Heading]:
    """Titles; the one that is sorted by carries an arrow."""
    result = []
    for column in shown:
        arrow = (" ↓" if table.reverse else " ↑") if column is table.sort_by else ""
        result.append(Heading(column.name + arrow, column.width, column.type is Type.NUMBER))
    return result


def cells(table: ObjectTable, row: int, shown: Sequence[Column], now: datetime) -> list[Span]:
    texts = table.cells(row, shown, now)
    return [(text, _style(column, text)) for column, text in zip(shown, texts, strict=True)]


def _style(column: Column, text: str) -> str:
    """Looks of a cell. What it means is in its words already."""
    if column.name in ("status", "type"):
        if any(bad in text for bad in BAD_WORDS):
            return "critical"
        return "plain" if text in GOOD_WORDS or not text else "warning"
    if column.type is Type.SHARE:
        have, _, of = text.partition("/")
        return "warning" if have != of else "plain"
    if column.name == "keys" and text == "0":
        return "warning"
    if column.name in ("restarts", "failed") and text not in ("", "0"):
        return "warning"
    return "strong" if column.name == "name" else "plain"


def state_line(
    table: ObjectTable, kind: Freshness | None, problem: str, now: datetime, width: int
) -> Line:
    """What the rows are worth: loading, live, stale, forbidden, absent and none are six different
    sentences."""
    name = kinds_name(table.kind)
    order = f"by {table.sort_by.name}" + (
        ", reversed" if table.reverse != table.sort_by.worst_first else ""
    )
    if problem:
        return line(" ", (problem, "warning"))
    if kind is None:
        return line(" ", (f"{name} are not watched", "unknown"))
    words, style = freshness(kind, now)
    shown = (
        f"{count(len(table))} of {count(table.total)} {name}"
        if table.filter.text
        else kinds_count(table.total, table.kind)
    )
    match kind.state:
        case State.LIVE:
            heard = f"heard {age((now - kind.heard).total_seconds())} ago" if kind.heard else "live"
            return line(" ", (shown, "strong"), f"  {order}  ", (heard, "muted"))
        case State.STALE:
            since = f", as of {clock(kind.heard, now)} UTC" if kind.heard else ""
            return line(
                " ", (shown, "strong"), f"  {order}  ", (f"STALE{since}: {kind.reason}", "warning")
            )
        case State.LOADING | State.WAITING:
            return line(
                " ",
                (f"{name}: {words}", "unknown"),
                "  what is shown is a part" if table.total else "",
            )
        case _:
            return line(" ", (f"{name}: {words}. {kind.reason}", style))


def empty_lines(
    table: ObjectTable, kind: Freshness | None, now: datetime, width: int
) -> list[Line]:
    """In place of rows: why there are none. Only a complete list may say that there are none."""
    name = kinds_name(table.kind)
    if kind is None or kind.state is State.WAITING:
        text, style = f"Not asked yet: {name}.", "unknown"
    elif kind.state is State.LOADING:
        text, style = f"Loading {name} …", "unknown"
    elif kind.state is State.FORBIDDEN:
        text, style = f"You may not list {name}. {kind.reason}", "warning"
    elif kind.state is State.ABSENT:
        text, style = f"This server does not offer {name}.", "muted"
    elif table.total:
        text, style = (
            f"None of {count(table.total)} {name} matches “{table.filter.text}”. f changes the "
            "filter.",
            "unknown",
        )
    else:
        as_of = f" as of {clock(kind.heard, now)} UTC" if kind.heard else ""
        text, style = (
            f"There are no {name}{as_of}{', which is stale' if kind.state is State.STALE else ''}.",
            "plain",
        )
    return [Line(), *wrap(line(" ", (text, style)), width, 1)]


def kind_lines(words: str, kinds: Sequence[Freshness], now: datetime, width: int) -> list[Line]:
    """The kinds to choose from, each with its count and its state."""
    known = {kind.kind: kind for kind in kinds}
    lines = []
    for name in all_kinds():
        if words.lower() not in f"{name} {kinds_name(name)}".lower():
            continue
        kind = known.get(name)
        state, style = freshness(kind, now) if kind else ("not watched", "muted")
        rows = count(kind.count) if kind and (kind.count or kind.complete()) else "?"
        lines.append(
            columns(
                ("", 0),
                (kinds_name(name), 26, "strong"),
                (rows.rjust(8), 8),
                (state, 24, style),
                gap=1,
                target=name,
            )
        )
    return lines or [line(" ", ("No kind has that in its name.", "unknown"))]

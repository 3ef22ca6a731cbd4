"""The tables of objects: which columns fit, the look of a cell, and how current the rows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from cluster.kube.kinds import KINDS, READABLE
from cluster.kube.objects import Ref
from cluster.live.freshness import Freshness, WatchState
from incident.other_kinds import OtherKind, ServerTable
from incident.tables.columns import Column, Type
from incident.tables.table import ObjectTable
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, Span, columns, line
from text.words import clock, count, freshness, kinds_count, kinds_name


class Heading(msgspec.Struct, frozen=True):
    """Title of a column. `width` in cells; 0 takes what is left. `is_name`: a long text keeps its
    end."""

    title: str
    width: int
    right: bool = False
    is_name: bool = False


NAME_MINIMUM = 26
STATUS_MINIMUM = 10
"""Cells in which `NotReady` and `CrashLoop…` can be told apart."""

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
    return tuple(kind.name for kind in KINDS)


def fitting(shown: Sequence[Column], width: int, shift: int = 0) -> list[Column]:
    """The columns that fit, chosen by importance, in their own order; a status that does not is
    cut. `shift` keeps the name and starts further to the right."""
    room = width - 1
    kept: dict[str, Column] = {}
    if shift:
        first = next((column for column in shown if not column.width), shown[0])
        shown = [first, *[column for column in shown if column is not first][shift:]]
    for column in shown if shift else sorted(shown, key=lambda c: c.order):
        need = (column.width or NAME_MINIMUM) + 1
        if column.name == "status" and room > STATUS_MINIMUM:
            need = min(need, room)
            column = replace(column, width=need - 1)
        if need <= room or not kept:
            kept[column.name] = column
            room -= need
    return [kept[column.name] for column in shown if column.name in kept]


def headings(table: ObjectTable, shown: Sequence[Column]) -> list[Heading]:
    """Titles; the one that is sorted by carries an arrow."""
    arrow = "↓" if table.order.reverse else "↑"
    by = None if table.order.broken_first else table.order.by

    def title(column: Column) -> str:
        apart = " " if not column.width or len(column.name) + 2 <= column.width else ""
        return (
            f"{column.name}{apart}{arrow}"
            if by is not None and column.name == by.name
            else column.name
        )

    return [
        Heading(title(each), each.width, each.type is Type.NUMBER, each.name == "name")
        for each in shown
    ]


def cells(table: ObjectTable, row: int, shown: Sequence[Column], now: datetime) -> list[Span]:
    """The cells of a row."""
    texts = table.cells(row, shown, now)
    return [(text, _style(column, text)) for column, text in zip(shown, texts, strict=True)]


def _style(column: Column, text: str) -> str:
    """Style of a cell. Its words say the same without colour."""
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


def state_line(table: ObjectTable, kind: Freshness | None, problem: str, now: datetime) -> Line:
    """How current the rows are: loading, live, stale, forbidden, absent and none are six different
    sentences."""
    name = kinds_name(table.kind)
    if problem:
        return line(" ", (problem, "warning"))
    if kind is None:
        return line(" ", (f"{name} are not watched", "unknown"))
    turned = ", reversed" if table.order.reverse != table.order.by.worst_first else ""
    by = "broken first" if table.order.broken_first else f"by {table.order.by.name}"
    order = f"  {by}{turned}  "
    if table.filter.text:
        shown = f"{count(len(table))} of {count(table.total)} {name}"
    else:
        shown = kinds_count(table.total, table.kind)
    shown += f", {count(table.broken)} broken" if table.broken else ""
    if table.marked:
        beside = table.beside_filter(now) if table.filter.text else 0
        shown += f", {count(len(table.marked))} marked"
        shown += f" ({count(beside)} beside the filter)" if beside else ""
    words, style = freshness(kind, now)
    match kind.state:
        case WatchState.LIVE:
            heard = f"heard {words} ago" if kind.heard else "live"
            return line(" ", (shown, "strong"), order, (heard, "muted"))
        case WatchState.STALE:
            since = f", as of {clock(kind.heard, now)} UTC" if kind.heard else ""
            return line(" ", (shown, "strong"), order, (f"STALE{since}: {kind.reason}", "warning"))
        case WatchState.LOADING | WatchState.WAITING:
            part = "  what is shown is a part" if table.total else ""
            return line(" ", (f"{name}: {words}", "unknown"), part)
        case _:
            return line(" ", (f"{name}: {words}. {kind.reason}", style))


def empty_lines(
    table: ObjectTable, kind: Freshness | None, now: datetime, keys: Keys = NO_KEYS
) -> list[Line]:
    """Shown instead of rows: why there are none. Only a complete list may say that none exist."""
    name = kinds_name(table.kind)
    hint = ""
    if kind is None:
        text, style = f"No cluster was asked for {name}.", "unknown"
        hint = named("  {.contexts} opens one", keys)
    elif kind.state is WatchState.WAITING:
        text, style = f"Not read yet: {name}.", "unknown"
    elif kind.state is WatchState.LOADING:
        text, style = f"Loading {name} …", "unknown"
    elif kind.state is WatchState.FORBIDDEN:
        text, style = f"You may not list {name}. {kind.reason}", "warning"
    elif kind.state is WatchState.ABSENT:
        text, style = f"This server does not offer {name}.", "muted"
    elif not table.ready:
        text, style = f"Sorting {name} …", "unknown"
    elif table.total:
        only = table.total == 1
        of = (
            f"The only {table.kind} does not match"
            if only
            else (f"None of {count(table.total)} {name} matches")
        )
        text, style = f"{of} “{table.filter.text}”.", "unknown"
        hint = named(" {objects.filter} changes the filter.", keys)
    else:
        as_of = f" as of {clock(kind.heard, now)} UTC" if kind.heard else ""
        stale = ", which is stale" if kind.state is WatchState.STALE else ""
        text, style = f"There are no {name}{as_of}{stale}.", "plain"
    return [BLANK, line(" ", (text, style), (hint, HINT), hang=1)]


def _kinds_named(words: str) -> list[str]:
    """The kinds with a name, plural or short name that begins with the words, then those that
    contain them. An exact short name comes first."""
    found: list[tuple[int, int, str]] = []
    for at, kind in enumerate(KINDS):
        spellings = (*kind.spellings, kinds_name(kind.name).lower())
        if words in spellings:
            found.append((0, at, kind.name))
        elif any(each.startswith(words) for each in spellings):
            found.append((1, at, kind.name))
        elif any(words in each for each in spellings):
            found.append((2, at, kind.name))
    return [name for _, _, name in sorted(found)]


def table_lines(table: ServerTable, kind: OtherKind) -> list[Line]:
    """The server's own table of a kind that is not watched."""
    lines = [line(" ", (table.problem, "warning"), hang=1)] if table.problem else []
    if not table.rows:
        return lines or [BLANK, line(" ", f"There are no {kind.plural}.")]
    rows = (table.columns, *table.rows)
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    for number, row in enumerate(rows):
        cells_ = [(text, min(width, 48)) for text, width in zip(row, widths, strict=True)]
        style = "muted" if number == 0 else "plain"
        ref = table.refs[number - 1] if 0 < number <= len(table.refs) else None
        target = "|".join(ref) if ref is not None and ref.name else ""
        lines.append(columns(*((text, width, style) for text, width in cells_), target=target))
    return lines


def mention_lines(refs: Sequence[Ref], words: str) -> list[Line]:
    """Objects to choose from, filtered by words."""
    found = [ref for ref in refs if all(word in str(ref).lower() for word in words.lower().split())]
    lines = [
        line(
            " ", (ref.kind, "muted"), f" {str(ref).partition(' ')[2]}", target="|".join(ref), hang=3
        )
        for ref in found
    ]
    return lines or [line(" ", ("No object named here has that in its name.", "unknown"))]


def ref_of(target: str) -> Ref:
    """The object that a target of a line names."""
    kind, namespace, name = target.split("|", 2)
    return Ref(kind, namespace, name)


def kind_lines(
    words: str,
    kinds: Sequence[Freshness],
    now: datetime,
    others: Sequence[OtherKind] | None = (),
) -> list[Line]:
    """The kinds to choose from: those that are watched, each with its count and its state, then the
    others of the server, whose target is `api version|plural`; a kind with exactly that name comes
    first. `others` is None until the server has said which there are."""
    words = words.strip().lower()
    known = {kind.kind: kind for kind in kinds}
    lines = []
    for name in _kinds_named(words):
        kind = known.get(name)
        state, style = freshness(kind, now) if kind else ("not watched", "muted")
        rows = count(kind.count) if kind and (kind.count or kind.complete()) else "?"
        short = ",".join(READABLE[name].short_names)
        texts = (
            (kinds_name(name), 26, "strong"),
            (short, 8, "muted"),
            (f"{rows:>8}", 8),
            (state, 24, style),
        )
        lines.append(columns(*texts, target=name))
    exact: list[Line] = []
    for other in others or ():
        if other.is_called(words):
            names = (other.plural, other.name.lower(), *other.short_names)
            (exact if words in names else lines).append(
                columns(
                    (other.plural, 26, "strong"),
                    (",".join(other.short_names), 8, "muted"),
                    (other.api_version, 33, "muted"),
                    target=f"{other.api_version}|{other.plural}",
                )
            )
    if exact and (not lines or words not in _spellings(lines[0].target)):
        lines = [*exact, *lines]
    else:
        lines += exact
    if others is None:
        lines.append(line(" ", ("asking the server for its other kinds …", "unknown")))
    return lines or [line(" ", ("No kind has that in its name.", "unknown"))]


def _spellings(name: str) -> Sequence[str]:
    return READABLE[name].spellings if name in READABLE else ()

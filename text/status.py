"""The status line of every screen: the cluster, the mode, the age of each kind, and whether the
last entry is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.live.freshness import Freshness, WatchState
from incident.view import Activity, Connection, RecordView, View
from text.keys import NO_KEYS, Keys, named
from text.lines import HINT, Line, Span, line, rows, shorten
from text.words import REACH, age, clock, count, freshness, kinds_name, plural, reach

ALWAYS = ("Node", "Pod", "Event")
STATES = (
    WatchState.FORBIDDEN,
    WatchState.STALE,
    WatchState.LOADING,
    WatchState.WAITING,
    WatchState.ABSENT,
    WatchState.LIVE,
)
"""In the order in which kinds are listed."""

AGES_AS_TEXT = 160
"""Cells for the ages of the kinds on the command line."""


def status_lines(
    view: View, now: datetime, width: int, height: int = 40, keys: Keys = NO_KEYS
) -> list[Line]:
    """One line when it fits, two on a narrow terminal; on a very small one only the essentials."""
    where, record = _where(view, now, width), _record(view.record)
    if width < 60 or height < 16:
        return [_fill(_where(view, now, 30)[:3], record[-1:], width)]
    ages = _ages(view.kinds, now)
    if sum(len(text) + 2 for text, _ in [*where, *ages, *record]) + 1 <= width:
        return [_fill([*where, *ages], record, width)]
    return [_fill(where, record, width), _fill(_fitting(ages, width - 2, keys), [], width)]


def summary_line(view: View, now: datetime) -> Line:
    """The same on one line; of many kinds that are not live only their number."""
    spans = [*_where(view, now, 400), *_fitting(_ages(view.kinds, now), AGES_AS_TEXT, NO_KEYS)]
    return line(*_spaced(spans), f"  as of {clock(now)} UTC", hang=2)


def _where(view: View, now: datetime, width: int) -> list[Span]:
    offline = view.api.reach is Connection.OFFLINE
    spans: list[Span] = []
    if view.context or not offline:
        name = shorten(view.context, max(14, width // 3)) or "no context"
        spans.append((name, "context"))
    words = reach(view.api, now)
    if words[0]:
        spans.append(words)
    if not offline:
        spans.append(("CAN CHANGE", "change") if view.write else ("read-only", "plain"))
    if view.namespaces:
        spans.append((shorten("ns " + ",".join(view.namespaces), 24), "plain"))
    if view.server and not offline and width >= 60:
        spans.append((shorten(view.server, max(16, width // 3)), "muted"))
    if view.api.skew:
        sign = "+" if view.api.skew > timedelta() else "-"
        spans.append((f"server clock {sign}{durations.words(abs(view.api.skew))}", "warning"))
    return spans


def _ages(kinds: Sequence[Freshness], now: datetime) -> list[Span]:
    """Always nodes, pods and events; of the other kinds those that are not live; a count of the
    rest."""
    spans: list[Span] = []
    live = 0
    for kind in sorted(kinds, key=_order):
        words, style = freshness(kind, now)
        if kind.kind in ALWAYS:
            spans.append((f"{kinds_name(kind.kind)} {words}", style))
        elif kind.state is WatchState.LIVE:
            live += 1
        elif kind.state is not WatchState.ABSENT:
            spans.append((f"{kinds_name(kind.kind)}: {words}", style))
    if live:
        spans.append((f"+{live} live", "muted"))
    return spans


def importance(kind: str) -> tuple[int, str]:
    """The order of kinds by name: those of `ALWAYS` first."""
    return ALWAYS.index(kind) if kind in ALWAYS else len(ALWAYS), kind


def _order(kind: Freshness) -> tuple[int, int, str]:
    return importance(kind.kind)[0], STATES.index(kind.state), kind.kind


def _fitting(ages: Sequence[Span], width: int, keys: Keys) -> list[Span]:
    """As many ages as fit, and how many are left out."""
    kept: list[Span] = []
    used = 0
    for index, span in enumerate(ages):
        need = len(span[0]) + 2
        last = index == len(ages) - 1
        if used + need + (0 if last else 18) > width:
            look = "warning" if any(style != "plain" for _, style in ages[index:]) else "muted"
            key = named(" (key {.connection})", keys)
            return [*kept, (f"+{len(ages) - index} more{key}", look)]
        kept.append(span)
        used += need
    return kept


def _record(record: RecordView) -> list[Span]:
    if record.state == "none":
        return [("nothing is recorded", "warning")]
    incident, kept = (f"INC {record.incident}", "plain"), f"rec {count(record.entries)}"
    if record.refused:
        return [incident, (f"{kept}, {count(record.refused)} NOT RECORDED", "critical")]
    if record.state != "ok":
        return [incident, (f"{kept} NOT IN FILE, beside it", "critical")]
    if record.waiting:
        return [incident, (f"{kept}, {record.waiting} not on disk yet", "warning")]
    return [incident, (f"{kept} ok", "good")]


def _spaced(spans: Sequence[Span]) -> list[Span]:
    """Two spaces between spans."""
    return [each for span in spans for each in (("  ", "plain"), span)][1:]


def _fill(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """One row with spans at both edges; those at the right always stay."""
    tail = _spaced(right)
    room = width - line(*tail).width - 3  # a cell of margin, two between the edges
    kept: list[Span] = []
    for text, style in left:
        if room < 4:
            break
        text = shorten(text, room)
        kept.append((text, style))
        room -= line(text).width + 2
    return rows(line(" ", *_spaced(kept), right=tail), width)[0]


def banner_lines(view: View, now: datetime, keys: Keys = NO_KEYS) -> list[Line]:
    """What every screen must say: the server is lost, or the record's file refuses. Empty when all
    is well."""
    said, record = trouble_lines(view, now, keys), view.record
    if record.state == "sidecar":
        text = f": entries wait beside it. {record.reason}"
        said.append(line(" ", ("The record's file refuses", "critical"), text, hang=1))
    elif record.state == "refused":
        lost = f"{plural(record.refused, 'entry is', 'entries are')} NOT RECORDED"
        text = f": {record.reason}. Tried again every second."
        said.append(line(" ", (lost, "critical"), text, hang=1))
    elif record.state == "none" and record.reason:
        said.append(line(" ", ("Nothing is recorded", "warning"), f": {record.reason}", hang=1))
    for intent in record.unknown:
        text = f": {intent.text} ({clock(intent.occurred_at)} UTC). Check before you repeat it."
        said.append(line(" ", ("The outcome of a change is not known", "critical"), text, hang=1))
    return said


def trouble_lines(view: View, now: datetime, keys: Keys = NO_KEYS) -> list[Line]:
    """What is wrong with the connection to the server, or with this program."""
    api = view.api
    said: list[Line] = []
    if api.reach in (Connection.LOST, Connection.DEGRADED, Connection.BUSY):
        lost = api.reach is Connection.LOST
        what, _ = REACH[api.reach]
        shown = f" Shown is what was at {clock(api.heard, now)}." if api.heard and lost else ""
        said.append(
            line(
                " ",
                (what, "critical"),
                f" since {clock(api.since, now)} UTC",
                (named(" ({.connection} why, {.retry} retry)", keys), HINT),
                f".{shown} {api.reason}",
                hang=1,
            )
        )
    if view.problem and api.reach is not Connection.OFFLINE:
        said.append(line(" ", ("Something broke", "critical"), f": {view.problem}", hang=1))
    return said


def two_rows(said: Line, width: int) -> Sequence[Line]:
    """At most two rows of `width` cells; an ellipsis marks what does not fit."""
    found = rows(said, width)
    if len(found) <= 2:
        return found
    *before, (text, style) = found[1].spans
    room = width - line(*before).width - 2
    cut = shorten(text.rstrip(), room).removesuffix("…") + " …"
    return [found[0], line(*before, (cut, style))]


def activity_line(
    activities: Sequence[Activity], now: datetime, width: int, keys: Keys = NO_KEYS
) -> Line | None:
    """What runs now, for how long, and the key that stops it here, if any. None when nothing
    runs."""
    if not activities:
        return None
    first = activities[0]
    more = f"  and {len(activities) - 1} more" if len(activities) > 1 else ""
    room = max(10, width - 24)
    text = shorten(first.title, room)
    if first.detail:  # the detail changes, so it is shown whole
        title = shorten(first.title, max(16, room - len(first.detail) - 2))
        text = shorten(f"{title}  {first.detail}", room)
    elapsed = f"  {age((now - first.started).total_seconds())}"
    stop = (named("  {.stop} stop", keys) if first.can_stop else "", HINT)
    return line(" ", ("running ", "info"), text, elapsed, (more, "muted"), stop)

"""The status line, always there: which cluster, may it be changed, how old is each answer, is the
last entry on disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cluster.kube.durations import words
from cluster.live.freshness import Freshness, State
from incident.view import Activity, Reach, RecordView, View
from text.lines import Line, Span, line, shorten, wrap
from text.words import age, clock, count, freshness, kinds_name, reach

ALWAYS = ("Node", "Pod", "Event")
GAP: Span = ("  ", "plain")


def status_lines(view: View, now: datetime, width: int, height: int = 40) -> list[Line]:
    """One line when it fits, two on a narrow terminal; on a very small one only what cannot be
    missed."""
    where = _where(view, now, width)
    ages = _ages(view.kinds, now)
    record = _record(view.record)
    if width < 60 or height < 16:
        return [_fill([*_where(view, now, 30)[:3]], record[-1:], width)]
    together = _fill([*where, *ages], record, width)
    if _size([*where, *ages], record) <= width:
        return [together]
    return [_fill(where, record, width), _fill(_fitting(view.kinds, now, width - 2), [], width)]


def _where(view: View, now: datetime, width: int) -> list[Span]:
    state, style = reach(view.api, now)
    offline = view.api.reach is Reach.OFFLINE
    spans: list[Span] = (
        []
        if offline and not view.context
        else [(shorten(view.context, max(14, width // 3)) or "no context", "strong")]
    )
    if state:
        spans.append((state, style))
    if view.api.reach is not Reach.OFFLINE:
        spans.append(("CAN CHANGE", "change") if view.write else ("read-only", "plain"))
    if view.namespaces:
        spans.append((shorten("ns " + ",".join(view.namespaces), 24), "plain"))
    if view.server and view.api.reach is not Reach.OFFLINE and width >= 60:
        spans.append((shorten(view.server, max(16, width // 3)), "muted"))
    if view.api.skew:
        spans.append((f"server clock {skew_words(view.api.skew)}", "warning"))
    return spans


def skew_words(skew: timedelta) -> str:
    """By how much the server's clock differs from this machine's: "+60 min", "-8 s"."""
    return f"{'+' if skew > timedelta() else '-'}{words(abs(skew))}"


def _ages(kinds: Sequence[Freshness], now: datetime) -> list[Span]:
    """Nodes, pods and events always; of the others those that are not live; the rest is counted."""
    spans: list[Span] = []
    quiet = 0
    for kind in sorted(kinds, key=_order):
        heard, style = freshness(kind, now)
        if kind.kind in ALWAYS:
            spans.append((f"{kinds_name(kind.kind)} {heard}", style))
        elif kind.state in (State.LIVE, State.ABSENT):
            quiet += kind.state is State.LIVE
        else:
            spans.append((f"{kinds_name(kind.kind)}: {heard}", style))
    if quiet:
        spans.append((f"+{quiet} live", "muted"))
    return spans


def _fitting(kinds: Sequence[Freshness], now: datetime, width: int) -> list[Span]:
    """As many ages as fit, and how many more there are: `a` shows all."""
    spans = _ages(kinds, now)
    kept: list[Span] = []
    used = 0
    for index, span in enumerate(spans):
        rest = len(spans) - index - 1
        need = len(span[0]) + 2
        if used + need + (14 if rest else 0) > width:
            return [
                *kept,
                (
                    f"+{len(spans) - index} more: a",
                    "warning" if any(s != "plain" for _, s in spans[index:]) else "muted",
                ),
            ]
        kept.append(span)
        used += need
    return kept


def _order(kind: Freshness) -> tuple[int, int, str]:
    first = ALWAYS.index(kind.kind) if kind.kind in ALWAYS else len(ALWAYS)
    states = (State.FORBIDDEN, State.STALE, State.LOADING, State.WAITING, State.ABSENT, State.LIVE)
    return first, states.index(kind.state), kind.kind


def _record(record: RecordView) -> list[Span]:
    if record.state == "none":
        return [("nothing is recorded", "warning")]
    if record.refused:
        return [
            (f"INC {record.incident}", "plain"),
            (f"rec {count(record.entries)}, {count(record.refused)} NOT RECORDED", "critical"),
        ]
    if record.state == "ok":
        said = (f"rec {count(record.entries)} ok", "good")
        if record.waiting:
            said = (f"rec {count(record.entries)}, {record.waiting} not on disk yet", "warning")
        return [(f"INC {record.incident}", "plain"), said]
    return [
        (f"INC {record.incident}", "plain"),
        (f"rec {count(record.entries)} NOT IN FILE, beside it", "critical"),
    ]


def _size(left: Sequence[Span], right: Sequence[Span]) -> int:
    return sum(len(text) + 2 for text, _ in [*left, *right]) + 1


def _fill(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """Pieces from the left and spans at the right edge, in one line of `width` cells; the right
    ones are never pushed out."""
    tail: list[Span] = []
    for span in right:
        tail += [GAP, span]
    tail_width = line(*tail).width + 1
    head: list[str | Span] = [" "]
    room = width - tail_width - 1
    for index, (text, style) in enumerate(left):
        gap = 2 if index else 0
        if room - gap < 4:
            break
        text = shorten(text, room - gap)
        head += [" " * gap, (text, style)] if gap else [(text, style)]
        room -= gap + line(text).width
    return line(*head, " " * max(0, room), *tail)


def banner_lines(view: View, now: datetime, width: int) -> list[Line]:
    """What one must know on every screen: the server is lost, or the record's file refuses. Empty
    when all is well."""
    lines: list[Line] = []
    api = view.api
    if api.reach in (Reach.LOST, Reach.DEGRADED):
        what = "does NOT answer" if api.reach is Reach.LOST else "answers slowly or in part"
        shown = (
            f" Shown is what was at {clock(api.heard, now)}."
            if api.heard and api.reach is Reach.LOST
            else ""
        )
        said = line(
            " ",
            (f"The API server {what}", "critical"),
            f" since {clock(api.since, now)} UTC (",
            ("a", "key"),
            " why, ",
            ("r", "key"),
            f" retry).{shown} {api.reason}",
        )
        lines += _two(said, width)
    if view.problem and api.reach is not Reach.OFFLINE:
        lines += _two(line(" ", ("Something broke", "critical"), f": {view.problem}"), width)
    if view.record.state == "sidecar":
        lines += _two(
            line(
                " ",
                ("The record's file refuses", "critical"),
                f": entries wait beside it. {view.record.reason}",
            ),
            width,
        )
    elif view.record.state == "refused":
        lines += _two(
            line(
                " ",
                (f"{count(view.record.refused)} entries are NOT RECORDED", "critical"),
                f": {view.record.reason}. They are tried again every second.",
            ),
            width,
        )
    elif view.record.state == "none" and view.record.reason:
        lines += _two(
            line(" ", ("Nothing is recorded", "warning"), f": {view.record.reason}"), width
        )
    return lines


def _two(said: Line, width: int) -> list[Line]:
    """At most two lines of `width` cells; what does not fit is seen to be missing."""
    rows = wrap(said, width, 1)
    if len(rows) <= 2:
        return rows
    *before, (text, style) = rows[1].spans
    room = width - line(*before).width - 2
    return [rows[0], line(*before, (shorten(text.rstrip(), room).removesuffix("…") + " …", style))]


def activity_line(activities: Sequence[Activity], now: datetime, width: int) -> Line | None:
    """What runs now, for how long, and that it can be stopped; None when nothing does."""
    if not activities:
        return None
    first = activities[0]
    more = f"  and {len(activities) - 1} more" if len(activities) > 1 else ""
    stop = "  x stop" if first.can_stop else ""
    detail = f"  {first.detail}" if first.detail else ""
    text = shorten(f"{first.title}{detail}", max(10, width - 24))
    return line(
        " ",
        ("running ", "info"),
        text,
        f"  {age((now - first.started).total_seconds())}",
        (more, "muted"),
        (stop, "key"),
    )

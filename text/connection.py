"""The connection: the path to the API server, the hop that fails and since when, and the state of
each kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.live.freshness import Freshness, WatchState
from incident.view import ApiView, Connection, HopView, View
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, columns, field, line, prose, rule
from text.words import REACH, ago, clock, count, freshness, kinds_name, plural
from triage.facts.finding import Report

HOP = {True: ("ok", "good"), False: ("FAILS", "critical"), None: ("not tried", "unknown")}


def connection_lines(view: View, now: datetime) -> list[Line]:
    """The whole connection: the server, the ladder, the kinds, the record."""
    lines = [*_server(view, now), *_load(view.api)]
    if view.api.hops:
        lines += [BLANK, rule("the path there, from this machine"), *hop_lines(view.api.hops)]
    lines += [BLANK, rule("what is known of each kind")]
    reasons = view.api.reach is not Connection.LOST
    lines += [kind_line(kind, now, reasons) for kind in view.kinds]
    if not view.kinds:
        lines.append(line((" nothing was read yet", "unknown")))
    if gaps := gap_lines(view.report):
        lines += [BLANK, rule("not looked at"), *gaps]
    record = view.record
    if record.state != "ok":
        lines += [BLANK, rule("record"), *prose(record.reason or "Nothing is recorded.", "warning")]
    elif record.head:
        entries = plural(record.entries, "entry", "entries")
        lines += [BLANK, field("record", f"{entries}, head {record.head[:16]}")]
    return lines


def _server(view: View, now: datetime) -> list[Line]:
    api = view.api
    since = f" since {clock(api.since, now)} UTC ({ago(api.since, now)})."
    lines = [line(" ", REACH[api.reach], since, hang=1)]
    if view.server:
        context = (f"  context {view.context or 'none'}", "muted")
        lines.append(field("server", view.server, context))
    if api.reason:
        lines.append(field("reason", (api.reason, "warning")))
    if view.problem:
        lines.append(field("problem", (view.problem, "warning")))
    return lines


def _load(api: ApiView) -> list[Line]:
    lines = []
    if api.heard is not None:
        lines.append(field("heard", f"last answer at {clock(api.heard)} UTC"))
    if api.requests_per_minute:
        requests = plural(api.requests_per_minute, "request")
        lines.append(field("load", f"{requests} a minute from this program"))
    return lines + clock_lines(api)


def clock_lines(api: ApiView) -> list[Line]:
    """The difference between the server's clock and this machine's, when it matters."""
    if not api.skew:
        return []
    ahead = "ahead of" if api.skew > timedelta() else "behind"
    text = f"the server's clock is {durations.words(abs(api.skew))} {ahead} this machine's"
    return [field("clock", (f"{text}; times are the server's", "warning"))]


def hop_lines(hops: Sequence[HopView]) -> list[Line]:
    """The ladder: each hop in words. Hops after a failing one were not tried."""
    lines = []
    for hop in hops:
        word, style = HOP[hop.ok]
        took = f"{hop.seconds * 1000:.0f} ms" if hop.seconds is not None else ""
        name = (f" {hop.name:<8}", "strong")
        lines.append(line(name, (f"{word:<11}", style), f"{took:>8}  {hop.detail}", hang=30))
    return lines


def kind_line(kind: Freshness, now: datetime, reasons: bool = True) -> Line:
    """One kind. While the server is lost, the reason stands above the list instead of beside each
    kind."""
    words, style = freshness(kind, now)
    if kind.state is WatchState.LIVE:
        words, style = f"live, heard {words} ago" if kind.heard else "live", "good"
    rows = f"{count(kind.count):>9}" if kind.complete() or kind.count else f"{'?':>9}"
    head = columns((kinds_name(kind.kind), 24), (rows, 9), (words, 24, style))
    reason = (f"  {kind.reason}", "muted") if kind.reason and reasons else ""
    return line(*head.spans, reason, hang=4)


def gap_lines(
    report: Report | None,
    limit: int = 0,
    *,
    quiet: bool = True,
    head: str = "",
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """What was not examined, and why. `quiet`: include what clusters usually do not offer."""
    gaps = [gap for gap in report.unavailable if quiet or not gap.quiet] if report else []
    shown = gaps[:limit] if limit else gaps
    lines = [
        line(" ", (head + gap.what, "muted" if gap.quiet else "warning"), f"  {gap.why}", hang=3)
        for gap in shown
    ]
    if len(gaps) > len(shown):
        lines.append(
            line(
                (f" and {len(gaps) - len(shown)} more", "muted"),
                (named("  {.connection} all", keys), HINT),
            )
        )
    return lines

"""How far the way to the API server works, which hop fails and since when, and what is known of
each kind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cluster.kube.durations import words as span
from cluster.live.freshness import Freshness, State
from incident.view import HopView, Reach, View
from text.lines import BLANK, Line, columns, line, paragraphs, rule, wrap
from text.words import ago, clock, count, freshness, kinds_name

REACH: dict[Reach, tuple[str, str]] = {
    Reach.CONNECTING: ("connecting", "unknown"),
    Reach.LIVE: ("answers", "good"),
    Reach.DEGRADED: ("answers slowly or in part", "warning"),
    Reach.LOST: ("does NOT answer", "critical"),
    Reach.OFFLINE: ("there is none to ask", "unknown"),
}


def connection_lines(view: View, now: datetime, width: int) -> list[Line]:
    api = view.api
    word, style = REACH[api.reach]
    lines = wrap(
        line(
            " The API server ",
            (word, style),
            f" since {clock(api.since, now)} UTC ({ago(api.since, now)}).",
        ),
        width,
        1,
    )
    if view.server:
        lines += wrap(
            line(
                (" server   ", "muted"),
                view.server,
                ("  context ", "muted"),
                view.context or "none",
            ),
            width,
            10,
        )
    if api.reason:
        lines += wrap(line((" reason   ", "muted"), (api.reason, "warning")), width, 10)
    if view.problem:
        lines += wrap(line((" problem  ", "muted"), (view.problem, "warning")), width, 10)
    if api.heard is not None:
        lines.append(
            line(
                (" heard    ", "muted"),
                f"last answer at {clock(api.heard, now)} UTC, {ago(api.heard, now)} ago",
            )
        )
    if api.requests_per_minute:
        lines.append(
            line(
                (" load     ", "muted"),
                f"{count(api.requests_per_minute)} requests a minute from this program",
            )
        )
    if api.skew:
        ahead = "ahead of" if api.skew > timedelta() else "behind"
        lines += wrap(
            line(
                (" clock    ", "muted"),
                (
                    f"the server's clock is {span(abs(api.skew))} {ahead} this machine's",
                    "warning",
                ),
            ),
            width,
            10,
        )
    if api.hops:
        lines += [BLANK, rule("the way there, from this machine", width)]
        lines += hop_lines(api.hops, width)
    lines += [BLANK, rule("what is known of each kind", width)]
    lines += [
        row for kind in view.kinds for row in _kind(kind, now, width, api.reach is not Reach.LOST)
    ]
    if not view.kinds:
        lines.append(line((" nothing was asked yet", "unknown")))
    report = view.report
    if report is not None and report.unavailable:
        lines += [BLANK, rule("not looked at", width)]
        lines += [
            row
            for gap in report.unavailable
            for row in wrap(
                line(" ", (gap.what, "muted" if gap.quiet else "warning"), f"  {gap.why}"), width, 3
            )
        ]
    if view.record.state != "ok":
        lines += [
            BLANK,
            rule("record", width),
            *paragraphs(view.record.reason or "Nothing is recorded.", width - 2, "warning", 1),
        ]
    elif view.record.head:
        lines += [
            BLANK,
            line(
                (" record   ", "muted"),
                f"{count(view.record.entries)} entries, head {view.record.head[:16]}",
            ),
        ]
    return lines


def hop_lines(hops: Sequence[HopView], width: int) -> list[Line]:
    """The ladder: each hop in words; those behind a failing one were not tried."""
    return [row for hop in hops for row in _hop(hop, width)]


def _hop(hop: HopView, width: int) -> list[Line]:
    word, style = {
        True: ("ok", "good"),
        False: ("FAILS", "critical"),
        None: ("not tried", "unknown"),
    }[hop.ok]
    took = f"{hop.seconds * 1000:.0f} ms" if hop.seconds is not None else ""
    return wrap(
        line(" ", (f"{hop.name:<8}", "strong"), (f"{word:<11}", style), f"{took:>8}  ", hop.detail),
        width,
        30,
    )


def _kind(kind: Freshness, now: datetime, width: int, reasons: bool) -> list[Line]:
    """One kind; while the server is lost its reason stands above, not beside each kind."""
    words, style = freshness(kind, now)
    if kind.state is State.LIVE:
        words = f"live, heard {words} ago" if kind.heard else "live"
    rows = f"{count(kind.count):>9}" if kind.complete() or kind.count else f"{'?':>9}"
    head = columns(
        ("", 0),
        (kinds_name(kind.kind), 24, "plain"),
        (rows, 9),
        (words, 24, "good" if kind.state is State.LIVE else style),
        gap=1,
    )
    return (
        wrap(Line((*head.spans, (f"  {line(kind.reason).text}", "muted"))), width, 4)
        if kind.reason and reasons
        else [head]
    )

"""The first screen without a symptom: what was read, what could not be read, what recovered."""

from __future__ import annotations

from datetime import datetime

from cluster.live.freshness import WatchState
from incident.view import Connection, View, nothing_readable
from text.connection import hop_lines
from text.keys import Keys, named
from text.lines import BLANK, HINT, Line, columns, field, line, prose, rule
from text.status import ALWAYS
from text.symptoms.changes import change_lines, distinct
from text.symptoms.headline import UNREAD, headline, unknown_lines
from text.words import ago, clock, freshness, kinds_count, kinds_name

WITHOUT_A_CLUSTER = (
    " Runbooks ({.runbook}), symptoms in words ({.symptom}), notes ({.note}), other contexts "
    "({.contexts}) and incidents ({.incidents}) work without a cluster."
)


def nothing_lines(view: View, now: datetime, keys: Keys) -> list[Line]:
    report, reach = view.report, view.api.reach
    healthy = report is not None and report.complete and reach is Connection.LIVE
    lines = [BLANK, *prose(headline(view, now), "good" if healthy else "unknown")]
    gaps = unknown_lines(view, 3, keys)
    if report is not None:
        lines += [*gaps, *recovered_lines(view, now)]
    asked = reach not in (Connection.LIVE, Connection.CONNECTING)
    if report is not None and not nothing_readable(view.kinds):
        lines += _read_lines(view, now, keys)
    if report is not None and asked and not nothing_readable(view.kinds):
        text = "That was the state then; the API server does not answer normally now."
        lines += prose(text, "warning")
    if report is None and reach is Connection.LOST:
        lines += [BLANK, *hop_lines(view.api.hops)]
    elif report is None and reach is not Connection.OFFLINE:
        loading = [kind for kind in view.kinds if kind.state in UNREAD]
        loading.sort(key=lambda kind: kind.state is WatchState.WAITING)
        lines += [BLANK] if loading else []
        lines += [
            columns((kinds_name(kind.kind), 24), (freshness(kind, now)[0], 30))
            for kind in loading[:8]
        ]
    if report is None and view.problem and reach is not Connection.OFFLINE:
        lines += [BLANK, *prose(view.problem, "warning")]
    if reach is Connection.OFFLINE:
        text = named(WITHOUT_A_CLUSTER, keys)
        lines += [BLANK, line((text, HINT), hang=1)]
    if report is not None and report.changes:
        lines += [
            BLANK,
            rule("last changes"),
            *change_lines(distinct(report.changes, report.changes), now, own=view.record.changed),
        ]
    return [*lines, BLANK, *gaps] if gaps and report is None else lines


def recovered_lines(view: View, now: datetime, limit: int = 3) -> list[Line]:
    """Symptoms that ended within the last hour: `gone since 03:12 UTC`."""
    gone = view.report.recovered[:limit] if view.report is not None else ()
    return [
        line((f" gone since {clock(each.gone, now)} UTC  ", "muted"), each.title, hang=6)
        for each in gone
        if each.gone is not None
    ]


def _read_lines(view: View, now: datetime, keys: Keys) -> list[Line]:
    """How many objects of each kind were read, and the age of the oldest answer."""
    read = [kind for kind in view.kinds if kind.heard is not None and kind.count]
    if not read:
        return []
    read.sort(key=lambda kind: (kind.kind not in ALWAYS, -kind.count))
    counts = ", ".join(kinds_count(kind.count, kind.kind) for kind in read)
    oldest = min(kind.heard for kind in read if kind.heard is not None)
    return [
        field("read", counts),
        field("age", f"the oldest of these answers is {ago(oldest, now)} old"),
    ]

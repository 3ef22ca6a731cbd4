"""Ranks runbooks for each symptom, and describes the API server for the faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cluster.health.ladder import Rung
from cluster.health.monitor import ApiHealth
from cluster.health.reach import Reach
from cluster.live.freshness import Freshness
from cluster.live.live_cluster import LiveCluster
from incident.view import ApiView, Connection, HopView, SymptomView
from runbooks.match import Match
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Report, Severity, Symptom

_REACH = {
    Reach.UNKNOWN: Connection.CONNECTING,
    Reach.REACHABLE: Connection.LIVE,
    Reach.DEGRADED: Connection.DEGRADED,
    Reach.BUSY: Connection.BUSY,
    Reach.UNREACHABLE: Connection.LOST,
}


def api_view(live: LiveCluster, kinds: Sequence[Freshness], since: datetime) -> ApiView:
    """The API server for the status line. `since` is the start of the investigation for a server
    that never answered."""
    health: ApiHealth = live.health
    offset = live.api.clock_offset
    reach, reason = _REACH[health.reach], health.reason
    if reach is Connection.LIVE:
        # The server answers its heartbeat, but every read fails: bad credentials, or only errors.
        reasons = [kind.reason for kind in kinds if kind.reason]
        if reasons and all(kind.heard is None for kind in kinds):
            reach, reason = Connection.DEGRADED, reasons[0]
    return ApiView(
        reach=reach,
        since=health.since or since,
        reason=reason,
        heard=health.heard,
        hops=tuple(hop_view(hop) for hop in health.hops),
        requests_per_minute=live.budget().last_minute,
        clock_offset=offset.total_seconds() if offset is not None else None,
        skew=live.api.clock_skew or timedelta(),
    )


def hop_view(hop: Rung) -> HopView:
    return HopView(hop.name, hop.ok, hop.seconds if hop.ok is not None else None, hop.sentence)


class Ranking:
    """Symptoms with their matches. An unchanged symptom is the same object as in the last report,
    so that the faces draw only changes."""

    def __init__(self, match: Callable[[Symptom, Report], Sequence[Match]]) -> None:
        self._match = match
        self._known: dict[str, SymptomView] = {}

    def rank(self, report: Report) -> Cooperative[tuple[SymptomView, ...]]:
        """Symptoms of the report with their runbooks."""
        views = {}
        for symptom in report.symptoms:
            matches, known = tuple(self._match(symptom, report)), self._known.get(symptom.id)
            same = known is not None and known.symptom == symptom and known.matches == matches
            views[symptom.id] = (
                known if known is not None and same else SymptomView(symptom, matches)
            )
            yield
        self._known = views
        return placed([*views.values()])


def placed(views: Sequence[SymptomView]) -> tuple[SymptomView, ...]:
    """The order of the report stays; among the notes at its end, those that fit a runbook come
    first. A note that the report puts above an old trouble keeps its place."""
    loud = [n for n, view in enumerate(views, 1) if view.symptom.severity is not Severity.INFO]
    notes = max(loud, default=0)
    fitting = sorted(views[notes:], key=lambda v: not any(m.confident for m in v.matches))
    return (*views[:notes], *fitting)

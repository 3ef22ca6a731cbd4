"""Ranks runbooks for each symptom, and describes the API server for the faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from cluster.health.ladder import Hop
from cluster.health.monitor import ApiHealth
from cluster.health.monitor import Reach as Health
from cluster.live.live_cluster import LiveCluster
from incident.view import ApiView, HopView, Reach, SymptomView
from runbooks.match import Match
from triage.facts.cooperative import Cooperative
from triage.facts.finding import Report, Severity, Symptom

_REACH = {
    Health.UNKNOWN: Reach.CONNECTING,
    Health.REACHABLE: Reach.LIVE,
    Health.DEGRADED: Reach.DEGRADED,
    Health.UNREACHABLE: Reach.LOST,
}


def api_view(live: LiveCluster, since: datetime) -> ApiView:
    """The API server for the status line. `since` is the start of the investigation for a server
    that never answered."""
    health: ApiHealth = live.health
    offset = live.api.clock_offset
    reach, reason = _REACH[health.reach], health.reason
    if reach is Reach.LIVE:
        # The server answers its heartbeat, but every read fails: bad credentials, or only errors.
        kinds = live.freshness().values()
        reasons = [kind.reason for kind in kinds if kind.reason]
        if reasons and all(kind.heard is None for kind in kinds):
            reach, reason = Reach.DEGRADED, reasons[0]
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


def hop_view(hop: Hop) -> HopView:
    return HopView(hop.name, hop.ok, hop.seconds if hop.ok is not None else None, hop.sentence)


class Ranking:
    """Matches for each symptom, computed again only when their inputs change."""

    def __init__(self, match: Callable[[Symptom, Report], Sequence[Match]]) -> None:
        self._match = match
        self._known: dict[str, tuple[object, SymptomView]] = {}

    def rank(self, report: Report, generation: int) -> Cooperative[tuple[SymptomView, ...]]:
        """The report's symptoms with their runbooks. `generation` is that of the runbook
        library."""
        surroundings = (
            generation,
            tuple(finding.id for finding in report.findings),
            report.changes,
        )
        views = []
        for symptom in report.symptoms:
            basis = (symptom, surroundings)
            known = self._known.get(symptom.id)
            if known is None or known[0] != basis:
                known = (basis, SymptomView(symptom, tuple(self._match(symptom, report))))
                yield
            self._known[symptom.id] = known
            views.append(known[1])
        present = {symptom.id for symptom in report.symptoms}
        self._known = {key: value for key, value in self._known.items() if key in present}
        return tuple(sorted(views, key=_place))


def _place(view: SymptomView) -> int:
    """The order of the report stays; among notes, those that fit a runbook come first."""
    if view.symptom.severity is not Severity.INFO:
        return 0
    return 1 if any(match.confident for match in view.matches) else 2

"""The order of symptoms: new and wide ones come before old and small ones.

Severity first, notes last. Within a severity: what goes on before what has recovered; then how new
and how wide, in steps, so that the order does not change with every second; then the earlier
beginning, because a cause is older than its effects. A small symptom of over a day comes after all
newer ones, because it is known already. Two kinds of notes stand between the two: a trouble within
its grace, and a loss of these hours.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime, timedelta

from cluster.kube.objects import Ref
from triage.facts.finding import Finding, Severity
from triage.facts.rules.catalogue import EFFECTS
from triage.facts.windows import INCIDENT, STANDING

_NEW = ((timedelta(minutes=30), 4), (timedelta(hours=2), 3), (timedelta(hours=6), 2), (STANDING, 1))
"""Points for a beginning within this time."""
_WIDE = 3
"""Number of owners from which a symptom is wide."""
_LARGE = 10


Place = tuple[bool, bool, int, bool, int, datetime, str]
"""What symptoms are sorted by."""


def owners_of(findings: Sequence[Finding]) -> set[tuple[str, str]]:
    """The owners that a symptom concerns, as (namespace, name)."""
    return {
        (f.object.namespace, str(f.facts.get("owner") or f.object.name))
        for f in findings
        if f.object.kind not in ("Node", "Cluster") and f.severity is not Severity.INFO
    }


def width(findings: Sequence[Finding], services_down: int) -> int:
    """How far a symptom reaches, from 0 (one workload without dependants) to 5."""
    owners = len(owners_of(findings))
    nodes = {f.object.name for f in findings if f.object.kind == "Node"}
    points = 0
    if any(f.object.kind == "Cluster" for f in findings):
        points += 3
    elif nodes:
        points += 2
    points += 2 if owners >= _LARGE else 1 if owners >= _WIDE else 0
    return min(points + (1 if services_down else 0), 5)


def is_standing(since: datetime | None, now: datetime, reach: int) -> bool:
    """Whether it has lasted for over a day and is small: such symptoms are folded."""
    return since is not None and now - since > STANDING and reach < 3


def rises(finding: Finding, now: datetime) -> bool:
    """Whether a note stands above what is older than a day.

    It is young, a Job that gave up in these hours and has not succeeded since, a pod that its
    kubelet ended, a Service that a policy of this day cuts off, or a person scaled to 0 within two
    hours.
    An autoscaler and a schedule scale every day, a change of the responder is known, and what has
    been at 0 for longer is idle.
    """
    since = finding.since
    scaled = (
        (finding.rule == "workload-scaled-to-zero" or bool(finding.facts.get("scaled_to_zero")))
        and finding.facts.get("scaled_by") != "stanch"
        and not finding.facts.get("scaled_automatically")
        and since is not None
        and now - since <= INCIDENT
    )
    return finding.young or scaled or finding.rule in _LOST


_LOST = frozenset({"job-failed", "pod-ended-by-kubelet", "service-isolated"})
"""Rules whose notes tell a loss of these hours."""


def key(
    severity: Severity,
    since: datetime | None,
    now: datetime,
    reach: int,
    rules: Set[str],
    id_: str,
    rises: bool = False,
    over: bool = False,
) -> Place:
    """Sorts symptoms; `reach` is their width, `rules` those of their findings that count. A note
    that `rises` stands above what is old. `over`: nothing of it goes on."""
    age = now - since if since is not None else timedelta()
    fresh = next((points for span, points in _NEW if age <= span), 0)
    causal = 1 if rules - EFFECTS else 0
    note = severity is Severity.INFO and not rises
    return (
        note,
        severity is not Severity.INFO and is_standing(since, now, reach),
        severity.rank,
        over,
        -(fresh + reach + causal),
        since or now,
        id_,
    )


def same_nodes(findings: Sequence[Finding]) -> dict[tuple[str, str], list[Ref]]:
    """Nodes with the same fault, by rule and cause: of several, only one cause."""
    found: dict[tuple[str, str], list[Ref]] = {}
    for finding in findings:
        if finding.rule in _ALIKE and finding.severity is not Severity.INFO:
            cause = str(finding.facts.get("cause") or finding.facts.get("type") or "")
            cause = cause or str(finding.facts.get("pressure") or "")
            found.setdefault((finding.rule, cause), []).append(finding.object)
    return found


_ALIKE = frozenset({"node-flapping", "node-problem", "node-pressure", "node-not-ready"})

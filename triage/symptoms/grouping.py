"""Findings grouped into symptoms: by mechanism and chain of causes, not one for each object.

Each finding has one or more keys; findings that share a key belong together (union-find). Keys say
why: the node that failed, the Secret that is missing, the owner that crashes, the reason why
nothing is scheduled. A cluster-wide finding pulls in what it explains.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cluster.kube.objects import Ref
from triage.cohorts.cohort import count_healthy
from triage.facts import blast_radius as blast
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative
from triage.facts.finding import ChangeFact, Dependant, Finding, Severity, SharedAttribute, Symptom
from triage.facts.finding_index import FindingIndex
from triage.facts.odd_objects import Fence
from triage.facts.population import HealthyCounts
from triage.facts.rules.catalogue import EFFECTS
from triage.symptoms import order
from triage.symptoms.causes import (
    NODE_TROUBLE,
    Groups,
    failing_pods,
    join_causes,
    join_chains,
    join_nodes,
    join_shared,
    keys,
    sick_nodes,
)
from triage.symptoms.related_changes import RelatedChanges
from triage.symptoms.shared_attributes import shared_by
from triage.symptoms.titles import leading, title

FOUND = 200
"""Findings that are looked at in one step: less than a millisecond."""


def group(
    view: ClusterView, index: FindingIndex, changes: tuple[ChangeFact, ...], failed: dict[str, str]
) -> Cooperative[tuple[Symptom, ...]]:
    """All symptoms, in the order of `triage.symptoms.order`. Notes (info) that stand alone are
    gathered by their rule. A part that fails is left out, and named with its reason in `failed`."""
    fence = Fence(failed)
    findings = list(index.all())
    sick = sick_nodes(index)
    groups = Groups()
    first_key: dict[str, str] = {}
    loud: list[Finding] = []
    for number, finding in enumerate(findings, 1):
        if number % FOUND == 0:
            yield
        own = list(keys(finding, sick))
        first_key[finding.id] = own[0]
        if (
            finding.severity is Severity.INFO
            and not finding.young
            and finding.object.kind != "Pod"
            and finding.rule not in NODE_TROUBLE
        ):
            continue
        loud.append(finding)
        for key in own[1:]:
            groups.join(own[0], key)
    yield
    with fence("causes"):
        join_causes(loud, first_key, groups, index, view)
    yield
    with fence("causes"):
        join_chains(loud, first_key, groups, view)
        join_nodes(loud, groups, view)
    yield
    healthy = yield from count_healthy(failing_pods(findings, view), index.population, view)
    with fence("shared causes"):
        yield from join_shared(loud, healthy, first_key, groups, view)
    yield
    members: dict[str, list[Finding]] = {}
    for finding in findings:
        members.setdefault(groups.find(first_key[finding.id]), []).append(finding)
    quiet: dict[str, list[Finding]] = {}
    result: list[Symptom] = []
    yield
    related = RelatedChanges(changes, view)
    yield
    for key, group_ in sorted(members.items()):
        if all(f.severity is Severity.INFO for f in group_):
            for finding in group_:
                if not finding.young:
                    now = ":now" if order.rises(finding, view.now) else ""
                    quiet.setdefault(finding.rule + now, []).append(finding)
            group_ = [f for f in group_ if f.young]
        if group_:
            result.append((yield from _symptom(key, group_, view, index, related, healthy, fence)))
            yield
    for rule, group_ in sorted(quiet.items()):
        note = yield from _symptom(f"note:{rule}", group_, view, index, related, healthy, fence)
        result.append(note)
        yield
    places = {}
    for symptom in result:
        places[symptom.id] = _place(symptom, view.now)
        yield
    return tuple(sorted(result, key=lambda s: places[s.id]))


def _place(symptom: Symptom, now: datetime) -> order.Place:
    loud = [f for f in symptom.findings if f.severity is not Severity.INFO]
    down = sum(d.object.kind == "Service" and d.why.startswith("no ready") for d in symptom.blast)
    return order.key(
        symptom.severity,
        symptom.since,
        now,
        order.width(symptom.findings, down),
        {f.rule for f in loud},
        symptom.id,
        any(order.rises(f, now) for f in symptom.findings),
        bool(loud) and not any(f.active for f in loud),
    )


def _symptom(
    key: str,
    findings: list[Finding],
    view: ClusterView,
    index: FindingIndex,
    changes: RelatedChanges,
    healthy: HealthyCounts,
    fence: Fence,
) -> Cooperative[Symptom]:
    findings = sorted(findings, key=lambda f: (f.severity.rank, f.since or view.now, f.id))
    severity = findings[0].severity
    since = began(
        [f for f in findings if f.severity is not Severity.INFO or severity is Severity.INFO]
    )
    objects = _objects(findings)
    name = findings[0].claim
    shared: tuple[SharedAttribute, ...] = ()
    before: tuple[ChangeFact, ...] = ()
    hanging: tuple[Dependant, ...] = ()
    with fence("titles"):
        name = title(findings)
    if severity is not Severity.INFO:
        with fence("shared attributes"):
            shared = yield from shared_by(findings, objects, view, index, healthy)
        with fence("blast radius"):
            hanging = blast.dependants(objects, view)
    with fence("changes"):
        before = changes.of(findings, objects, since)
    return Symptom(
        id=key,
        title=name,
        severity=severity,
        since=since,
        objects=objects,
        findings=tuple(findings),
        shared=shared,
        changes=before,
        blast=hanging,
        mechanism=leading(findings).rule,
    )


_BEFORE = timedelta(minutes=5)


def began(findings: Iterable[Finding]) -> datetime | None:
    """When a symptom began: the earliest of its findings, without effects that are older than every
    cause in it.

    A pod that has crashed for an hour on a node that fails now has its own fault, which does not
    make the node's an hour old. An unavailable workload counts from its own time where its pods
    show the cause, also after the first of these pods are deleted.
    """
    timed = [f for f in findings if f.since is not None]
    causes = [f for f in timed if f.rule not in EFFECTS]
    first = min((f.since for f in causes if f.since is not None), default=None)
    lacking = {(f.object.namespace, f.facts.get("owner")) for f in causes}
    return min(
        (
            f.since
            for f in timed
            if f.since is not None
            and (
                first is None
                or f.rule not in EFFECTS
                or f.since >= first - _BEFORE
                or (f.rule in _LACKS and (f.object.namespace, f.object.name) in lacking)
            )
        ),
        default=None,
    )


_LACKS = frozenset({"workload-unavailable", "workload-degraded"})


def _objects(findings: list[Finding]) -> tuple[Ref, ...]:
    """Affected objects: those of the findings that count, or of all when none does; then objects
    related to cluster-wide findings."""
    worst = findings[0].severity
    found: dict[Ref, None] = {}
    for finding in findings:
        if finding.object.kind != "Cluster" and (
            finding.severity is not Severity.INFO or worst is Severity.INFO
        ):
            found[finding.object] = None
    if not found:
        for finding in findings:
            found.update(dict.fromkeys(finding.related))
    return tuple(found)

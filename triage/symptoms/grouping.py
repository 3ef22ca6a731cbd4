"""Findings grouped into symptoms: by mechanism and chain of causes, not one for each object.

Each finding has one or more keys; findings that share a key belong together (union-find). Keys say
why: the node that failed, the Secret that is missing, the owner that crashes, the reason why
nothing is scheduled. A cluster-wide finding pulls in what it explains.
"""

from __future__ import annotations

import operator
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from cluster.kube.objects import Ref
from triage.cohorts.healthy import HealthyCounts
from triage.facts import blast_radius as blast
from triage.facts.cluster_view import ClusterView
from triage.facts.cooperative import Cooperative
from triage.facts.finding import (
    ChangeFact,
    Dependant,
    Finding,
    Severity,
    SharedAttribute,
    Symptom,
)
from triage.facts.finding_index import FindingIndex
from triage.facts.odd_objects import Fence
from triage.facts.population import Population
from triage.facts.reads.results import HEALTHY, Reads
from triage.facts.rules.catalogue import CONFIGURATIONS, EFFECTS
from triage.facts.windows import INCIDENT
from triage.symptoms import order
from triage.symptoms.causes import join_causes
from triage.symptoms.chains import join_chains
from triage.symptoms.groups import Groups
from triage.symptoms.keys import NODE_TROUBLE, keys, sick_nodes
from triage.symptoms.leading import leading
from triage.symptoms.related_changes import RelatedChanges
from triage.symptoms.shared_attributes import shared_by
from triage.symptoms.shared_causes import failing_pods, join_nodes, join_shared
from triage.symptoms.titles import title

FOUND = 200
"""Findings that are looked at in one step: less than a millisecond."""


class _Made(msgspec.Struct, frozen=True):
    """A symptom, and what of it decides its place."""

    symptom: Symptom
    reach: int
    rules: frozenset[str]
    over: bool
    """Nothing of it goes on."""


class Grouping:
    """Makes the symptoms of each report. A symptom is kept while its findings are the same and
    nothing that it rests on is touched."""

    def __init__(self, population: Population, reads: Reads) -> None:
        self._reads = reads
        self._healthy = HealthyCounts(population)
        self._names: set[Hashable] = set()
        """The names of the symptoms of the last report."""

    def group(
        self,
        view: ClusterView,
        index: FindingIndex,
        changes: tuple[ChangeFact, ...],
        failed: dict[str, str],
    ) -> Cooperative[tuple[Symptom, ...]]:
        """All symptoms, in the order of `triage.symptoms.order`. Notes (info) that stand alone are
        gathered by their rule. A part that fails is left out, and named with its reason in
        `failed`."""
        members = yield from self._members(view, index, failed)
        related = RelatedChanges(changes, view)
        yield
        names: set[Hashable] = set()
        result: list[_Made] = []
        for key, findings in members:
            names.add(_name(key))
            result.append((yield from self._symptom(key, findings, view, index, related, failed)))
            yield
        self._reads.drop(self._names - names)
        self._names = names
        now = view.now
        places = {each.symptom.id: _place(each, now) for each in result}
        yield
        result.sort(key=lambda each: places[each.symptom.id])
        return tuple(each.symptom for each in result)

    def _members(
        self, view: ClusterView, index: FindingIndex, failed: dict[str, str]
    ) -> Cooperative[list[tuple[str, list[Finding]]]]:
        """The findings of each symptom, by its key."""
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
                and not order.rises(finding, view.now)
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
        if (yield from self._healthy.take(failing_pods(findings, view), view)):
            self._reads.touch(HEALTHY)
        with fence("shared causes"):
            yield from join_shared(loud, self._healthy, first_key, groups, view)
        yield
        members: dict[str, list[Finding]] = {}
        for finding in findings:
            members.setdefault(groups.find(first_key[finding.id]), []).append(finding)
        yield
        quiet: dict[str, list[Finding]] = {}
        result: list[tuple[str, list[Finding]]] = []
        for key, group in sorted(members.items()):
            if all(f.severity is Severity.INFO for f in group) and not _explained(group, view.now):
                for finding in group:
                    if not finding.young:
                        now = ":now" if order.rises(finding, view.now) else ""
                        quiet.setdefault(finding.rule + now, []).append(finding)
                group = [f for f in group if f.young]
            if group:
                result.append((key, group))
        result.extend((f"note:{rule}", group) for rule, group in sorted(quiet.items()))
        return result

    def _symptom(
        self,
        key: str,
        findings: list[Finding],
        view: ClusterView,
        index: FindingIndex,
        changes: RelatedChanges,
        failed: dict[str, str],
    ) -> Cooperative[_Made]:
        if len(findings) > 1:
            findings = sorted(findings, key=lambda f: (f.severity.rank, f.since or _LATEST, f.id))
        now, name = view.now, _name(key)
        known = self._reads.kept(name, now)
        if known is not None:
            made: _Made = known.value
            before = made.symptom.findings
            if len(before) == len(findings) and all(map(operator.is_, before, findings)):
                if known.due is not None:
                    view.wake(known.due)
                return made
        due = view.due
        view.begin()
        mine: dict[str, str] = {}
        symptom = yield from _symptom(key, findings, view, index, changes, self._healthy, mine)
        last = self._reads.last(name)
        if last is not None and last.symptom == symptom:
            symptom = last.symptom  # the same value: what was made from it stays too
        made = _made(symptom)
        if mine:
            failed.update(mine)
        else:
            self._reads.keep(name, made, now, view.due)
        if due is not None:
            view.wake(due)
        return made


_LATEST = datetime.max.replace(tzinfo=UTC)


def _explained(notes: Sequence[Finding], now: datetime) -> bool:
    """Whether the last words of a pod say why one of the notes, a loss of these hours, came
    about: apart they would be two symptoms of one cause."""
    return any(f.rule == "pod-last-words" and f.facts.get("class") for f in notes) and any(
        order.rises(f, now) for f in notes
    )


def _name(key: str) -> Hashable:
    return ("symptom", key)


def _made(symptom: Symptom) -> _Made:
    loud = [f for f in symptom.findings if f.severity is not Severity.INFO]
    down = sum(d.object.kind == "Service" and d.why.startswith("no ready") for d in symptom.blast)
    return _Made(
        symptom,
        order.width(symptom.findings, down),
        frozenset(f.rule for f in loud),
        bool(loud) and not any(f.active for f in loud),
    )


def _place(made: _Made, now: datetime) -> order.Place:
    symptom = made.symptom
    note = symptom.severity is Severity.INFO  # nothing else rises
    rises = note and any(order.rises(f, now) for f in symptom.findings)
    return order.key(
        symptom.severity,
        symptom.since,
        now,
        made.reach,
        made.rules,
        symptom.id,
        rises,
        made.over,
    )


def _symptom(
    key: str,
    findings: list[Finding],
    view: ClusterView,
    index: FindingIndex,
    changes: RelatedChanges,
    healthy: HealthyCounts,
    failed: dict[str, str],
) -> Cooperative[Symptom]:
    """The symptom of these findings, which are in their order."""
    fence = Fence(failed)
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
    cause in it, and without a configuration that stood for hours before the first sign of trouble:
    it is a cause that waited.

    A pod that has crashed for an hour on a node that fails now has its own fault, which does not
    make the node's an hour old. An unavailable workload counts from its own time where its pods
    show the cause, also after the first of these pods are deleted.
    """
    timed = _without_standing([f for f in findings if f.since is not None])
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


def _without_standing(timed: list[Finding]) -> list[Finding]:
    """The findings without configurations that are hours older than every sign of trouble."""
    signs = [f.since for f in timed if f.since is not None and f.rule not in CONFIGURATIONS]
    if not signs:
        return timed
    first = min(signs) - INCIDENT
    return [
        f
        for f in timed
        if f.rule not in CONFIGURATIONS or (f.since is not None and f.since >= first)
    ]


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

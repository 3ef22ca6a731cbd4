"""The changes before or around a symptom."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from operator import itemgetter

from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import WORKLOADS
from triage.changes.change_log import ALIKE, LEAD, REACTION, rank
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import ChangeFact, Finding, Severity
from triage.facts.reads.results import CHANGES, TOGETHER, Reads

_BESIDE_PODS = frozenset(
    {"workload-created", "service-edited", "ingress-edited", "autoscaler-edited"}
)
_OF_WORKLOADS = frozenset({"rollout", "scaled", "workload-created", "workload-edited"})
_OF_CLUSTERS = frozenset(
    {
        "webhook-edited",
        "crd-edited",
        "rbac-edited",
        "helm-release",
        "secrets-written-together",
        "policy-edited",
    }
)


class RelatedChanges:
    """The changes of one report, by what relates them to a symptom: a symptom looks at its own
    alone."""

    def __init__(self, changes: Sequence[ChangeFact], view: ClusterView) -> None:
        self._changes, self._view = changes, view
        self._by_object = _numbers(changes, lambda change: change.object)
        self._by_name = _numbers(changes, lambda change: change.object.name)
        self._near_namespace = _alike(changes, lambda change: change.object.namespace)
        self._near = _alike(changes, lambda _: None)
        self._by_manager = _numbers(changes, lambda change: change.manager)
        self._by_rule = _numbers(changes, lambda change: change.rule)

    def of(
        self, findings: Sequence[Finding], objects: tuple[Ref, ...], since: datetime | None
    ) -> tuple[ChangeFact, ...]:
        """By relation to the objects and closeness in time. A symptom whose beginning is not known
        is held against this moment."""
        view = self._view
        since = since or view.now
        direct = set(objects) | {r for f in findings for r in f.related}
        namespaces = {r.namespace for r in objects if r.namespace}
        owners: set[Ref] = set()
        nodes: set[str] = {r.name for r in direct if r.kind == "Node"}
        for ref in direct:
            row = view.store.get(*ref) if ref.kind == "Pod" else None
            if isinstance(row, Pod):
                owners.add(view.owner(row))
                if row.spec.node_name:
                    nodes.add(row.spec.node_name)
        quiet = all(f.severity is Severity.INFO for f in findings)
        wide = not quiet and any(f.object.kind == "Cluster" for f in findings)
        wide = wide or (not quiet and (len(nodes) > 1 or len(namespaces) > 2))
        has_nodes = any(r.kind == "Node" for r in objects)
        managers = {
            str(f.facts.get(name))
            for f in findings
            for name in ("manager", "supplier", "edited_by")
            if f.facts.get(name)
        }
        exposed = {f.object for f in findings if f.rule == "exposed-privileged-workload"}
        related = direct | owners

        def relation(change: ChangeFact) -> int:
            if change.object in exposed:
                return 0  # however long it has stood open
            if change.rule == "secrets-written-together":
                if change.manager in managers:
                    return 0
                return -1 if quiet else 1  # a note about another thing is no effect of it
            if change.object.name in managers and change.object.kind in WORKLOADS:
                return 0  # the supplier itself was changed
            if change.rule in _BESIDE_PODS:
                if change.object in related or change.object.namespace in namespaces:
                    return 1
                return 3 if wide else -1
            if change.object in related or (change.manager and change.manager in managers):
                return 0
            if change.object.kind == "Node":
                return 0 if change.object.name in nodes else -1
            if change.object.namespace and change.object.namespace in namespaces:
                return 1
            if change.rule in _OF_WORKLOADS and (has_nodes or wide):
                return 2
            if change.rule in _OF_CLUSTERS and (wide or has_nodes):
                return 2
            return 3 if wide else -1

        asked: tuple[tuple[Mapping[Hashable, list[int]], Iterable[Hashable]], ...] = (
            (self._by_object, related | exposed),
            (self._by_name, managers | nodes),
            (self._by_manager, managers),
            (self._by_rule, ("secrets-written-together",)),
        )
        for namespace in {ref.namespace for ref in (*related, *exposed)} | namespaces:
            view.note((CHANGES, namespace))
        for name in managers | nodes:
            view.note(("changes named", name))
        view.note(TOGETHER)
        if wide or has_nodes:
            view.note(CHANGES)
        numbers = {n for of, keys in asked for key in keys for n in of.get(key, ())}
        numbers.update(n for one in namespaces for n in _near(self._near_namespace, one, since))
        if wide or has_nodes:
            numbers.update(_near(self._near, None, since))
        return rank([self._changes[number] for number in sorted(numbers)], since, relation)


def touch_changes(before: Sequence[ChangeFact], after: Sequence[ChangeFact], reads: Reads) -> None:
    """Touch the places where `RelatedChanges.of` reads what differs."""
    if len(before) == len(after) and all(map(operator.is_, before, after)):
        return
    known = {_identity(change): change for change in before}
    differing: list[ChangeFact] = []
    for change in after:
        old = known.pop(_identity(change), None)
        if old is not change and old != change:
            differing += [change] if old is None else [change, old]
    for change in (*differing, *known.values()):
        reads.touch(CHANGES)
        reads.touch((CHANGES, change.object.namespace))
        for name in (change.object.name, change.manager):
            reads.touch(("changes named", name))
        if change.rule == "secrets-written-together":
            reads.touch(TOGETHER)


def _identity(change: ChangeFact) -> tuple[object, ...]:
    return (change.rule, change.object, change.at, change.what, change.manager)


_moment: Callable[[tuple[datetime, int]], datetime] = itemgetter(0)
_Alike = Mapping[Hashable, Sequence[Sequence[tuple[datetime, int]]]]
"""Key -> for each rule and manager the moments and numbers of its changes, in order of time."""


def _alike(changes: Sequence[ChangeFact], key: Callable[[ChangeFact], Hashable]) -> _Alike:
    found: dict[Hashable, dict[tuple[str, str], list[tuple[datetime, int]]]] = {}
    for number, change in enumerate(changes):
        groups = found.setdefault(key(change), {})
        groups.setdefault((change.rule, change.manager), []).append((change.at, number))
    return {key: tuple(map(sorted, groups.values())) for key, groups in found.items()}


def _near(alike: _Alike, key: Hashable, since: datetime) -> Iterator[int]:
    """The numbers of those that `rank` can choose: of each rule and manager the nearest in time.
    A namespace may have thousands of changes and of symptoms."""
    for group in alike.get(key, ()):
        start = bisect_left(group, since - LEAD, key=_moment)
        end = bisect_right(group, since + REACTION, key=_moment)
        middle = bisect_left(group, since, start, end, key=_moment)
        around = group[max(start, middle - ALIKE) : min(end, middle + ALIKE)]
        nearest = sorted(around, key=lambda item: abs(item[0] - since))
        yield from (number for _, number in islice(nearest, ALIKE))


def _numbers(
    changes: Sequence[ChangeFact], key: Callable[[ChangeFact], Hashable]
) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = {}
    for number, change in enumerate(changes):
        found.setdefault(key(change), []).append(number)
    return found

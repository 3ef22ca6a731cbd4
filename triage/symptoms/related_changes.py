"""The changes before or around a symptom."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime

from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import WORKLOADS
from triage.changes.change_log import rank
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import ChangeFact, Finding, Severity

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
        self._by_namespace = _numbers(changes, lambda change: change.object.namespace)
        self._by_manager = _numbers(changes, lambda change: change.manager)
        self._by_rule = _numbers(changes, lambda change: change.rule)

    def of(
        self, findings: Sequence[Finding], objects: tuple[Ref, ...], since: datetime | None
    ) -> tuple[ChangeFact, ...]:
        """By relation to the objects and closeness in time."""
        view = self._view
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
                return 0 if change.manager in managers else 1
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

        if wide or has_nodes:
            return rank(self._changes, since, relation)
        asked: tuple[tuple[Mapping[Hashable, list[int]], Iterable[Hashable]], ...] = (
            (self._by_object, related | exposed),
            (self._by_name, managers | nodes),
            (self._by_namespace, namespaces),
            (self._by_manager, managers),
            (self._by_rule, ("secrets-written-together",)),
        )
        numbers = {n for of, keys in asked for key in keys for n in of.get(key, ())}
        return rank([self._changes[number] for number in sorted(numbers)], since, relation)


def _numbers(
    changes: Sequence[ChangeFact], key: Callable[[ChangeFact], Hashable]
) -> dict[Hashable, list[int]]:
    found: dict[Hashable, list[int]] = {}
    for number, change in enumerate(changes):
        found.setdefault(key(change), []).append(number)
    return found

"""Values for parameters that only the live state has: between which namespaces to measure a
connection, and the replicas, containers and limits of a workload.

A connectivity step of a runbook knows the suspect node at most. Traffic flows between the
namespaces that NetworkPolicies and Ingresses name; measuring between others proves little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cluster.kube.kinds import BY_SPELLING
from cluster.kube.objects import (
    DaemonSet,
    Deployment,
    Ingress,
    Namespace,
    NetworkPolicy,
    Pod,
    ReplicaSet,
    StatefulSet,
)
from cluster.kube.owners import WORKLOADS
from cluster.kube.selectors import matches
from cluster.live.store import Store
from probes.inference.policy import namespace_labels
from runbooks.parameters import KIND_OF
from triage.facts.finding import Symptom

Workload = Deployment | StatefulSet | DaemonSet | ReplicaSet
SHOWN = 8
"""Most names offered in place of one that does not exist."""
_CHECKED = frozenset({"Node", "Namespace", "Pod", *WORKLOADS})
"""Kinds that a step works on. A missing Secret or claim may be the fault that the runbook is about.
"""


class StoreValues:
    """Reads the current store; `store` returns None while there is no cluster."""

    def __init__(self, store: Callable[[], Store | None]) -> None:
        self._store = store

    def suggest(self, symptom: Symptom | None) -> Mapping[str, str]:
        store = self._store()
        path = suggest_path(store, symptom) if store is not None else None
        if path is None:
            return {}
        return {"source_namespace": path.source, "target_namespace": path.target}

    def workload(self, namespace: str, workload: str) -> Workload | None:
        store, (kind, _, name) = self._store(), workload.partition("/")
        known = BY_SPELLING.get(kind)
        row = store.get(known.name, namespace, name) if store is not None and known else None
        return row if isinstance(row, Workload) else None

    def cordoned(self) -> Sequence[str]:
        """The names of the nodes that are cordoned now."""
        store = self._store()
        rows = store.rows("Node") if store is not None else {}
        return sorted(name for (_, name), node in rows.items() if node.spec.unschedulable)

    def named(self, name: str) -> Sequence[tuple[str, str]]:
        """(namespace, kind/name) of the workloads with a name."""
        store = self._store()
        if store is None:
            return ()
        return [
            (namespace, f"{kind.lower()}/{found}")
            for kind in ("Deployment", "StatefulSet", "DaemonSet")
            for namespace, found in store.rows(kind)
            if found == name
        ]

    def missing(self, name: str, value: str, namespace: str) -> str:
        """One sentence, with existing names, when a parameter names a node, namespace, pod or
        workload that does not exist; "" when it exists or that is unknown."""
        store, kind = self._store(), KIND_OF.get(name, "")
        if name.endswith("namespace"):
            kind, value, namespace = "Namespace", value.partition("/")[0], ""
        elif name == "workload":
            word, _, value = value.partition("/")
            kind = BY_SPELLING[word].name if word in BY_SPELLING else ""
        if store is None or kind not in _CHECKED or not value:
            return ""
        rows = (
            store.in_namespace(kind, namespace)
            if namespace and kind != "Node"
            else store.rows(kind)
        )
        names = sorted({found for _, found in rows})
        if not names or set(value.split(",")) <= set(names):
            return ""
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"There is no {kind} {value}; there are {', '.join(names[:SHOWN])}{more}."


class Path(NamedTuple):
    """Source and target; both are namespaces."""

    source: str
    target: str


def suggest_path(store: Store, symptom: Symptom | None) -> Path | None:
    """The pair of namespaces whose traffic would show the fault best, None without a clue.
    Preferred: a target with pods on the suspect node and on others, which a policy opens to another
    namespace with pods."""
    nodes = suspects(symptom)
    candidates = list(dict.fromkeys([*_by_policy(store), *_by_ingress(store)]))
    ranked = sorted(
        (_rank(store, path, nodes), index, path) for index, path in enumerate(candidates)
    )
    return ranked[0][2] if ranked else None


def suspects(symptom: Symptom | None) -> frozenset[str]:
    """Suspect nodes: those that the symptom's objects share, and those among its objects."""
    if symptom is None:
        return frozenset()
    shared = {shared.value for shared in symptom.shared if shared.what == "node"}
    return frozenset(shared | {ref.name for ref in symptom.objects if ref.kind == "Node"})


def _rank(store: Store, path: Path, nodes: frozenset[str]) -> tuple[bool, bool, int]:
    """Sort key; smaller is better."""
    targets = {
        pod.spec.node_name for pod in store.in_namespace("Pod", path.target).values() if _runs(pod)
    }
    return (not targets & nodes if nodes else False, len(targets) < 2, -len(targets))


def _by_policy(store: Store) -> Iterator[Path]:
    for policy in store.all("NetworkPolicy", NetworkPolicy):
        target = policy.metadata.namespace
        for rule in policy.spec.ingress:
            for peer in rule.from_:
                if peer.namespace_selector is None:
                    continue
                for namespace in store.all("Namespace", Namespace):
                    name = namespace.metadata.name
                    if (
                        name != target
                        and matches(peer.namespace_selector, namespace_labels(store, name))
                        and _has_pods(store, name)
                    ):
                        yield Path(name, target)


def _by_ingress(store: Store) -> Iterator[Path]:
    """From the namespaces of the ingress controllers, found by the addresses of the Ingresses."""
    addresses = {
        address.ip or address.hostname
        for ingress in store.all("Ingress", Ingress)
        for address in ingress.status.load_balancer.ingress
    }
    controllers = {
        key[0]
        for key, service in store.rows("Service").items()
        if service.spec.type == "LoadBalancer"
        and addresses & {each.ip or each.hostname for each in service.status.load_balancer.ingress}
    }
    for ingress in store.all("Ingress", Ingress):
        for controller in sorted(controllers):
            if controller != ingress.metadata.namespace and _has_pods(store, controller):
                yield Path(controller, ingress.metadata.namespace)


def _has_pods(store: Store, namespace: str) -> bool:
    return any(_runs(pod) for pod in store.in_namespace("Pod", namespace).values())


def _runs(pod: Pod) -> bool:
    return pod.status.phase == "Running" and not pod.spec.host_network

"""Chooses the labels of a probe pod: the client's own, because policies select by them, unless
another object would act on the pod.

Rules from Kubernetes sources and documentation: a Service with publishNotReadyAddresses would send
traffic to the pod; a PodDisruptionBudget with a percentage or maxUnavailable may fail on a pod
without controller and block drains; a StatefulSet, DaemonSet or ReplicaSet whose selector matches
may adopt or delete it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from cluster.api.mode import MANAGED_BY
from cluster.kube.objects import (
    DaemonSet,
    LabelSelector,
    NetworkPolicy,
    Pod,
    PodDisruptionBudget,
    ReplicaSet,
    Service,
    StatefulSet,
)
from cluster.kube.selectors import matches, service_selects
from cluster.live.store import Store

T = TypeVar("T")

OWN = "stanch"
SESSION = "stanch/session"
OPERATOR = "stanch/operator"
INCIDENT = "stanch/incident"

_DROPPED = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "apps.kubernetes.io/pod-index",
        "job-name",
        "controller-uid",
        "statefulset.kubernetes.io/pod-name",
        MANAGED_BY,
        SESSION,
    }
)
_DROPPED_PREFIXES = (
    "batch.kubernetes.io/",
    "statefulset.kubernetes.io/",
    "jobset.sigs.k8s.io/",
    "security.istio.io/",
    "service.istio.io/",
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Whether labels may be cloned: `refused` is one sentence when not. The plan shows
    `selected_by`."""

    labels: Mapping[str, str]
    selected_by: tuple[str, ...] = ()
    refused: str = ""


def cloned(labels: Mapping[str, str]) -> dict[str, str]:
    """A client's labels without those of controllers (hashes, ordinals, job names)."""
    return {
        key: value
        for key, value in labels.items()
        if key not in _DROPPED and not key.startswith(_DROPPED_PREFIXES)
    }


def guard(store: Store, namespace: str, labels: Mapping[str, str]) -> Guard:
    """Checks everything in the namespace that would select a pod with these labels."""
    wanted = cloned(labels)
    selected: list[str] = []
    refused: list[str] = []
    for service in _rows(store, "Service", namespace, Service):
        selector = service.spec.selector
        if service_selects(selector, wanted):
            name = f"Service {namespace}/{service.metadata.name}"
            if service.spec.publish_not_ready_addresses:
                refused.append(
                    f"{name} publishes pods that are not ready, so it would send traffic to the "
                    "probe pod"
                )
            else:
                selected.append(f"{name} (the probe pod is never ready, so it gets no traffic)")
    for budget in _rows(store, "PodDisruptionBudget", namespace, PodDisruptionBudget):
        if budget.spec.selector is not None and _selects(budget.spec.selector, wanted):
            name = f"PodDisruptionBudget {namespace}/{budget.metadata.name}"
            if budget.spec.max_unavailable is not None or isinstance(
                budget.spec.min_available, str
            ):
                refused.append(
                    f"{name} counts in shares of a controller; a pod without one can make it "
                    "block drains"
                )
            else:
                selected.append(name)
    for stateful in _rows(store, "StatefulSet", namespace, StatefulSet):
        if _selects(stateful.spec.selector, wanted):
            refused.append(
                f"StatefulSet {namespace}/{stateful.metadata.name} selects these labels and could "
                "adopt the pod"
            )
    for daemon in _rows(store, "DaemonSet", namespace, DaemonSet):
        if _selects(daemon.spec.selector, wanted):
            refused.append(
                f"DaemonSet {namespace}/{daemon.metadata.name} selects these labels and would "
                "delete the pod as one too many"
            )
    for replicas in _rows(store, "ReplicaSet", namespace, ReplicaSet):
        if replicas.spec.replicas and _selects(replicas.spec.selector, wanted):
            refused.append(
                f"ReplicaSet {namespace}/{replicas.metadata.name} selects these labels and would "
                "delete the pod as one too many"
            )
    for policy in _rows(store, "NetworkPolicy", namespace, NetworkPolicy):
        if matches(policy.spec.pod_selector, wanted):
            selected.append(f"NetworkPolicy {namespace}/{policy.metadata.name}")
    return Guard(wanted, tuple(sorted(selected)), "; ".join(refused))


def representative(store: Store, namespace: str, node: str = "") -> Pod | None:
    """A pod that represents the clients of a namespace: running, with the most frequent labels, on
    `node` if possible."""
    pods = [
        pod
        for pod in _rows(store, "Pod", namespace, Pod)
        if pod.status.phase == "Running"
        and not pod.spec.host_network
        and pod.metadata.labels.get(MANAGED_BY) != OWN
        and pod.status.pod_ip
    ]
    if not pods:
        return None
    often = Counter(tuple(sorted(cloned(pod.metadata.labels).items())) for pod in pods)

    def rank(pod: Pod) -> tuple[bool, int, str]:
        return (
            bool(node) and pod.spec.node_name != node,
            -often[tuple(sorted(cloned(pod.metadata.labels).items()))],
            pod.metadata.name,
        )

    return min(pods, key=rank)


def _selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Selectors of workloads and budgets; an empty one selects nothing here."""
    return bool(selector.match_labels or selector.match_expressions) and matches(selector, labels)


def _rows(store: Store, kind: str, namespace: str, type_: type[T]) -> list[T]:
    rows = store.in_namespace(kind, namespace)
    return [row for _, row in sorted(rows.items()) if isinstance(row, type_)]

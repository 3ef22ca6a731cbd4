"""Owners and dependants of an object, and the pods of a symptom, from the store's indexes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from operator import itemgetter
from typing import Any

from cluster.kube import objects as k
from cluster.kube.objects import Ref
from cluster.kube.owners import controller_of
from cluster.kube.selectors import service_selects
from cluster.live.store import Store
from incident.tables import pod_status
from incident.tables.health import health
from triage.facts.finding import Symptom


def first_pod(symptom: Symptom, store: Store) -> Ref | None:
    """A pod whose logs belong to the symptom, one of the first of:
    1. its objects, if started;
    2. pods that a finding names or that its workloads own, if they restarted or are not ready;
    3. pods that have not started: the log says so;
    4. other pods that a finding names or that its workloads own.

    None when the nodes of all its pods are silent, because the kubelet serves the logs.
    """
    named = [*symptom.objects, *(ref for finding in symptom.findings for ref in finding.related)]
    own = set(symptom.objects)
    found = [ref for ref in named if ref.kind == "Pod"]
    for ref in named:
        item = store.get(*ref)
        if ref.kind != "Pod" and item is not None and item.metadata.uid:
            found += islice(_pods_below(item.metadata.uid, store, 3), 50)
    ranked: list[tuple[int, Ref]] = []
    for ref in found:
        pod = store.get(*ref)
        if isinstance(pod, k.Pod) and _node_answers(pod, store):
            ranked.append((_log_rank(pod, ref in own), ref))
    return min(ranked, key=itemgetter(0))[1] if ranked else None


def _log_rank(pod: k.Pod, of_symptom: bool) -> int:
    statuses = pod.status.container_statuses
    if not any(each.state.waiting is None or each.restart_count for each in statuses):
        return 3
    if of_symptom:
        return 1
    failing = (
        each.restart_count or (each.state.running is not None and not each.ready)
        for each in statuses
    )
    return 2 if any(failing) else 4


def _node_answers(pod: k.Pod, store: Store) -> bool:
    """Whether the kubelet of the pod's node can be asked, as far as is known."""
    name = pod.spec.node_name
    return bool(name) and not pod_status.is_silent(store.get("Node", "", name))


def pods_of(ref: Ref, store: Store, limit: int = 20) -> list[Ref]:
    """A pod itself, or the pods of a workload or behind a Service, broken ones first."""
    if ref.kind == "Pod":
        return [ref]
    item = store.get(*ref)
    if item is None:
        return []
    found = list(_pods_below(item.metadata.uid, store, 3)) if item.metadata.uid else []
    if isinstance(item, k.Service) and item.spec.selector:
        found = [
            Ref("Pod", *key)
            for key, pod in store.in_namespace("Pod", ref.namespace).items()
            if service_selects(item.spec.selector, pod.metadata.labels)
        ]
    found.sort(key=lambda pod: (health(store.get(*pod), store), pod))
    return found[:limit]


def _pods_below(uid: str, store: Store, depth: int) -> Iterator[Ref]:
    for (kind, key), item in store.owned_by(uid).items():
        if kind == "Pod":
            yield Ref("Pod", *key)
        elif depth:
            yield from _pods_below(item.metadata.uid, store, depth - 1)


def tree(ref: Ref, item: Any, store: Store, limit: int = 200) -> list[tuple[int, Ref]]:
    """(depth, object): the owners from the top down to the object, and everything that the top
    owns. An owner that was not read, such as a custom resource, stands alone at the top."""
    top, above = ref, item
    rows: list[tuple[int, Ref]] = []
    for _ in range(4):
        owner = controller_of(above.metadata)
        if owner is None:
            break
        found = store.get(*owner)
        if found is None:
            rows.append((0, owner))
            break
        top, above = owner, found
    depth = len(rows)
    rows.append((depth, top))
    _below(above, depth + 1, store, rows, limit)
    return rows


def _below(item: Any, depth: int, store: Store, rows: list[tuple[int, Ref]], limit: int) -> None:
    if not item.metadata.uid or depth > 4:
        return
    for (kind, key), child in sorted(store.owned_by(item.metadata.uid).items()):
        if len(rows) >= limit:
            return
        rows.append((depth, Ref(kind, *key)))
        _below(child, depth + 1, store, rows, limit)


def related(ref: Ref, item: Any, store: Store) -> list[tuple[str, Ref]]:
    """(how, object): what the object needs, and what depends on it without being owned."""
    found: list[tuple[str, Ref]] = []
    if isinstance(item, k.Pod):
        found += _of_pod(ref, item, store)
    if isinstance(item, k.Node):
        found += [("runs", Ref("Pod", *key)) for key in sorted(store.pods_on(ref.name))[:300]]
    if isinstance(item, k.Service) and item.spec.selector:
        pods = store.in_namespace("Pod", ref.namespace)
        found += [
            ("sends to", Ref("Pod", *key))
            for key, pod in sorted(pods.items())
            if service_selects(item.spec.selector, pod.metadata.labels)
        ][:200]
    return list(dict.fromkeys(found))


def _of_pod(ref: Ref, pod: k.Pod, store: Store) -> Iterator[tuple[str, Ref]]:
    if pod.spec.node_name:
        yield "runs on", Ref("Node", "", pod.spec.node_name)
    for claim in pod.spec.claims:
        yield "mounts", Ref("PersistentVolumeClaim", ref.namespace, claim)
    for volume in pod.spec.volumes:
        if volume.secret is not None:
            yield "reads", Ref("Secret", ref.namespace, volume.secret.secret_name)
        if volume.config_map is not None:
            yield "reads", Ref("ConfigMap", ref.namespace, volume.config_map.name)
    for service in store.in_namespace("Service", ref.namespace).values():
        if service_selects(service.spec.selector, pod.metadata.labels):
            yield "serves", Ref("Service", ref.namespace, service.metadata.name)

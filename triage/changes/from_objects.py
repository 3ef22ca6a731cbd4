"""Changes read from an object itself: creation times, field managers, ReplicaSets, release Secrets.
Names only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cluster.kube.managed_fields import DATA_FIELDS, data_keys, last_write, writes
from cluster.kube.nodes import POOL, ZONE, label
from cluster.kube.objects import (
    ControllerRevision,
    CronJob,
    DaemonSet,
    Deployment,
    Node,
    ObjectMeta,
    PartialObject,
    Ref,
    ReplicaSet,
    Service,
    StatefulSet,
    WebhookConfiguration,
)
from cluster.live.store import Store
from triage.changes.change_fact import AT_BIRTH, change_fact, creator
from triage.changes.workload_changes import replica_set_changes, revision_changes, workload_changes
from triage.facts.finding import ChangeFact, Fact


def _node(row: Node) -> Iterator[ChangeFact]:
    meta, info = row.metadata, row.status.node_info
    ref = Ref("Node", "", meta.name)
    if meta.creation_timestamp is not None:
        yield change_fact(
            meta.creation_timestamp,
            f"node {meta.name} joined (kubelet {info.kubelet_version or '?'})",
            ref,
            "node-joined",
            "",
            kubelet=info.kubelet_version,
            zone=label(meta, ZONE),
            pool=label(meta, POOL),
            version_differs=False,
        )
    if row.spec.unschedulable:
        taint = next(
            (
                t
                for t in row.spec.taints
                if t.key == "node.kubernetes.io/unschedulable" and t.time_added
            ),
            None,
        )
        write = last_write(meta, "f:spec", "f:unschedulable")
        at = (taint.time_added if taint else None) or (write.time if write else None)
        if at is not None:
            yield change_fact(
                at,
                f"node {meta.name} cordoned",
                ref,
                "node-cordoned",
                write.manager if write else "",
                unschedulable=True,
            )


_SERVER = ("kube-apiserver", "kube-controller-manager")
"""These managers' objects exist in every cluster (the Service `kubernetes`, default roles, the root
CA of each namespace) and are no change."""
_BOOTSTRAP = "kubernetes.io/bootstrapping"


def _data(kind: str, row: PartialObject) -> Iterator[ChangeFact]:
    meta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    if kind == "Secret" and (meta.labels.get("owner") == "helm" and "status" in meta.labels):
        if meta.creation_timestamp is not None:
            release, version, status = (
                meta.labels.get("name", ""),
                meta.labels.get("version", ""),
                meta.labels.get("status", ""),
            )
            yield change_fact(
                meta.creation_timestamp,
                f"Helm release {release} revision {version} ({status})",
                ref,
                "helm-release",
                "helm",
                release=release,
                version=version,
                status=status,
            )
        return
    keys = data_keys(meta)
    for write in writes(meta)[:2]:
        if write.time is None:
            continue
        fields = set(write.fields_v1)
        born = (
            meta.creation_timestamp is not None and write.time - meta.creation_timestamp <= AT_BIRTH
        )
        if not born and fields and not fields & {*DATA_FIELDS, "f:type"}:
            continue  # Only labels or annotations.
        emptied = keys is not None and not keys and not born
        verb = "created" if born else "emptied" if emptied else "written"
        facts: dict[str, Fact] = {"keys": len(keys or ()), "lost": ()}
        if born and write.manager in _SERVER:
            continue
        if kind == "Secret":
            facts["emptied"] = emptied
        rule = "secret-written" if kind == "Secret" else "configmap-written"
        yield change_fact(
            write.time, f"{kind} {meta.name} {verb}", ref, rule, write.manager, **facts
        )


def _edited(kind: str, rule: str, row: Any, **facts: Fact) -> Iterator[ChangeFact]:
    meta: ObjectMeta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    created = meta.creation_timestamp
    written = writes(meta)
    by = creator(written, created) if created is not None else ""
    if created is not None and by not in _SERVER and _BOOTSTRAP not in meta.labels:
        yield change_fact(
            created, f"{kind} {meta.name} created", ref, rule, by, created=True, **facts
        )
    for write in written:
        if write.time is None or (created is not None and write.time - created <= AT_BIRTH):
            continue
        if "f:spec" not in write.fields_v1 and kind in (
            "NetworkPolicy",
            "Ingress",
            "Service",
            "CronJob",
            "HorizontalPodAutoscaler",
        ):
            continue
        yield change_fact(
            write.time,
            f"{kind} {meta.name} edited",
            ref,
            rule,
            write.manager,
            created=False,
            **facts,
        )


_EDITED = {
    "NetworkPolicy": "policy-edited",
    "CustomResourceDefinition": "crd-edited",
    "ClusterRole": "rbac-edited",
    "ClusterRoleBinding": "rbac-edited",
    "Ingress": "ingress-edited",
    "HorizontalPodAutoscaler": "autoscaler-edited",
}


def object_changes(kind: str, row: Any, store: Store) -> Iterator[ChangeFact]:
    """The changes that an object shows."""
    if isinstance(row, (Deployment, DaemonSet, StatefulSet)):
        yield from workload_changes(kind, row, store)
    elif isinstance(row, ReplicaSet):
        yield from replica_set_changes(row, store)
    elif isinstance(row, ControllerRevision):
        yield from revision_changes(row, store)
    elif isinstance(row, Node):
        yield from _node(row)
    elif kind in ("Secret", "ConfigMap"):
        yield from _data(kind, row)
    elif isinstance(row, Service):
        yield from _edited(kind, "service-edited", row, type=row.spec.type)
    elif isinstance(row, CronJob):
        yield from _edited(kind, "cronjob-edited", row)
    elif isinstance(row, WebhookConfiguration):
        yield from _edited(kind, "webhook-edited", row, mutating=kind.startswith("Mutating"))
    elif kind in _EDITED:
        yield from _edited(kind, _EDITED[kind], row)

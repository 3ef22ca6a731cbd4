"""Who is responsible for a pod: the top controller, followed through ReplicaSets and Jobs."""

from __future__ import annotations

from typing import Any, Protocol

from cluster.kube.objects import (
    CronJob,
    DaemonSet,
    Deployment,
    LeanMeta,
    Pod,
    Ref,
    ReplicaSet,
    StatefulSet,
)


class Rows(Protocol):
    """Where an owner is looked up: the store of the live state, or a table in a test."""

    def get(self, kind: str, namespace: str, name: str, /) -> Any: ...


_HASH_LABELS = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")


def controller_of(meta: LeanMeta) -> Ref | None:
    """The controlling owner of an object, in the object's own namespace (nodes have none)."""
    for owner in meta.owner_references:
        if owner.controller:
            return Ref(owner.kind, "" if owner.kind == "Node" else meta.namespace, owner.name)
    if meta.owner_references:
        owner = meta.owner_references[0]
        return Ref(owner.kind, "" if owner.kind == "Node" else meta.namespace, owner.name)
    return None


def top_owner(pod: Pod, store: Rows) -> Ref:
    """The controller that people know: the Deployment, not its ReplicaSet; the CronJob, not its
    Job; the pod itself when it has none.

    When the ReplicaSet or Job is not known (not readable, or gone), a Deployment's name is told
    from the pod-template-hash.
    """
    meta = pod.metadata
    owner = controller_of(meta)
    if owner is None:
        return Ref("Pod", meta.namespace, meta.name)
    if owner.kind in ("ReplicaSet", "Job"):
        middle = store.get(owner.kind, owner.namespace, owner.name)
        if middle is not None:
            return controller_of(middle.metadata) or owner
        if owner.kind == "ReplicaSet":
            for label in _HASH_LABELS:
                value = meta.labels.get(label)
                if value and owner.name.endswith(f"-{value}"):
                    return Ref("Deployment", owner.namespace, owner.name[: -len(value) - 1])
    return owner


def owner_text(ref: Ref) -> str:
    """As cohorts and claims name an owner: `Deployment shop/cart`."""
    return str(ref)


Workload = Deployment | StatefulSet | DaemonSet | ReplicaSet | CronJob

"""The workload of a pod: its top controller, followed through ReplicaSets and Jobs."""

from __future__ import annotations

from typing import Any, Protocol

from cluster.kube.kinds import is_namespaced
from cluster.kube.objects import LeanMeta, Pod, Ref

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job", "ReplicaSet")
"""Kinds that make pods, directly or through another of them."""
MIRROR = "kubernetes.io/config.mirror"
"""Annotation of a static pod: its kubelet makes it from a file, and it has no controller."""


class OwnerLookup(Protocol):
    """Where an owner is looked up: the store of the live state, or a table in a test."""

    def get(self, kind: str, namespace: str, name: str, /) -> Any: ...


_HASH_LABELS = ("pod-template-hash", "controller-revision-hash", "rollouts-pod-template-hash")


def controller_of(meta: LeanMeta) -> Ref | None:
    """The controlling owner of an object, or its first owner when none controls it; None without
    owners. An owner is in the object's namespace, except one of a cluster-scoped kind."""
    owners = meta.owner_references
    owner = next((each for each in owners if each.controller), owners[0] if owners else None)
    if owner is None:
        return None
    return Ref(owner.kind, meta.namespace if is_namespaced(owner.kind) else "", owner.name)


def top_owner(pod: Pod, store: OwnerLookup) -> Ref:
    """The controller that people know: the Deployment, not its ReplicaSet; the CronJob, not its
    Job; the pod itself when it has none, or is a static pod, whose owner is its node.

    When the ReplicaSet or Job is not known (not readable, or gone), a Deployment's name is
    derived from the pod-template-hash.
    """
    meta = pod.metadata
    owner = controller_of(meta)
    if owner is None or owner.kind == "Node":
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

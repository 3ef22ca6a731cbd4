"""A ResourceQuota that may have refused what is missing: the client that was refused keeps no trace
in the cluster, so it is said as a possible reason."""

from __future__ import annotations

from cluster.kube.objects import ResourceQuota
from cluster.kube.quantity import parse
from triage.facts.cluster_view import ClusterView

_COUNTED = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "Secret": "secrets",
    "ConfigMap": "configmaps",
}
"""Kinds whose number a quota limits (Kubernetes, Resource Quotas, Object count quota)."""


def may_refuse(kind: str, namespace: str, view: ClusterView) -> str:
    """`quota team may have refused it (services 11 of 11 used)`, "" for none.

    A number counts where it is used up. An amount of storage counts with any use: how much the
    claim asked for is not known.
    """
    plain = _COUNTED[kind]
    rows = view.store.in_namespace("ResourceQuota", namespace).values()
    for row in sorted(rows, key=lambda row: str(row.metadata.name)):
        if not isinstance(row, ResourceQuota):
            continue
        for resource, hard in sorted(row.status.hard.items()):
            used = row.status.used.get(resource, "0")
            counted = resource in (plain, f"count/{plain}")
            full = counted and (parse(used) or 0) >= (parse(hard) or 0)
            storage = kind == "PersistentVolumeClaim" and resource.endswith("requests.storage")
            if full or storage:
                name = row.metadata.name
                return f"quota {name} may have refused it ({resource} {used} of {hard} used)"
    return ""

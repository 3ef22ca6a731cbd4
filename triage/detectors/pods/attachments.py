"""Nodes to which volumes are attached."""

from __future__ import annotations

from cluster.kube.objects import PersistentVolume
from triage.facts.cluster_view import ClusterView

_ONE_NODE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


def attached_elsewhere(row: PersistentVolume, node: str, view: ClusterView) -> str:
    """Another node to which a volume for one node is attached, empty for none. The Multi-Attach
    event that says it is written once, and expires while the mount goes on failing."""
    if not row.spec.access_modes or not _ONE_NODE.issuperset(row.spec.access_modes):
        return ""
    nodes = {
        one.spec.node_name
        for one in view.store.rows("VolumeAttachment").values()
        if one.spec.source.persistent_volume_name == row.metadata.name and one.status.attached
    }
    return min(nodes, default="") if node not in nodes else ""

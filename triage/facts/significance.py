"""Which changes of the store can change a verdict. Most of what a quiet cluster sends are signs of
life, and they cost nothing here."""

from __future__ import annotations

from cluster.kube.objects import Condition, Node
from cluster.live.store import StoreUpdate


def significant(change: StoreUpdate) -> bool:
    """False for a Lease that was renewed and for a Node of which only heartbeats are new."""
    if change.kind == "Lease":
        return False
    if change.kind != "Node":
        return True
    old, new = change.old, change.new
    if isinstance(old, Node) and isinstance(new, Node):
        return _without_heartbeats(old) != _without_heartbeats(new)
    return True


def _without_heartbeats(node: Node) -> tuple[object, ...]:
    meta, status = node.metadata, node.status
    return (
        meta.uid,
        node.spec,
        meta.labels,
        meta.annotations,
        meta.deletion_timestamp,
        status.capacity,
        status.allocatable,
        status.addresses,
        status.node_info,
        tuple(map(_state, status.conditions)),
    )


def _state(condition: Condition) -> tuple[object, ...]:
    return (
        condition.type,
        condition.status,
        condition.reason,
        condition.message,
        condition.last_transition_time,
    )

"""Signs of life are no news; everything else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cluster.kube.objects import Condition, Lease, Node, NodeSpec, NodeStatus, ObjectMeta
from cluster.live.store import StoreUpdate
from triage.facts.significance import significant

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
READY = Condition(
    type="Ready",
    status="True",
    last_transition_time=NOW - timedelta(days=9),
)
NODE = Node(
    metadata=ObjectMeta(name="a", resource_version="1"), status=NodeStatus(conditions=(READY,))
)


def changed(new: Node) -> bool:
    return significant(StoreUpdate("Node", ("", "a"), NODE, new))


def with_condition(condition: Condition) -> Node:
    return msgspec.structs.replace(
        NODE, status=msgspec.structs.replace(NODE.status, conditions=(condition,))
    )


def test_heartbeats_and_renewed_leases_are_no_news() -> None:
    wire = {"type": "Ready", "status": "True", "lastTransitionTime": NOW - timedelta(days=9)}
    later = msgspec.convert({**wire, "lastHeartbeatTime": NOW}, Condition)
    assert not changed(with_condition(later))
    assert not changed(
        msgspec.structs.replace(NODE, metadata=ObjectMeta(name="a", resource_version="2"))
    )
    assert not significant(StoreUpdate("Lease", ("kube-node-lease", "a"), Lease(), Lease()))


@pytest.mark.parametrize(
    "new",
    [
        with_condition(msgspec.structs.replace(READY, status="Unknown")),
        with_condition(msgspec.structs.replace(READY, message="PLEG is not healthy")),
        msgspec.structs.replace(NODE, spec=NodeSpec(unschedulable=True)),
        msgspec.structs.replace(NODE, metadata=ObjectMeta(name="a", labels={"pool": "b"})),
    ],
)
def test_what_is_said_about_a_node_is_news(new: Node) -> None:
    assert changed(new)


def test_coming_and_going_is_news() -> None:
    assert significant(StoreUpdate("Node", ("", "a"), None, NODE))
    assert significant(StoreUpdate("Node", ("", "a"), NODE, None))

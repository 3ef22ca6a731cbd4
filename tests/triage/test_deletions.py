"""A namespace that does not go away is told with what keeps it, and its twin is quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cluster.kube.objects import Condition, Namespace, NamespaceStatus, ObjectMeta
from cluster.live.store import Store
from triage.engine import Triage
from triage.facts.finding import Finding

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
DISCOVERY = Condition(
    type="NamespaceDeletionDiscoveryFailure",
    status="True",
    reason="DiscoveryFailed",
    message="Discovery failed for some groups, 1 failing: unable to retrieve the complete list of "
    "server APIs: custom.metrics.k8s.io/v1beta2: the server is currently unable to handle it",
)
FINALIZERS = Condition(
    type="NamespaceFinalizersRemaining",
    status="True",
    reason="SomeFinalizersRemain",
    message="Some content in the namespace has finalizers remaining: "
    "foregroundDeletion in 3 resource instances",
)
REMAINING = Condition(
    type="NamespaceContentRemaining",
    status="True",
    message="Some resources are remaining: pods. has 1 resource instances",
)


def found(minutes: float | None, *conditions: Condition) -> list[Finding]:
    deleted = None if minutes is None else NOW - timedelta(minutes=minutes)
    row = Namespace(
        metadata=ObjectMeta(name="old-team", deletion_timestamp=deleted),
        status=NamespaceStatus(phase="Terminating", conditions=conditions),
    )
    store, engine = Store(), Triage(lambda: NOW)
    engine.update(store.apply("Namespace", [row]), store)
    return list(engine.report(NOW, store, {}).findings)


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([DISCOVERY], "the API custom.metrics.k8s.io/v1beta2 does not answer"),
        ([REMAINING, FINALIZERS], "waits for the finalizer foregroundDeletion of 3 objects"),
        ([REMAINING], "Some resources are remaining: pods."),
        ([], "no condition says why"),
    ],
)
def test_what_keeps_it_is_told(conditions: list[Condition], words: str) -> None:
    (one,) = found(120, *conditions)
    assert one.rule == "namespace-stuck"
    assert words in one.claim
    assert one.since == NOW - timedelta(minutes=120)


def test_a_namespace_that_is_not_deleted_or_only_just_is_quiet() -> None:
    assert found(None) == []
    assert found(3, REMAINING) == []

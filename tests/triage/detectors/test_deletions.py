"""Objects and namespaces whose deletion hangs are named with what keeps them, and twins are quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cluster.kube.objects import Condition, Namespace, NamespaceStatus, ObjectMeta
from cluster.live.store import Store
from tests.triage.build import ago, meta, ts
from tests.triage.members.deletions import held
from tests.triage.situation import background, first, found, look, pending
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


def told(minutes: float | None, *conditions: Condition) -> list[Finding]:
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
    (one,) = told(120, *conditions)
    assert one.rule == "namespace-stuck"
    assert words in one.claim
    assert one.since == NOW - timedelta(minutes=120)


def test_a_namespace_that_is_not_deleted_or_only_just_is_quiet() -> None:
    assert told(None) == []
    assert told(3, REMAINING) == []


@pytest.mark.parametrize(
    ("kind", "finalizer", "words"),
    [
        ("PersistentVolumeClaim", "kubernetes.io/pvc-protection", "Pod shop/db-0 still uses it"),
        ("Service", "service.kubernetes.io/load-balancer-cleanup", "has not removed its load"),
        ("Deployment", "example.com/backup", "the controller that set it does not remove it"),
    ],
)
def test_a_deletion_that_hangs_names_its_finalizer(kind: str, finalizer: str, words: str) -> None:
    cluster = background()
    raw = cluster.add(
        kind,
        {
            "metadata": meta("data", "shop", finalizers=[finalizer]),
            "spec": {"replicas": 0},
            "status": {},
        },
    )
    assert not found(cluster, "deletion-stuck")
    raw["metadata"]["deletionTimestamp"] = ts(ago(minutes=40))
    if kind == "PersistentVolumeClaim":
        pod = pending(cluster, "db-0", node="n1", since=ago(seconds=5))
        pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    assert f"data cannot be deleted: its finalizer {finalizer} stays" in first(cluster)
    assert words in first(cluster)
    raw["metadata"]["deletionTimestamp"] = ts(ago(minutes=2))
    assert found(cluster, "deletion-stuck")[0].young


def test_a_pod_that_has_ended_waits_for_its_finalizer_and_one_that_runs_for_its_node() -> None:
    cluster = background()
    held(cluster, "example.com/report", "Succeeded")
    pod = cluster.raw[-1][1]
    assert [one.rule for one in look(cluster).findings] == ["deletion-stuck"]
    pod["status"]["phase"] = "Running"
    pod["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": ts(ago(hours=2))}}
    assert [one.rule for one in look(cluster).findings] == ["pod-stuck-terminating"]


@pytest.mark.parametrize("change", [{"deletionTimestamp": None}, {"finalizers": []}], ids=str)
def test_a_finished_pod_that_nothing_keeps_or_nobody_deletes_is_quiet(
    change: dict[str, Any],
) -> None:
    """Job pods keep a finalizer until the Job controller has counted them, deleted or not."""
    cluster = background()
    held(cluster, "batch.kubernetes.io/job-tracking", "Succeeded")
    cluster.raw[-1][1]["metadata"].update(change)
    assert not found(cluster, "deletion-stuck")


def test_pods_that_one_finalizer_keeps_are_one_symptom() -> None:
    cluster = background()
    for _ in range(3):
        held(cluster, "example.com/report", "Failed")
    (symptom,) = look(cluster).symptoms
    assert symptom.title.endswith("(and 2 more)")

"""Everyday faults of controllers, deletions and the control plane, and the same without the
fault."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from tests.triage.test_catalogue import background
from tests.triage.test_field import first, found, look, pending
from triage.detectors.workloads.batch import longest_gap
from triage.facts.finding import Severity

# ---- components of the control plane


def lease(cluster: Cluster, name: str, renewed: datetime, namespace: str = "kube-system") -> None:
    spec = {"holderIdentity": "cp-1_x", "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.000000Z")}
    cluster.add("Lease", {"metadata": meta(name, namespace), "spec": spec})


@pytest.mark.parametrize(
    ("name", "effect"),
    [
        ("kube-scheduler", "new pods are not scheduled"),
        ("kube-controller-manager", "no controller acts"),
    ],
)
def test_a_component_that_does_not_renew_its_lease_is_away(name: str, effect: str) -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, name, ago(minutes=12))
    assert first(cluster).startswith(f"{name} is away")
    assert effect in first(cluster)


@pytest.mark.parametrize("renewed", [ago(seconds=20), ago(days=9)])
def test_a_lease_that_is_fresh_or_left_over_says_nothing(renewed: datetime) -> None:
    cluster = background()
    lease(cluster, "n1", NOW, "kube-node-lease")
    lease(cluster, "kube-scheduler", renewed)
    assert not found(cluster, "component-away")


def test_old_leases_of_a_recorded_cluster_are_no_finding() -> None:
    cluster = background()
    lease(cluster, "n1", ago(minutes=30), "kube-node-lease")
    lease(cluster, "kube-scheduler", ago(minutes=30))
    assert not found(cluster, "component-away")


# ---- deletions


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
    assert first(cluster).startswith(f"data: cannot be deleted: its finalizer {finalizer} stays")
    assert words in first(cluster)
    raw["metadata"]["deletionTimestamp"] = ts(ago(minutes=2))
    assert found(cluster, "deletion-stuck")[0].young


# ---- Jobs and CronJobs


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("*/5 * * * *", timedelta(minutes=5)),
        ("* * * * *", timedelta(minutes=1)),
        ("15 * * * *", timedelta(hours=1)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 3 * * *", timedelta(days=1)),
        ("0 3 * * 1", timedelta(days=7)),
        ("0 3 1 * *", timedelta(days=31)),
        ("@daily", timedelta(days=1)),
        ("0 3 1 1 *", None),
        ("never", None),
    ],
)
def test_the_longest_time_between_two_runs(schedule: str, gap: timedelta | None) -> None:
    assert longest_gap(schedule) == gap


def cron(cluster: Cluster, last: datetime, **spec: Any) -> dict[str, Any]:
    return cluster.add(
        "CronJob",
        {
            "metadata": meta("report", "shop"),
            "spec": {"schedule": "*/10 * * * *", "jobTemplate": {"spec": {}}, **spec},
            "status": {"lastScheduleTime": ts(last)},
        },
    )


def test_a_schedule_that_has_passed_twice_without_a_run() -> None:
    cluster = background()
    raw = cron(cluster, ago(minutes=50))
    assert not found(cluster, "cronjob-missed"), "nothing says that the picture is of now"
    cluster.raw.pop()
    lease(cluster, "n1", NOW, "kube-node-lease")
    raw = cron(cluster, ago(minutes=50))
    assert "report: has not run since 08:36 UTC (schedule */10 * * * *)" in first(cluster)
    raw["spec"]["concurrencyPolicy"] = "Forbid"
    raw["status"]["active"] = [{"kind": "Job", "namespace": "shop", "name": "report-1"}]
    assert "its Job report-1 still runs" in first(cluster)
    raw["status"]["lastScheduleTime"] = ts(ago(minutes=9))
    assert not found(cluster, "cronjob-missed")


def test_a_suspended_schedule_is_a_note_with_who_did_it() -> None:
    cluster = background()
    raw = cron(cluster, ago(days=2), suspend=True)
    assert not found(cluster, "cronjob-missed")
    raw["metadata"]["managedFields"] = [
        managed("kubectl", ago(days=2), {"f:spec": {"f:suspend": {}}})
    ]
    [finding] = found(cluster, "cronjob-missed")
    assert (finding.severity, finding.claim) == (
        Severity.INFO,
        "does not run: suspended by kubectl",
    )


def test_a_job_whose_pods_fail_is_a_young_note_with_the_exit() -> None:
    cluster = background()
    job = cluster.add(
        "Job",
        {
            "metadata": meta("load", "shop", created=ago(seconds=80)),
            "spec": {"backoffLimit": 6},
            "status": {"failed": 2, "startTime": ts(ago(seconds=80))},
        },
    )
    cluster.add(
        "Pod",
        {
            "metadata": meta("load-x", "shop", created=ago(seconds=60), owner=("Job", job)),
            "spec": {"nodeName": "n1", "restartPolicy": "Never", "containers": [{"name": "main"}]},
            "status": {
                "phase": "Failed",
                "containerStatuses": [
                    {
                        "name": "main",
                        "state": {"terminated": {"exitCode": 3, "finishedAt": ts(ago(seconds=30))}},
                    }
                ],
            },
        },
    )
    assert first(cluster) == "load: 2 of 7 tries failed, container main exit 3 (young)"
    job["status"] = {"succeeded": 1, "failed": 2, "conditions": [{"type": "Complete"}]}
    job["status"]["conditions"][0]["status"] = "True"
    assert not found(cluster, "job-retrying")


# ---- autoscalers, budgets, rollouts, StatefulSets


def autoscaler(cluster: Cluster, reason: str, message: str, since: datetime) -> None:
    cluster.add(
        "HorizontalPodAutoscaler",
        {
            "metadata": meta("web", "shop"),
            "spec": {"maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "web9"}},
            "status": {
                "conditions": [
                    {
                        "type": "AbleToScale",
                        "status": "False",
                        "reason": reason,
                        "message": message,
                        "lastTransitionTime": ts(since),
                    }
                ]
            },
        },
    )


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        (
            "FailedGetScale",
            'deployments/scale.apps "web9" not found',
            "its target Deployment web9 does not exist",
        ),
        ("FailedGetResourceMetric", "no metrics returned", "no metrics returned"),
    ],
)
def test_an_autoscaler_says_why_it_cannot_scale(reason: str, message: str, words: str) -> None:
    cluster = background()
    autoscaler(cluster, reason, message, ago(minutes=20))
    assert words in first(cluster)
    young = background()
    autoscaler(young, reason, message, ago(minutes=2))
    assert found(young, "hpa-cannot-scale")[0].young


def budget(cluster: Cluster, allowed: int) -> None:
    cluster.add(
        "PodDisruptionBudget",
        {
            "metadata": meta("solo", "shop"),
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "solo"}}},
            "status": {
                "disruptionsAllowed": allowed,
                "currentHealthy": 2,
                "desiredHealthy": 2,
                "expectedPods": 2,
            },
        },
    )


@pytest.mark.parametrize(("cordoned", "allowed"), [(True, 0), (False, 0), (True, 1)])
def test_a_budget_that_holds_a_drain(cordoned: bool, allowed: int) -> None:
    cluster = background()
    raw = cluster.deployment("solo", "shop", replicas=2)
    budget(cluster, allowed)
    node = next(
        n for n in cluster.nodes if n["metadata"]["name"] == raw["pods"][0]["spec"]["nodeName"]
    )
    node["spec"]["unschedulable"] = cordoned
    held = cordoned and not allowed
    assert bool(found(cluster, "drain-blocked")) is held
    if held:
        name = node["metadata"]["name"]
        assert first(cluster).startswith(f"solo: holds the drain of {name}: it allows no eviction")


def test_a_rollout_that_is_paused_half_way() -> None:
    cluster = background()
    raw = cluster.deployment("half", "shop", replicas=4)
    raw["spec"]["paused"] = True
    assert not found(cluster, "rollout-paused")
    raw["status"]["updatedReplicas"] = 1
    raw["metadata"]["managedFields"] = [
        managed("kubectl", ago(hours=5), {"f:spec": {"f:paused": {}}})
    ]
    assert first(cluster) == (
        "half: its rollout is paused by kubectl: 1 of 4 pods are of the new revision"
    )


def test_a_stateful_set_that_waits_for_one_pod_names_it() -> None:
    cluster = background()
    raw = cluster.deployment("db", "shop", replicas=3, kind="StatefulSet")
    names = ("db-0", "db-1", "db-2")
    for name, pod in zip(names, raw["pods"], strict=True):
        pod["metadata"]["name"] = name
    assert not found(cluster, "statefulset-waits")
    for condition in raw["pods"][1]["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=20)))
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not raw["pods"][2]]
    [finding] = found(cluster, "statefulset-waits")
    assert finding.claim == "waits for db-1, which is not ready: one more pod is not made"
    report = look(cluster)
    assert any(r.name == "db-1" for r in report.symptoms[0].objects)

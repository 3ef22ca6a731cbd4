"""Workloads and their controllers: replicas, rollouts, autoscalers, disruption budgets."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import (
    background,
    first,
    found,
    look,
    loud,
    one,
    service,
    sure,
)
from triage.facts.finding import Report, Severity


def test_short_and_stuck_workloads() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    stuck = {
        "type": "Progressing",
        "status": "False",
        "reason": "ProgressDeadlineExceeded",
        "lastTransitionTime": ts(ago(minutes=12)),
    }
    raw["status"].update(readyReplicas=1, availableReplicas=1, conditions=[stuck])
    for pod in raw["pods"][1:]:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=9,
            last={"exitCode": 1, "finishedAt": ts(ago(minutes=2))},
            phase="Running",
        )
    rules = {f.rule for f in look(cluster).findings if f.object.name == "odd"}
    assert {"rollout-stuck", "workload-degraded"} <= rules


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_a_change_that_no_controller_has_seen(kind: str) -> None:
    def made(minutes: float, observed: int) -> Report:
        cluster = background()
        raw = cluster.deployment(
            "odd",
            replicas=3,
            kind=kind,
            managedFields=[managed("helm", ago(minutes=minutes), {"f:spec": {}})],
        )
        raw["metadata"]["generation"] = 4
        raw["status"]["observedGeneration"] = observed
        return look(cluster)

    found = one(made(9, 3), "generation-not-observed")
    assert (found.severity, found.since, found.facts["manager"]) == (
        Severity.WARNING,
        ago(minutes=9),
        "helm",
    )
    for minutes, observed in ((2, 3), (9, 4), (9, 0)):  # fresh, seen, and copied without its status
        assert not [
            f for f in made(minutes, observed).findings if f.rule == "generation-not-observed"
        ], (minutes, observed)


def test_a_replica_set_that_cannot_create_also_while_some_of_its_pods_run() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    name = raw["set"]["metadata"]["name"]
    text = (
        'Error creating: pods "odd-x" is forbidden: exceeded quota: pods, requested: pods=1, '
        "used: pods=9, limited: pods=9"
    )
    cluster.event(
        "ReplicaSet", "shop", name, "FailedCreate", text, ago(minutes=1), ago(minutes=20), count=14
    )
    raw["set"]["status"].update(replicas=2, readyReplicas=2)
    assert (
        next(f for f in look(cluster).findings if f.rule == "create-failed").facts["cause"]
        == "quota"
    )


@pytest.mark.parametrize(("hours", "ready", "told"), [(2, 3, 1), (50, 2, 1), (50, 3, 0)])
def test_a_stateful_set_without_its_service(hours: float, ready: int, told: int) -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"})
    odd = cluster.deployment("odd", kind="StatefulSet", created=ago(hours=hours))
    odd["spec"]["serviceName"] = "odd-headless"
    odd["status"]["readyReplicas"] = ready
    services = [f.facts["service"] for f in found(cluster, "governing-service-missing")]
    assert services == ["odd-headless"] * told


def hpa(
    cluster: Cluster,
    type_: str,
    status: str,
    reason: str,
    replicas: int = 3,
    *,
    lowest: int = 2,
    since: datetime | None = None,
) -> None:
    condition = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": "-",
        "lastTransitionTime": ts(since or ago(minutes=30)),
    }
    spec = {
        "minReplicas": lowest,
        "maxReplicas": 10,
        "scaleTargetRef": {"kind": "Deployment", "name": "web"},
    }
    body = {
        "metadata": meta("web", "shop"),
        "spec": spec,
        "status": {"currentReplicas": replicas, "conditions": [condition]},
    }
    cluster.add("HorizontalPodAutoscaler", body)


@pytest.mark.parametrize(
    ("type_", "status", "reason", "rule"),
    [
        ("ScalingActive", "False", "FailedGetResourceMetric", "hpa-cannot-scale"),
        ("AbleToScale", "False", "FailedGetScale", "hpa-cannot-scale"),  # its target is missing
        ("ScalingLimited", "True", "TooManyReplicas", "hpa-maxed"),
        ("ScalingLimited", "True", "TooFewReplicas", ""),  # at its minimum: healthy
        ("ScalingActive", "False", "ScalingDisabled", ""),
    ],
)
def test_autoscalers(type_: str, status: str, reason: str, rule: str) -> None:
    cluster = background()
    hpa(cluster, type_, status, reason)
    assert [f.rule for f in look(cluster).findings] == [rule] * bool(rule)


@pytest.mark.parametrize(("since", "told"), [(ago(minutes=30), True), (ago(days=3), False)])
def test_an_autoscaler_that_can_only_hold_its_size(since: datetime, told: bool) -> None:
    cluster = background()
    hpa(cluster, "ScalingLimited", "True", "TooManyReplicas", 10, lowest=10, since=since)
    assert [f.claim for f in found(cluster, "hpa-maxed")] == [
        "wants more than its maximum of 10 replicas, which is its minimum too"
    ] * told


def test_a_budget_that_blocks() -> None:
    cluster = background()
    status = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 2, "expectedPods": 3}
    cluster.add(
        "PodDisruptionBudget", {"metadata": meta("web", "shop"), "spec": {}, "status": status}
    )
    assert one(look(cluster), "pdb-blocking").facts["healthy"] == 1


def test_which_services_die_with_a_node() -> None:
    cluster = background()
    raw = cluster.deployment("odd", replicas=3)
    for pod in raw["pods"]:
        pod["spec"]["nodeName"] = "n1"
    service(cluster, "odd", "shop", {"app": "odd"})
    found = one(look(cluster), "replicas-on-one-node")
    assert (found.facts["node"], found.facts["replicas"]) == ("n1", 3)


def test_replicas_on_one_node_against_a_preference() -> None:
    cluster = background()
    soft = {
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100}]
            }
        }
    }
    packed = cluster.deployment("identity", "core", replicas=3, spec=soft, created=ago(hours=3))
    for pod in packed["pods"]:
        pod["spec"]["nodeName"] = "n7"
    finding = one(look(cluster), "replicas-on-one-node")
    assert finding.severity is Severity.WARNING
    assert (
        finding.facts["node"],
        finding.facts["replicas"],
        finding.facts["preferred"],
        finding.facts["other_nodes"],
    ) == (
        "n7",
        3,
        True,
        8,
    )
    assert [
        shared.sentence.partition(";")[0]
        for symptom in look(cluster).symptoms
        if symptom.findings[0].rule == "replicas-on-one-node"
        for shared in symptom.shared
    ] == ["its replicas: 3 of 3 on n7"], "ready pods do not fail"
    assert "replicas-packed-on-one-node" in sure(look(cluster))
    others = [node for node in cluster.nodes if node["metadata"]["name"] != "n7"]
    for node in others:  # kubeadm and kind place DNS before the other nodes join
        node["metadata"]["creationTimestamp"] = ts(ago(hours=2))
    assert one(look(cluster), "replicas-on-one-node").severity is Severity.INFO
    assert sure(look(cluster)) == set()
    for node in others:
        node["metadata"]["creationTimestamp"] = ts(ago(days=40))
    for pod in packed["pods"]:  # known for long
        pod["metadata"]["creationTimestamp"] = ts(ago(days=19))
    assert one(look(cluster), "replicas-on-one-node").severity is Severity.INFO
    assert sure(look(cluster)) == set()
    for pod in packed["pods"]:
        pod["metadata"]["creationTimestamp"] = ts(ago(hours=3))
    del packed["spec"]["template"]["spec"]["affinity"]
    assert one(look(cluster), "replicas-on-one-node").severity is Severity.INFO
    packed["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    assert "replicas-on-one-node" not in {f.rule for f in look(cluster).findings}


def test_stateful_pods_on_emptydir_after_an_edit() -> None:
    cluster = background()
    spec = {"volumes": [{"name": "data", "emptyDir": {}}]}
    raw = cluster.deployment(
        "cache",
        "shop",
        kind="StatefulSet",
        replicas=3,
        spec=spec,
        managedFields=[
            managed(
                "cache-operator",
                ago(minutes=18),
                {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}},
            ),
        ],
    )
    assert loud(look(cluster)) == set()
    for pod in raw["pods"]:
        pod["metadata"]["creationTimestamp"] = ts(ago(minutes=16))
    finding = one(look(cluster), "stateful-on-emptydir")
    assert (finding.severity, finding.facts["edited_by"], finding.facts["restarted"]) == (
        Severity.WARNING,
        "cache-operator",
        3,
    )


def test_quota_refuses_pods() -> None:
    cluster = background()
    raw = cluster.deployment("api2", "shop", replicas=4)
    raw["set"]["status"]["replicas"] = 2
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("limits", "shop"),
            "status": {"hard": {"pods": "20"}, "used": {"pods": "20"}},
        },
    )
    cluster.event(
        "ReplicaSet",
        "shop",
        raw["set"]["metadata"]["name"],
        "FailedCreate",
        '(combined from similar events): Error creating: pods "x" is forbidden: '
        "exceeded quota: limits, requested: pods=1, used: pods=20, limited: pods=20",
        ago(minutes=2),
        first=ago(minutes=20),
        count=40,
    )
    report = look(cluster)
    assert (
        one(report, "create-failed").facts["cause"],
        one(report, "create-failed").object.kind,
    ) == ("quota", "Deployment")
    assert (
        one(report, "quota-exceeded").facts["resource"],
        one(report, "quota-exceeded").facts["hard"],
    ) == ("pods", "20")
    assert len([s for s in report.symptoms if s.severity is not Severity.INFO]) == 1


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
        assert first(cluster).startswith(
            f"disruption budget solo holds the drain of {name}: it allows no eviction"
        )


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
        "half's rollout is paused by kubectl: 1 of 4 pods are of the new revision"
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
    raw["spec"]["podManagementPolicy"] = "Parallel"  # all are made at once
    assert not found(cluster, "statefulset-waits")

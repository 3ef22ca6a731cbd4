"""A workload that was scaled to 0 and that no Service leads to, and what looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, managed, meta
from tests.triage.situation import MATCHER, background, first, found, look, service
from triage.facts.finding import Severity

RULE = "workload-scaled-to-zero"


def at_zero(cluster: Cluster, manager: str, **before: float) -> dict[str, Any]:
    work = cluster.deployment("queue", "shop", replicas=0, created=ago(days=30))
    write = managed(manager, ago(**before), {"f:spec": {"f:replicas": {}}}, "scale")
    work["metadata"]["managedFields"] = [write]
    return work


def test_it_says_by_whom_and_when() -> None:
    cluster = background()
    at_zero(cluster, "kubectl", minutes=40)
    assert first(cluster) == "queue was scaled to 0 by kubectl at 08:46 UTC"
    [finding] = found(cluster, RULE)
    assert (finding.severity, finding.since) == (Severity.INFO, ago(minutes=40))


@pytest.mark.parametrize(
    ("manager", "before"),
    [
        ("keda-operator", {"minutes": 40}),
        ("kube-downscaler", {"minutes": 40}),
        ("stanch", {"minutes": 40}),
        ("kubectl", {"days": 3}),
        ("helm", {"days": 30}),
    ],
    ids=["autoscaler", "schedule", "ourselves", "long ago", "created so"],
)
def test_what_is_at_zero_by_a_rule_or_for_long_is_no_news(
    manager: str, before: dict[str, float]
) -> None:
    cluster = background()
    at_zero(cluster, manager, **before)
    assert not found(cluster, RULE)


def test_a_workload_that_is_created_at_zero_is_no_news() -> None:
    cluster = background()
    at_zero(cluster, "helm", minutes=40)["metadata"]["creationTimestamp"] = "2026-03-14T08:46:00Z"
    assert not found(cluster, RULE)


@pytest.mark.parametrize(("headless", "told"), [(False, "service-no-endpoints"), (True, RULE)])
def test_a_service_tells_it_where_one_leads_there(headless: bool, told: str) -> None:
    """A Service that publishes pods that are not ready says nothing of its own."""
    cluster = background()
    at_zero(cluster, "kubectl", minutes=40)
    service(cluster, "queue", "shop", {"app": "queue"}, publishNotReadyAddresses=headless)
    both = found(cluster, "service-no-endpoints") + found(cluster, RULE)
    assert [one.rule for one in both] == [told]


def said_by_events(cluster: Cluster, kind: str = "Deployment", minutes: float = 4) -> None:
    """No managedFields tell who scaled it: the controller's event is the only trace."""
    name = "queue"
    if kind == "StatefulSet":
        labels = {"app": name}
        spec = {"replicas": 0, "template": {"metadata": {"labels": labels}, "spec": {}}}
        row = {"metadata": meta(name, "shop", created=ago(days=3)), "spec": spec, "status": {}}
        cluster.add(kind, row)
        event = ("SuccessfulDelete", "delete Pod queue-0 in StatefulSet queue successful")
    else:
        cluster.deployment(name, "shop", replicas=0, created=ago(days=3))
        event = ("ScalingReplicaSet", "Scaled down replica set queue-7d4b9c to 0 from 2")
    cluster.event(kind, "shop", name, *event, ago(minutes=minutes), type_="Normal")
    service(cluster, name, "shop", {"app": name})


@pytest.mark.parametrize(("kind", "before"), [("Deployment", " from 2"), ("StatefulSet", "")])
def test_the_controllers_event_tells_it_where_no_manager_is_recorded(
    kind: str, before: str
) -> None:
    cluster = background()
    said_by_events(cluster, kind)
    assert first(cluster).startswith(
        f"Service queue has no ready endpoint: {kind} shop/queue was scaled to 0{before} at 09:22"
    )
    report = look(cluster)
    sure = [m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]
    assert sure == ["workload-scaled-to-zero"]


@pytest.mark.parametrize(
    ("name", "minimum", "rises"),
    [("keda-hpa-queue", 1, False), ("queue", 0, False), ("queue", 2, True)],
)
def test_an_autoscaler_that_may_take_the_last_pod_did_it(
    name: str, minimum: int, rises: bool
) -> None:
    cluster = background()
    said_by_events(cluster)
    target = {"kind": "Deployment", "name": "queue"}
    spec = {"scaleTargetRef": target, "minReplicas": minimum, "maxReplicas": 4}
    cluster.add("HorizontalPodAutoscaler", {"metadata": meta(name, "shop"), "spec": spec})
    [finding] = found(cluster, "service-no-endpoints")
    assert finding.facts["scaled_automatically"] is not rises


def test_a_rollout_that_ended_the_old_pods_scaled_nothing_away() -> None:
    cluster = background()
    cluster.deployment("queue", "shop", replicas=1, created=ago(days=3))
    event = ("ScalingReplicaSet", "Scaled down replica set queue-7d4b9c to 0 from 2")
    cluster.event("Deployment", "shop", "queue", *event, ago(minutes=4), type_="Normal")
    assert not found(cluster, RULE)

"""A workload that was scaled to 0 and that no Service leads to, and what looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, managed
from tests.triage.situation import background, first, found, service
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

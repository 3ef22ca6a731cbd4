"""What is over and only events still show is a note with the time of its end; what a healthy start
leaves behind is none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import background, look, loud
from triage.facts.finding import Finding

REFUSED = (
    "FailedCreate",
    'Error creating: pods "web-x" is forbidden: exceeded quota: compute, requested: pods=1, '
    "used: pods=10, limited: pods=10",
)
UNREADY = ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")


def over(cluster: Cluster) -> list[Finding]:
    report = look(cluster)
    assert loud(report) == set()
    return [one for one in report.findings if one.rule == "trouble-over"]


def ready(cluster: Cluster, *, born: datetime, until: datetime) -> dict[str, Any]:
    """A pod that was created then, and that is ready since `until`."""
    pod: dict[str, Any] = cluster.deployment("cart", "shop", replicas=1, created=born)["pods"][0]
    for condition in pod["status"]["conditions"]:
        condition["lastTransitionTime"] = ts(until)
    return pod


@pytest.mark.parametrize(
    ("reason", "message", "says"),
    [
        (*UNREADY, "status 503"),
        ("FailedScheduling", "0/9 nodes are available: 9 Insufficient memory.", "Insufficient"),
        ("FailedMount", 'MountVolume.SetUp failed for volume "d" : secret "db" not found', "db"),
        ("Failed", 'Failed to pull image "x": 503 Service Unavailable', "503"),
    ],
)
def test_a_pod_that_took_long_tells_why_and_until_when(
    reason: str, message: str, says: str
) -> None:
    cluster = background()
    pod = ready(cluster, born=ago(minutes=30), until=ago(minutes=8))
    cluster.pod_event(pod, reason, message, ago(minutes=8), ago(minutes=29), count=17)
    [one] = over(cluster)
    assert one.claim.startswith("took long to become ready (gone since 09:18 UTC): ")
    assert says in one.claim
    assert one.since == ago(minutes=29)


def test_a_pod_that_was_unready_for_a_while_tells_why_and_until_when() -> None:
    cluster = background()
    pod = ready(cluster, born=ago(days=9), until=ago(minutes=8))
    cluster.pod_event(pod, *UNREADY, ago(minutes=8), ago(minutes=20), count=60)
    [one] = over(cluster)
    assert (
        one.claim == "was not ready (gone since 09:18 UTC): its readiness probe fails: status 503"
    )


def test_a_controller_whose_pods_were_refused_tells_why_and_until_when() -> None:
    cluster = background()
    cluster.deployment("cart", "shop")
    about = ("ReplicaSet", "shop", "cart-7d4b9c")
    cluster.event(*about, *REFUSED, ago(minutes=9), ago(minutes=30), count=15)
    [one] = over(cluster)
    assert "could not create its pods (gone since 09:17 UTC): quota compute is used up" in one.claim


@pytest.mark.parametrize(
    ("born", "until", "first"),
    [(20, 18, 19.5), (20, 15.5, 19.5), (9_000, 8, 8.4), (300, 90, 110)],
    ids=["a start", "a slow start", "one missed probe", "over for long"],
)
def test_what_passes_by_itself_is_not_told(born: float, until: float, first: float) -> None:
    cluster = background()
    pod = ready(cluster, born=ago(minutes=born), until=ago(minutes=until))
    cluster.pod_event(pod, *UNREADY, ago(minutes=until), ago(minutes=first), count=3)
    assert over(cluster) == []


def test_a_refusal_that_a_second_try_met_is_not_told() -> None:
    cluster = background()
    cluster.deployment("cart", "shop")
    about = ("ReplicaSet", "shop", "cart-7d4b9c")
    cluster.event(*about, *REFUSED, ago(minutes=9), ago(minutes=10), count=3)
    assert over(cluster) == []

"""Pods that the scheduler removed for others: they are gone, and their workload is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago
from tests.triage.situation import background, look, one, pending
from triage.facts.finding import Severity


def preempted(cluster: Cluster, name: str, by: str, priority: int = 0) -> dict[str, Any]:
    """A workload whose pod was removed, and the replacement that waits."""
    work = cluster.deployment(name, "shop", replicas=1)
    gone = work["pods"][0]
    cluster.pod_event(gone, "Preempted", f"Preempted by {by} on node n1", ago(minutes=6))
    cluster.raw.remove(("Pod", gone))
    pod = pending(cluster, f"{name}-7d4b9c-new", since=ago(minutes=6))
    pod["metadata"]["ownerReferences"] = gone["metadata"]["ownerReferences"]
    pod["spec"]["priority"] = priority
    pod["status"]["conditions"][0]["message"] = "0/9 nodes are available: 9 Insufficient cpu."
    work["status"].update(readyReplicas=0, availableReplicas=0)
    return pod


@pytest.mark.parametrize("named", ["uid", "name"])
def test_the_workload_that_took_the_room_is_named(named: str) -> None:
    cluster = background()
    taker = cluster.deployment("hog", "batch", replicas=1)["pods"][0]
    taker["spec"]["priority"] = 1000
    meta = taker["metadata"]
    pod = preempted(
        cluster, "cart", f"pod {meta['uid']}" if named == "uid" else f"batch/{meta['name']}"
    )
    report = look(cluster)
    title = report.symptoms[0].title
    assert title.startswith("cart was preempted by batch/hog of higher priority (1000)")
    assert pod["metadata"]["name"] in {ref.name for ref in report.symptoms[0].objects}


def test_several_workloads_are_one_line() -> None:
    cluster = background()
    for name in ("cart", "search"):
        preempted(cluster, name, "pod unknown")
    assert look(cluster).symptoms[0].title == (
        "cart and search were preempted by a pod of higher priority"
    )


def test_pods_that_hold_room_for_others_are_removed_by_intent() -> None:
    cluster = background()
    preempted(cluster, "placeholder", "pod unknown", priority=-10)
    assert one(look(cluster), "pod-preempted").severity is Severity.INFO


def test_a_workload_whose_pods_run_again_is_a_note() -> None:
    cluster = background()
    pod = preempted(cluster, "cart", "pod unknown")
    cluster.raw.remove(("Pod", pod))
    assert one(look(cluster), "pod-preempted").severity is Severity.INFO

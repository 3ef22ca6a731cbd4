"""Init containers and sidecars that hold their pod, and those that do not."""

from __future__ import annotations

import pytest

from tests.triage.build import ago, ts
from tests.triage.situation import (
    background,
    first,
    found,
    look,
    pending,
    running_init,
    sure,
)
from triage.facts.finding import Severity


def test_an_init_container_that_does_not_end_holds_its_pod() -> None:
    cluster = background()
    pending(
        cluster,
        "quality-0",
        node="n1",
        init=[{"name": "wait-for-db", "image": "busybox"}],
        init_states=[running_init("wait-for-db", ago(minutes=90), started=True)],
    )
    report = look(cluster)
    assert report.symptoms[0].title == "quality-0 waits: init container wait-for-db has not ended"
    assert report.symptoms[0].since == ago(minutes=90)
    assert not sure(report)


def test_a_sidecar_that_is_never_started_holds_its_pod_and_its_probe_says_why() -> None:
    cluster = background()
    pending(
        cluster,
        "cart-2",
        node="n1",
        init=[{"name": "mesh", "image": "mesh:2", "restartPolicy": "Always"}],
        init_states=[running_init("mesh", ago(minutes=39), started=False)],
    )
    cluster.event(
        "Pod",
        "shop",
        "cart-2",
        "Unhealthy",
        'Startup probe failed: Get "http://10.1.0.9:15021/r": dial tcp 10.1.0.9:15021: connect: '
        "connection refused",
        ago(seconds=10),
        ago(minutes=39),
        count=460,
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.facts["sidecar"], finding.facts["probe"]) == (True, "refused")
    assert "sidecar mesh has not started" in first(cluster)
    assert "connection refused" in first(cluster)


@pytest.mark.parametrize("minutes", [1, 9])
def test_an_init_container_may_run_for_a_while(minutes: int) -> None:
    cluster = background()
    pending(
        cluster,
        "migrate",
        node="n1",
        since=ago(minutes=minutes),
        init=[{"name": "schema", "image": "x"}],
        init_states=[running_init("schema", ago(minutes=minutes), started=True)],
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.young, finding.severity) == (True, Severity.INFO)


def test_a_sidecar_that_runs_holds_nothing() -> None:
    cluster = background()
    pending(
        cluster,
        "job",
        node="n1",
        init=[
            {"name": "mesh", "image": "mesh:2", "restartPolicy": "Always"},
            {"name": "schema", "image": "x"},
        ],
        init_states=[
            running_init("mesh", ago(minutes=39), started=True),
            running_init("schema", ago(minutes=38), started=True),
        ],
    )
    [finding] = found(cluster, "pod-init-waiting")
    assert (finding.facts["container"], finding.facts["sidecar"]) == ("schema", False)


def test_a_workload_without_replicas_says_what_its_young_pods_wait_for() -> None:
    cluster = background()
    raw = cluster.deployment("pay", replicas=2)
    for pod in raw["pods"]:
        cluster.waiting(pod, "PodInitializing")
        pod["status"]["initContainerStatuses"] = [
            running_init("schema", ago(minutes=4), started=True)
        ]
        pod["spec"]["initContainers"] = [{"name": "schema", "image": "x"}]
    down = {"type": "Available", "status": "False", "lastTransitionTime": ts(ago(minutes=4))}
    raw["status"].update(readyReplicas=0, availableReplicas=0, conditions=[down])
    assert first(cluster) == "pay has 0 of 2 replicas ready: init container schema has not ended"

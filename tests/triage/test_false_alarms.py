"""What healthy clusters and hands do, and what must not be made of it."""

from __future__ import annotations

from typing import Any

from tests.triage.build import NOW, Cluster, ago, meta, ts
from tests.triage.situation import MATCHER, STORIES, background, look, loud, service
from triage.facts.finding import Report


def listed(report: Report) -> set[str]:
    found = (m.id for s in report.symptoms for m in MATCHER.match_symptom(s, report))
    return {id_ for id_ in found if id_ in STORIES}


def finished(cluster: Cluster, job: str, number: int) -> dict[str, Any]:
    raw = cluster.add("Job", {"metadata": meta(f"{job}-{number}", "shop", created=ago(days=2))})
    pod = cluster.add(
        "Pod",
        {
            "metadata": meta(f"{job}-{number}-x", "shop", created=ago(days=2), owner=("Job", raw)),
            "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "x"}]},
            "status": {"phase": "Succeeded"},
        },
    )
    cluster.raw = [(kind, row) for kind, row in cluster.raw if row is not raw]
    return pod


def test_old_jobs_deleted_by_hand_are_no_loss() -> None:
    cluster = background()
    for number in range(49):
        finished(cluster, "report", number)
    assert loud(look(cluster)) == set()


def test_a_namespace_that_is_deleted_takes_its_objects_along() -> None:
    cluster = background()
    cluster.add(
        "Namespace",
        {"metadata": {**meta("shop"), "deletionTimestamp": ts(ago(minutes=1))}},
    )
    cluster.raw = [
        (kind, row)
        for kind, row in cluster.raw
        if not (kind in ("Deployment", "ReplicaSet") and row["metadata"]["namespace"] == "shop")
    ]
    assert loud(look(cluster)) == set()


def test_a_new_workload_and_its_service_speak_for_no_story() -> None:
    cluster = background()
    work = cluster.deployment("newapp", "shop", replicas=2, created=ago(minutes=30))
    service(cluster, "newapp", "shop", {"app": "newapp"}, ready=False)
    cluster.raw[-2][1]["metadata"]["creationTimestamp"] = ts(ago(minutes=30))
    for pod in work["pods"]:
        cluster.waiting(
            pod, "CreateContainerConfigError", 'secret "db-credentials" not found', phase="Pending"
        )
    work["status"].update(readyReplicas=0, availableReplicas=0)
    found = listed(look(cluster))
    assert "secret-not-found-blocks-deployments" in found
    assert not found & {"cryptomining-exposed-dashboard", "replicas-packed-on-one-node"}


def test_an_effect_alone_lists_no_story() -> None:
    cluster = background()
    work = cluster.deployment("web2", "shop", replicas=2, created=ago(hours=3))
    for pod in work["pods"]:
        cluster.waiting(
            pod,
            "CrashLoopBackOff",
            restarts=9,
            phase="Running",
            last={
                "exitCode": 1,
                "reason": "Error",
                "startedAt": ts(ago(minutes=6)),
                "finishedAt": ts(NOW),
            },
        )
    work["status"].update(readyReplicas=0, availableReplicas=0)
    assert listed(look(cluster)) == set()

"""Pods that have started and fail: evictions, crashes, readiness, containers that ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import (
    about,
    background,
    first,
    found,
    look,
    one,
    pending,
    pod_of,
    sure,
)
from triage.facts.finding import Severity


def test_evicted() -> None:
    cluster = background()
    pod = pod_of(cluster)
    pod["status"] = {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "startTime": ts(ago(hours=1)),
    }
    pod["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": ts(ago(minutes=9))}
    ]
    assert about(look(cluster), "pod-evicted", "odd").facts["resource"] == "memory"


def test_crash_loop_and_its_last_end() -> None:
    cluster = background()
    last = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    cluster.waiting(
        pod_of(cluster), "CrashLoopBackOff", "back-off 5m0s", restarts=6, last=last, phase="Running"
    )
    found = about(look(cluster), "pod-crash-looping", "odd")
    assert (found.facts["exit_code"], found.facts["restarts"]) == (1, 6)


def test_a_crash_that_is_over_and_one_oom_kill_of_a_container_that_runs_again() -> None:
    cluster = background()
    cluster.ended(pod_of(cluster), ago(minutes=10), code=3, reason="Error")
    assert about(look(cluster), "pod-restarted", "odd").facts["exit_code"] == 3
    cluster = background()
    cluster.ended(pod_of(cluster), ago(minutes=10), reason="OOMKilled")
    found = about(look(cluster), "pod-oom-killed", "odd")
    assert (found.severity, found.facts["running_again"]) == (Severity.WARNING, True)


def test_a_bare_pod_that_failed_is_a_note_and_the_pod_of_a_job_is_none() -> None:
    cluster = background()
    for owned in (False, True):
        pod = pod_of(cluster)
        ended = {
            "exitCode": 3,
            "reason": "Error",
            "finishedAt": ts(ago(minutes=6)),
            "startedAt": ts(ago(minutes=7)),
        }
        pod["status"] = {
            "phase": "Failed",
            "containerStatuses": [{"name": "app", "state": {"terminated": ended}}],
        }
        if not owned:
            pod["metadata"].pop("ownerReferences")
            pod["metadata"]["name"] = "bare"
    found = one(look(cluster), "pod-failed")
    assert (found.object.name, found.severity, found.facts["exit_code"]) == (
        "bare",
        Severity.INFO,
        3,
    )


def test_not_ready_and_why() -> None:
    cluster = background()
    pod = pod_of(cluster)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=7)))
    pod["status"]["containerStatuses"][0]["ready"] = False
    text = (
        'Readiness probe failed: Get "http://10.1.0.9:80/": dial tcp 10.1.0.9:80: connect: '
        "connection refused"
    )
    cluster.pod_event(
        pod,
        "Unhealthy",
        text,
        ago(seconds=30),
        count=40,
    )
    assert about(look(cluster), "pod-not-ready", "odd").facts["probe"] == "refused"


def healthy(change: Callable[[Cluster], None]) -> list[str]:
    cluster = background()
    change(cluster)
    return [f.claim for f in look(cluster).findings if f.severity is not Severity.INFO]


def test_succeeded_pods_are_healthy() -> None:
    def change(cluster: Cluster) -> None:
        pod = pod_of(cluster)
        cluster.waiting(pod, "Completed")
        pod["metadata"]["ownerReferences"][0]["kind"] = "Job"
        pod["status"].update(phase="Succeeded")
        pod["status"]["containerStatuses"][0]["state"] = {
            "terminated": {"exitCode": 0, "reason": "Completed"}
        }

    assert [c for c in healthy(change) if "odd" in c] == []


def test_settled_restarts_are_history() -> None:
    assert (
        healthy(
            lambda cluster: cluster.ended(
                pod_of(cluster), ago(hours=5), reason="OOMKilled", restarts=40
            )
        )
        == []
    )


def test_edges_fade_into_history() -> None:
    for minutes, severity in ((10, Severity.WARNING), (45, Severity.INFO), (90, None)):
        cluster = background()
        pod = next(r for k, r in cluster.raw if k == "Pod")
        cluster.ended(pod, ago(minutes=minutes), reason="OOMKilled")
        found = [f for f in look(cluster).findings if f.rule == "pod-oom-killed"]
        assert [f.severity for f in found] == ([severity] if severity else [])
        assert all(f.facts["running_again"] for f in found)


def test_running_pod_can_be_crash_looping() -> None:
    cluster = background()
    pod = next(r for k, r in cluster.raw if k == "Pod")
    cluster.ended(pod, ago(minutes=3), code=1, restarts=9, ran=timedelta(seconds=40))
    finding = one(look(cluster), "pod-crash-looping")
    assert (
        finding.facts["restarts"],
        finding.facts["ran_seconds"],
        finding.facts["exit_code"],
    ) == (9, 40, 1)


def two_containers(cluster: Cluster, name: str, policy: str, code: int) -> None:
    raw = pending(cluster, name, node="n1", since=ago(hours=3), phase="Running")
    raw["spec"].update(
        restartPolicy=policy,
        containers=[{"name": "good", "image": "g"}, {"name": "bad", "image": "b"}],
    )
    raw["status"]["containerStatuses"] = [
        {"name": "good", "ready": True, "state": {"running": {"startedAt": ts(ago(hours=3))}}},
        {
            "name": "bad",
            "state": {
                "terminated": {
                    "exitCode": code,
                    "reason": "Error" if code else "Completed",
                    "startedAt": ts(ago(hours=3)),
                    "finishedAt": ts(ago(hours=2)),
                }
            },
        },
    ]


def test_a_half_dead_pod_is_said_as_such() -> None:
    cluster = background()
    two_containers(cluster, "half", "Never", 1)
    assert "half dead: container bad ended with exit 1 and is not restarted" in first(cluster)
    assert not sure(look(cluster))


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_a_sidecar_that_holds_a_finished_pod_is_said_as_such(policy: str) -> None:
    cluster = background()
    two_containers(cluster, "done", policy, 0)
    assert "does not finish: bad completed, good still runs" in first(cluster)


def test_a_container_that_is_restarted_is_not_half_dead() -> None:
    cluster = background()
    two_containers(cluster, "loop", "Always", 1)
    assert not found(cluster, "pod-half-ended")


@pytest.mark.parametrize(
    ("type_", "reason", "said"),
    [
        ("PodResizePending", "Infeasible", "'s resize cannot be done on this node"),
        ("PodResizeInProgress", "Error", "'s resize fails"),
    ],
)
def test_a_resize_that_cannot_be_done(type_: str, reason: str, said: str) -> None:
    cluster = background()
    pod = next(r for k, r in cluster.raw if k == "Pod")
    pod["status"]["conditions"].append(
        {
            "type": type_,
            "status": "True",
            "reason": reason,
            "message": "Node didn't have enough capacity: memory",
            "lastTransitionTime": ts(ago(minutes=40)),
        }
    )
    assert said in first(cluster)
    assert first(cluster).endswith("have enough capacity: memory")


@pytest.mark.parametrize(
    "message",
    [
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        'Container main exceeded its local ephemeral storage limit "1Gi". ',
        'Usage of EmptyDir volume "cache" exceeds the limit "100Mi". ',
    ],
)
def test_a_pod_that_exceeds_its_own_limit_leaves_the_node_out(message: str) -> None:
    cluster = background()
    raw = pending(cluster, "scratch", node="n1", phase="Failed")
    raw["status"].update(reason="Evicted", message=message)
    raw["status"]["startTime"] = ts(ago(minutes=8))
    [finding] = found(cluster, "pod-evicted")
    assert finding.facts["own_limit"] is True
    assert "node low" not in finding.claim
    assert first(cluster) == "scratch was evicted for its own ephemeral-storage limit"


def test_a_kill_by_a_liveness_probe_is_told_once() -> None:
    cluster = background()
    work = cluster.deployment("solo", "shop", replicas=1, created=ago(days=30))
    pod = work["pods"][0]
    cluster.ended(pod, ago(minutes=4), code=137, restarts=4)
    cluster.pod_event(
        pod,
        "Killing",
        "Container app failed liveness probe, will be restarted",
        ago(minutes=4, seconds=20),
        ago(minutes=20),
        count=4,
        type_="Normal",
    )
    rules = {f.rule for f in look(cluster).findings}
    assert "pod-liveness-killed" in rules
    assert not rules & {"pod-container-lost", "pod-crash-looping"}

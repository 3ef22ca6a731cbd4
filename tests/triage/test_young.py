"""What has a known cause and is younger than its grace is a note with its age; when the grace is
over it rises, and what passes by itself within seconds is not said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.triage.build import NOW, Cluster, ago, managed, meta, ts
from tests.triage.situation import MATCHER, background, look, pending, running_init
from triage.facts.finding import Severity, Symptom

Fault = Callable[[Cluster, int], None]
"""Adds the fault as it is so many seconds after it began."""


def unscheduled(cluster: Cluster, seconds: int) -> None:
    raw = pending(cluster, "cart-0", since=ago(seconds=seconds))
    raw["status"]["conditions"][0]["message"] = "0/9 nodes are available: 9 Insufficient memory."


def secret_missing(cluster: Cluster, seconds: int) -> None:
    raw = pending(cluster, "cart-0", node="n1", since=ago(seconds=seconds))
    event(cluster, raw, "FailedMount", 'secret "db" not found', seconds - 1)


def event(cluster: Cluster, raw: dict[str, Any], reason: str, text: str, age: int) -> None:
    cluster.pod_event(
        raw,
        reason,
        text,
        ago(seconds=2),
        first=ago(seconds=age),
        count=5,
    )


def running(cluster: Cluster, seconds: int) -> dict[str, Any]:
    raw = pending(cluster, "cart-0", node="n1", since=ago(seconds=seconds), phase="Running")
    raw["status"]["containerStatuses"] = [
        {"name": "main", "state": {"running": {"startedAt": ts(ago(seconds=seconds))}}}
    ]
    return raw


def probe_refused(cluster: Cluster, seconds: int) -> None:
    raw = running(cluster, seconds)
    text = 'Readiness probe failed: Get "http://10.1.0.9:8081/": dial tcp 10.1.0.9:8081: connect: '
    event(cluster, raw, "Unhealthy", f"{text}connection refused", seconds - 1)


def init_waits(cluster: Cluster, seconds: int) -> None:
    pending(
        cluster,
        "cart-0",
        node="n1",
        since=ago(seconds=seconds),
        init=[{"name": "wait-for-db", "image": "x"}],
        init_states=[running_init("wait-for-db", ago(seconds=seconds))],
    )


def crashed(cluster: Cluster, seconds: int) -> None:
    raw = running(cluster, seconds)
    raw["status"]["containerStatuses"][0].update(
        restartCount=1,
        state={
            "terminated": {
                "exitCode": 1,
                "reason": "Error",
                "startedAt": ts(ago(seconds=seconds)),
                "finishedAt": ts(NOW),
            }
        },
    )


def about(cluster: Cluster) -> list[Symptom]:
    return [s for s in look(cluster).symptoms if any("cart-0" in r.name for r in s.objects)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (unscheduled, "insufficient memory"),
        (secret_missing, "Secret db is missing"),
        (probe_refused, "readiness probe fails: connection refused on port 8081"),
        (init_waits, "init container wait-for-db has not ended"),
        (crashed, "crash"),
    ],
)
def test_a_fault_of_45_seconds_is_a_note_with_its_cause(fault: Fault, words: str) -> None:
    cluster = background()
    fault(cluster, 45)
    [symptom] = about(cluster)
    assert symptom.severity is Severity.INFO
    assert words in symptom.title
    assert symptom.title.endswith("(young)")
    assert "(young: " in symptom.findings[0].claim
    assert look(cluster).symptoms[0] == symptom


SLOW = {"httpGet": {"port": 8081, "path": "/"}, "periodSeconds": 10, "failureThreshold": 240}
"""A startup probe that allows 40 min."""


def startup_refused(cluster: Cluster, seconds: int) -> None:
    probe_refused(cluster, seconds)
    (raw,) = (r for _, r in cluster.raw if r["metadata"]["name"] == "cart-0")
    raw["spec"]["containers"][0]["startupProbe"] = SLOW


def sidecar_starts(cluster: Cluster, seconds: int) -> None:
    pending(
        cluster,
        "cart-0",
        node="n1",
        since=ago(seconds=seconds),
        init=[{"name": "proxy", "image": "x", "restartPolicy": "Always", "startupProbe": SLOW}],
        init_states=[running_init("proxy", ago(seconds=seconds), started=False)],
    )


@pytest.mark.parametrize("fault", [startup_refused, sidecar_starts])
def test_what_a_probe_allows_is_said_beside_an_unusual_age(fault: Fault) -> None:
    cluster = background()
    fault(cluster, 39 * 60)
    [symptom] = about(cluster)
    assert symptom.severity is Severity.INFO
    assert symptom.title.endswith("(young; its startup probe allows 40 min)")
    assert "(young: 39 min; its startup probe allows 40 min)" in symptom.findings[0].claim
    cluster = background()
    fault(cluster, 42 * 60)
    [symptom] = about(cluster)
    assert symptom.severity is Severity.WARNING
    assert "allows" not in symptom.title


@pytest.mark.parametrize("fault", [unscheduled, secret_missing, probe_refused, init_waits])
def test_it_rises_when_its_grace_is_over(fault: Fault) -> None:
    cluster = background()
    fault(cluster, 1_200)
    [symptom] = about(cluster)
    assert symptom.severity is Severity.WARNING
    assert "young" not in symptom.title


@pytest.mark.parametrize(
    ("fault", "seconds", "sure"),
    [
        (probe_refused, 45, False),
        (probe_refused, 1_200, True),
        (secret_missing, 45, False),
        (secret_missing, 1_200, True),
    ],
)
def test_what_is_young_makes_no_page_certain(fault: Fault, seconds: int, sure: bool) -> None:
    cluster = background()
    fault(cluster, seconds)
    [symptom] = about(cluster)
    first = MATCHER.match_symptom(symptom, look(cluster))[0]
    assert first.confident is sure


def test_a_secret_that_came_meanwhile_is_not_called_missing() -> None:
    cluster = background()
    secret_missing(cluster, 1_200)
    raw = {"metadata": meta("db", "shop"), "type": "Opaque", "data": {}}
    cluster.add("Secret", raw)
    [symptom] = about(cluster)
    assert symptom.title.endswith("Secret db was missing (it exists now)")


@pytest.mark.parametrize("fault", [unscheduled, secret_missing, probe_refused, init_waits])
def test_what_began_a_moment_ago_is_not_said(fault: Fault) -> None:
    cluster = background()
    fault(cluster, 6)
    assert not about(cluster)


def test_a_pod_that_starts_without_a_failed_probe_is_not_said() -> None:
    cluster = background()
    running(cluster, 60)
    assert not about(cluster)


@pytest.mark.parametrize(
    ("minutes", "budget", "young"),
    [(8, True, True), (8, False, False), (16, True, False)],
    ids=["within its budget", "without a startup probe", "after it"],
)
def test_a_startup_probe_gives_a_pod_the_time_that_it_may_fail(
    minutes: int, budget: bool, young: bool
) -> None:
    """30 failures, one each 20 s: ten minutes, then readiness."""
    cluster = background()
    raw = running(cluster, minutes * 60)
    text = 'Startup probe failed: Get "http://10.1.0.9:8081/": dial tcp 10.1.0.9:8081: connect: '
    event(cluster, raw, "Unhealthy", f"{text}connection refused", minutes * 60 - 20)
    probe = {"httpGet": {"port": 8081}, "periodSeconds": 20, "failureThreshold": 30}
    raw["spec"]["containers"][0].update({"startupProbe": probe} if budget else {})
    [symptom] = about(cluster)
    assert symptom.title.endswith("(young; its startup probe allows 10 min)") is young
    assert symptom.severity is (Severity.INFO if young else Severity.WARNING)


@pytest.mark.parametrize(("minutes", "young"), [(15, True), (25, False)])
def test_a_sidecar_may_start_for_as_long_as_its_startup_probe_allows(
    minutes: int, young: bool
) -> None:
    cluster = background()
    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 20, "failureThreshold": 60}
    sidecar = {"name": "proxy", "image": "x", "restartPolicy": "Always", "startupProbe": probe}
    state = running_init("proxy", ago(minutes=minutes), started=False)
    since = ago(minutes=minutes)
    pending(cluster, "cart-0", node="n1", since=since, init=[sidecar], init_states=[state])
    [symptom] = about(cluster)
    assert symptom.title.endswith("(young; its startup probe allows 20 min)") is young


@pytest.mark.parametrize("same", [True, False], ids=["of the same workload", "of another one"])
def test_a_restart_by_liveness_of_these_minutes_stands_above_the_note_of_a_rollout(
    same: bool,
) -> None:
    cluster = background()
    shop = cluster.deployment("web-shop", "shop", replicas=3)
    edit = managed("kubectl-rollout", ago(minutes=20), {"f:spec": {"f:paused": {}}})
    shop["metadata"]["managedFields"] = [edit]
    shop["spec"]["paused"] = True
    shop["status"]["updatedReplicas"] = 1
    work = shop if same else cluster.deployment("cart", "shop", replicas=3)
    pod = work["pods"][0]
    cluster.ended(pod, ago(minutes=1))
    text = "Container app failed liveness probe, will be restarted"
    cluster.pod_event(pod, "Killing", text, ago(minutes=1), type_="Normal")
    said = "Liveness probe failed: HTTP probe failed with statuscode: 500"
    cluster.pod_event(pod, "Unhealthy", said, ago(minutes=1), ago(minutes=2), count=3)
    first, *rest = look(cluster).symptoms
    assert first.mechanism == "pod-liveness-killed"
    assert first.title.endswith("was restarted by its liveness probe: status 500 (young)")
    assert "rollout-paused" in {f.rule for each in (first, *rest) for f in each.findings}

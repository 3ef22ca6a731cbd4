"""Containers that cannot reach a peer without a name for it: one symptom, led by what is down."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import MATCHER, background, look, old_crash_loop, pending, service
from triage.facts.finding import Report, Severity
from triage.facts.measurements import LastWords
from triage.logs.classify import verdict

LINK = "PoolInitializationException: Failed to initialize pool: Communications link failure"


def failing(
    cluster: Cluster, name: str, minutes: float, reason: str = "Error", namespace: str = "shop"
) -> dict[str, Any]:
    work = cluster.deployment(name, namespace, replicas=1, created=ago(minutes=minutes))
    pod: dict[str, Any] = work["pods"][0]
    pod["metadata"]["creationTimestamp"] = ts(ago(minutes=minutes))
    end: dict[str, Any] = {"exitCode": 137 if reason == "OOMKilled" else 1, "reason": reason}
    end |= {"startedAt": ts(ago(minutes=1, seconds=9)), "finishedAt": ts(ago(minutes=1))}
    cluster.waiting(pod, "CrashLoopBackOff", restarts=4, last=end, phase="Running")
    return pod


def words(pod: dict[str, Any], line: str = LINK) -> LastWords:
    meta = pod["metadata"]
    return LastWords(Ref("Pod", meta["namespace"], meta["name"]), "app", verdict([line]), line)


def titles(report: Report) -> list[str]:
    return [s.title for s in report.symptoms if s.severity is not Severity.INFO]


def served(cluster: Cluster, name: str) -> None:
    service(cluster, name, "shop", {"app": name}, ready=False)


def test_the_server_that_is_killed_stands_for_those_that_cannot_reach_it() -> None:
    cluster = background()
    failing(cluster, "db", 9, "OOMKilled")
    served(cluster, "db")
    clients = [failing(cluster, name, 8) for name in ("orders", "prices", "users")]
    report = look(cluster, [words(pod) for pod in clients])
    assert titles(report) == ["db was killed at its memory limit"]
    pages = [m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]
    assert pages[0] == "memory-limit-reached"


def test_the_server_that_waits_for_a_node_stands_for_its_client() -> None:
    cluster = background()
    served(cluster, "db")
    pending(cluster, "db-0", since=ago(minutes=9))["metadata"]["labels"] = {"app": "db"}
    report = look(cluster, [words(failing(cluster, "orders", 8), "no reachable servers")])
    assert len(titles(report)) == 1
    assert "is pending" in titles(report)[0]


def test_without_a_server_that_is_down_equal_complaints_are_one_symptom() -> None:
    cluster = background()
    clients = [failing(cluster, name, 8) for name in ("orders", "prices", "users")]
    [title] = titles(look(cluster, [words(pod) for pod in clients]))
    assert title.startswith("orders, prices and 1 more exit 1: ")


def test_of_two_servers_that_are_down_none_is_blamed() -> None:
    cluster = background()
    for name in ("db", "cache"):
        served(cluster, name)
        pod = pending(cluster, f"{name}-0", since=ago(minutes=9))
        pod["metadata"]["labels"] = {"app": name}
        pod["status"]["conditions"][0]["message"] = f"0/9 nodes are available: 9 {name} is away."
    found = titles(look(cluster, [words(failing(cluster, "orders", 8))]))
    assert any(title.startswith("orders exits 1") for title in found)


@pytest.mark.parametrize(
    ("namespace", "selected"),
    [("billing", "db"), ("shop", "other")],
    ids=["in another namespace", "behind no Service"],
)
def test_what_cannot_be_the_server_is_not_blamed(namespace: str, selected: str) -> None:
    cluster = background()
    failing(cluster, "db", 9, "OOMKilled", namespace)
    service(cluster, "db", namespace, {"app": selected}, ready=False)
    assert len(titles(look(cluster, [words(failing(cluster, "orders", 8))]))) >= 2


def test_what_has_waited_for_hours_is_not_blamed() -> None:
    cluster = background()
    served(cluster, "db")
    pending(cluster, "db-0", since=ago(hours=5))["metadata"]["labels"] = {"app": "db"}
    assert len(titles(look(cluster, [words(failing(cluster, "orders", 8))]))) >= 2


def test_a_crash_that_is_days_older_than_the_fault_of_its_node_stays_apart() -> None:
    cluster = background()
    old_crash_loop(cluster, "experiment", 6)
    experiment = next(
        raw
        for kind, raw in cluster.raw
        if kind == "Pod" and raw["metadata"]["namespace"] == "sandbox"
    )
    node = next(n for n in cluster.nodes if n["metadata"]["name"] == experiment["spec"]["nodeName"])
    cluster.not_ready(node, ago(minutes=9))
    report = look(cluster)
    assert "experiment" not in report.symptoms[0].title
    assert Ref("Pod", "sandbox", experiment["metadata"]["name"]) not in report.symptoms[0].objects
    assert "experiment" in titles(report)[-1]


def test_the_log_of_a_container_killed_for_memory_is_no_error_of_its_own() -> None:
    cluster = background()
    line = "Initializing buffer pool, total size = 2G"
    report = look(cluster, [words(failing(cluster, "db", 9, "OOMKilled"), line)])
    sure = [m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]
    assert sure == ["memory-limit-reached"]


def test_the_last_line_of_unknown_words_stands_in_the_title() -> None:
    cluster = background()
    report = look(cluster, [words(failing(cluster, "web", 9), "giving up, bye")])
    assert titles(report) == [
        "web is in a crash loop (exit 1); the log's last line: giving up, bye"
    ]

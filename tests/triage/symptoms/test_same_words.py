"""Workloads that fail at one dependency are one symptom; unrelated causes stay apart."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import Cluster, ago, ts
from tests.triage.detectors.pods.test_last_words import crashing, words
from tests.triage.situation import background, look, service
from triage.facts.finding import Severity, Symptom

_STACK = "\tat com.mysql.cj.jdbc.ConnectionImpl.connect(ConnectionImpl.java:9)"
_FULL = ("java.sql.SQLException: Too many connections", _STACK)


def loud(cluster: Cluster, *said: tuple[dict[str, Any], tuple[str, ...]]) -> list[Symptom]:
    report = look(cluster, [words(pod, *lines) for pod, lines in said])
    return [s for s in report.symptoms if s.severity is not Severity.INFO]


def two_databases(cluster: Cluster, full: str = "") -> None:
    """Two servers of one kind, so that no port tells which is meant; one may say that it is full
    while it is Ready."""
    for name in ("orders-db", "users-db"):
        raw = cluster.deployment(name, "shop", replicas=1, kind="StatefulSet")
        service(cluster, name, "shop", {"app": name}, port=3306)
        if name == full:
            message = "Readiness probe failed: ERROR 1040 (HY000): Too many connections"
            pod = raw["pods"][0]["metadata"]["name"]
            cluster.event("Pod", "shop", pod, "Unhealthy", message, ago(minutes=3))


def test_clients_of_a_server_without_an_address_are_one_symptom() -> None:
    cluster = background()
    two_databases(cluster)
    pods = [crashing(cluster, f"client-{n}") for n in range(4)]
    (symptom,) = loud(cluster, *((pod, _FULL) for pod in pods))
    assert symptom.title == "client-0, client-1 and 2 more exit 1: MySQL: Too many connections"


def test_crash_loops_that_were_not_read_belong_to_the_cause_of_the_others() -> None:
    cluster = background()
    two_databases(cluster)
    pods = [crashing(cluster, f"client-{n}") for n in range(5)]
    crashing(cluster, "elsewhere", "test")
    symptoms = loud(cluster, *((pod, _FULL) for pod in pods[:3]))
    assert len(symptoms) == 2  # that of the other namespace stands apart, below
    assert symptoms[0].title.endswith("(and 2 more, whose logs do not say)")
    assert {ref.namespace for ref in symptoms[1].objects} == {"test"}


def test_a_server_that_says_so_itself_is_named_although_it_is_ready() -> None:
    cluster = background()
    two_databases(cluster, full="users-db")
    pods = [crashing(cluster, f"client-{n}") for n in range(4)]
    (symptom,) = loud(cluster, *((pod, _FULL) for pod in pods))
    assert symptom.objects[0] == Ref("Service", "shop", "users-db")
    assert symptom.title.startswith("Service users-db has no connection left for client-0")
    assert symptom.severity is Severity.CRITICAL


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_FULL, ("panic: shelf 7 is gone",)),
        (_FULL, ("Access denied for user 'b'@'10.1.1.1'",)),
        (
            ("Access denied for user 'alice'@'10.1.1.1'",),
            ("Access denied for user 'bob'@'10.1.1.2'",),
        ),
        (
            ("dial tcp: lookup cart.example.com: no such host",),
            ("dial tcp: lookup mail.example.org: no such host",),
        ),
        (("open /a: read-only file system",), ("open /a: read-only file system",)),
    ],
)
def test_unrelated_causes_stay_two(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    cluster = background()
    pods = crashing(cluster, "orders"), crashing(cluster, "billing")
    assert len(loud(cluster, (pods[0], one), (pods[1], other))) == 2


@pytest.mark.parametrize(
    "said",
    [
        "Access denied for user 'shop'@'10.1.1.{}'",
        "dial tcp db.example.com:5432: connect: connection refused (try {})",
        "java.net.UnknownHostException: db.example.com",
        "ERROR: The MySQL server is running with the --read-only option (worker {})",
    ],
)
def test_one_dependency_is_one_symptom(said: str) -> None:
    cluster = background()
    pods = [crashing(cluster, name) for name in ("orders", "billing", "stock")]
    assert len(loud(cluster, *((p, (said.format(n),)) for n, p in enumerate(pods)))) == 1


def test_a_crash_loop_with_another_exit_code_stays_apart() -> None:
    cluster = background()
    two_databases(cluster)
    pods = [crashing(cluster, f"client-{n}") for n in range(3)]
    other = crashing(cluster, "stock")
    for status in other["status"]["containerStatuses"]:
        status["lastState"]["terminated"].update(exitCode=139, finishedAt=ts(ago(minutes=2)))
    assert len(loud(cluster, *((pod, _FULL) for pod in pods))) == 2

"""Probes of the kubelet: which one fails, where, how, and whether a container can answer there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import background, first, found
from triage.facts.messages.container_probes import probe_cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ('Get "http://10.1.0.9:8080/": dial tcp 10.1.0.9:8080: connect: connection refused', 0),
        ('Get "http://10.1.0.9:8080/": context deadline exceeded (Client.Timeout exceeded)', 1),
        ("HTTP probe failed with statuscode: 503", 2),
        ('Get "https://10.1.0.9:8080/": http: server gave HTTP response to HTTPS client', 3),
        ('Get "http://10.1.0.9:8080/": net/http: malformed HTTP response "\\x15\\x03"', 3),
        ('Get "http://10.1.0.9:8080/": net/http: malformed HTTP status code "\\x00\\x04"', 3),
        ('error reading server preface: http2: frame too large, for service "10.1.0.9:9090"', 3),
        ('exec: "/bin/check": executable file not found in $PATH', 4),
        ("cat: can't open '/tmp/healthy'", 5),
    ],
)
def test_how_a_probe_failed(message: str, cause: int) -> None:
    names = ("refused", "timeout", "status", "protocol", "exec", "other")
    assert probe_cause(f"Readiness probe failed: {message}") == names[cause]


def probed(
    message: str, probe: dict[str, Any], ports: list[int], *, kind: str = "readiness"
) -> Cluster:
    cluster = background()
    raw = cluster.deployment("payments", "shop", replicas=2, created=ago(hours=2))
    for pod in raw["pods"]:
        container = pod["spec"]["containers"][0]
        container.update({f"{kind}Probe": probe, "ports": [{"containerPort": p} for p in ports]})
    pod = raw["pods"][0]
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(hours=2)))
    pod["status"]["containerStatuses"][0]["ready"] = False
    cluster.pod_event(
        pod,
        "Unhealthy",
        f"{kind.capitalize()} probe failed: {message}",
        ago(seconds=5),
        first=ago(hours=2),
        count=700,
    )
    return cluster


REFUSED = 'Get "http://10.1.0.9:8081/": dial tcp 10.1.0.9:8081: connect: connection refused'


def test_a_port_that_no_container_declares_is_said_with_those_it_declares() -> None:
    cluster = probed(REFUSED, {"httpGet": {"port": 8081}}, [8080])
    [finding] = found(cluster, "pod-not-ready")
    assert (finding.facts["probe_kind"], finding.facts["undeclared"]) == ("readiness", True)
    assert "connection refused on port 8081, which no container declares" in first(cluster)
    assert "(declared: 8080)" in first(cluster)


@pytest.mark.parametrize(
    ("probe", "started", "says"),
    [
        ({"readinessProbe": {"httpGet": {"port": 8081}}}, True, "readiness probe does not pass on"),
        ({"readinessProbe": {"exec": {"command": ["ok"]}}}, True, "readiness probe does not pass"),
        ({"startupProbe": {"tcpSocket": {"port": 8081}}}, False, "startup probe does not pass on"),
        ({}, True, ""),
    ],
)
def test_without_events_the_status_says_which_probe_does_not_pass(
    probe: dict[str, Any], started: bool, says: str
) -> None:
    cluster = probed(REFUSED, {"httpGet": {"port": 8080}}, [8080])
    cluster.raw[:] = [(kind, raw) for kind, raw in cluster.raw if kind != "Event"]
    pods = [r for k, r in cluster.raw if k == "Pod" and r["metadata"]["namespace"] == "shop"]
    [pod] = [p for p in pods if not p["status"]["containerStatuses"][0]["ready"]]
    container = pod["spec"]["containers"][0]
    del container["readinessProbe"]
    container.update(probe)
    pod["status"]["containerStatuses"][0]["started"] = started
    line = first(cluster)
    assert (f": its {says}" in line) if says else line.endswith("is not ready")
    assert ("which no container declares (declared: 8080)" in line) is says.endswith(" on")


def test_a_port_that_is_declared_is_only_refused() -> None:
    cluster = probed(REFUSED, {"httpGet": {"port": 8081}}, [8081])
    assert "readiness probe fails: connection refused on port 8081" in first(cluster)
    assert "declares" not in first(cluster)


def test_a_probe_that_speaks_another_protocol_says_which() -> None:
    text = 'Get "https://10.1.0.9:8080/": http: server gave HTTP response to HTTPS client'
    cluster = probed(text, {"httpGet": {"port": 8080, "scheme": "HTTPS"}}, [8080])
    assert "speaks TLS to a server that answers in plain HTTP" in first(cluster)


def killed(period: int, said: str = REFUSED) -> Cluster:
    """`payments-…` is killed by its liveness probe as it starts; its twin took 60 s to be ready."""
    cluster = probed(
        said,
        {"httpGet": {"port": 8081}, "periodSeconds": period, "failureThreshold": 3},
        [8081],
        kind="liveness",
    )
    pods = [
        r for k, r in cluster.raw if k == "Pod" and r["metadata"]["name"].startswith("payments")
    ]
    cluster.waiting(
        pods[0],
        "CrashLoopBackOff",
        restarts=6,
        phase="Running",
        last={"exitCode": 137, "reason": "Error", "finishedAt": ts(ago(minutes=2))},
    )
    cluster.pod_event(
        pods[0],
        "Killing",
        "Container app failed liveness probe, will be restarted",
        ago(minutes=2),
        first=ago(minutes=20),
        count=6,
        type_="Normal",
    )
    running = pods[1]["status"]["containerStatuses"][0]["state"]["running"]
    running["startedAt"] = ts(ago(hours=1, seconds=60))
    for condition in pods[1]["status"]["conditions"]:
        condition["lastTransitionTime"] = ts(ago(hours=1))
    return cluster


def test_a_probe_that_is_too_impatient_is_held_against_its_peers() -> None:
    cluster = killed(5)
    [finding] = found(cluster, "pod-liveness-killed")
    assert "it allows 15 s to start, its peers took up to 60 s" in finding.claim
    assert first(cluster).startswith("payments was restarted by its liveness probe")
    assert not found(cluster, "pod-crash-looping")


def test_a_restart_by_a_probe_of_the_wrong_protocol_says_so_in_the_title() -> None:
    said = 'Get "http://10.1.0.9:8081/": net/http: malformed HTTP response "\\x00\\x04"'
    assert first(killed(60, said)).startswith(
        "payments was restarted by its liveness probe, which on port 8081 speaks HTTP to a server"
    )


def test_a_patient_probe_is_not_blamed() -> None:
    assert "allows" not in found(killed(60), "pod-liveness-killed")[0].claim

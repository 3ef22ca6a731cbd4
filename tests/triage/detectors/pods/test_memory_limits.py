"""Containers and sandboxes that are killed for memory before the program runs: one fault, wherever
the runtime says it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, ts
from tests.triage.situation import MATCHER, background, first, look

SAID = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: container init was OOM-killed "
    "(memory limit too low?): unknown"
)
OTHER = SAID.replace(
    "container init was OOM-killed (memory limit too low?): unknown",
    'exec: "/srv/run": stat /srv/run: no such file or directory: unknown',
)


def limited(cluster: Cluster, name: str = "orders", limit: str = "5Mi") -> dict[str, Any]:
    pod = cluster.deployment(name, "shop", replicas=1, created=ago(minutes=9))["pods"][0]
    pod["spec"]["nodeName"] = "n2"
    limits = {"memory": limit} if limit else {}
    pod["spec"]["containers"][0]["resources"] = {"limits": limits}
    return dict(pod)


def no_sandbox(cluster: Cluster, pod: dict[str, Any]) -> None:
    cluster.waiting(pod, "ContainerCreating")
    said = f"Failed to create pod sandbox: rpc error: code = Unknown desc = {SAID}"
    at = (ago(seconds=20), ago(minutes=8))
    cluster.pod_event(pod, "FailedCreatePodSandBox", said, *at, count=30)


def start_error(cluster: Cluster, pod: dict[str, Any], said: str, reason: str) -> None:
    last = {
        "exitCode": 128,
        "reason": "StartError",
        "message": said,
        "finishedAt": ts(ago(minutes=1)),
    }
    cluster.waiting(pod, reason, said if reason == "RunContainerError" else "", 4, last)


def certain(cluster: Cluster) -> list[str]:
    report = look(cluster)
    return [m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]


def test_a_sandbox_says_the_limit_of_its_pod() -> None:
    cluster = background()
    no_sandbox(cluster, limited(cluster))
    said = "killed for memory as it starts (limit 5Mi)"
    assert first(cluster) == f"orders does not start on n2: {said}"
    assert certain(cluster) == ["memory-limit-reached"]
    no_sandbox(cluster, limited(cluster, "mail"))
    assert first(cluster).endswith("killed for memory as they start (limit 5Mi)")


def test_without_a_limit_the_node_may_be_short_and_no_page_is_sure() -> None:
    cluster = background()
    no_sandbox(cluster, limited(cluster, limit=""))
    assert first(cluster) == "orders does not start on n2: killed for memory as it starts"
    assert not certain(cluster)


@pytest.mark.parametrize("reason", ["CrashLoopBackOff", "RunContainerError"])
def test_a_container_says_its_limit(reason: str) -> None:
    cluster = background()
    start_error(cluster, limited(cluster), SAID, reason)
    assert "killed for memory as it starts (limit 5Mi)" in first(cluster)
    assert certain(cluster) == ["memory-limit-reached"]


@pytest.mark.parametrize("reason", ["CrashLoopBackOff", "RunContainerError"])
def test_a_command_that_does_not_exist_is_no_kill(reason: str) -> None:
    cluster = background()
    start_error(cluster, limited(cluster), OTHER, reason)
    assert "memory" not in first(cluster)
    assert certain(cluster) == ["container-cannot-start"]

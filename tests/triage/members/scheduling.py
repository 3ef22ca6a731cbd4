"""Pods that no node takes."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago
from tests.triage.members.member import member
from tests.triage.situation import pending


def unplaced(cluster: Cluster, message: str, **spec: Any) -> dict[str, Any]:
    pod = pending(cluster, "web-1", since=ago(minutes=20))
    pod["spec"].update(spec)
    pod["status"]["conditions"][0]["message"] = message
    cluster.pod_event(pod, "FailedScheduling", message, ago(minutes=1), ago(minutes=20), count=9)
    return pod


@member("scheduling", "taint without its key", "dedicated=batch", guide="taint-not-tolerated")
def _(cluster: Cluster) -> None:
    for node in cluster.nodes:
        node["spec"]["taints"] = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]
    unplaced(cluster, "0/3 nodes are available: 3 node(s) had untolerated taint(s).")


@member("scheduling", "Karpenter and scheduler", "insufficient memory", guide="not-enough-capacity")
def _(cluster: Cluster) -> None:
    pod = unplaced(cluster, "0/3 nodes are available: 3 Insufficient memory.")
    said = 'Failed to schedule pod, incompatible with nodepool "default", did not tolerate a=b'
    cluster.pod_event(pod, "FailedScheduling", said, ago(seconds=30), ago(minutes=20), count=4)


def asks(cluster: Cluster, message: str, resource: str, amount: str) -> None:
    container = {
        "name": "main",
        "image": "app:1",
        "resources": {"requests": {resource: amount}},
    }
    unplaced(cluster, message, containers=[container])


@member(
    "scheduling", "no scheduler at work", "no scheduler has reported", guide="scheduler-not-working"
)
def _(cluster: Cluster) -> None:
    pending(cluster, "web-1", since=ago(minutes=20), conditions=[{"type": "x", "status": "True"}])

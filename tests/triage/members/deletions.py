"""Deletions that hang."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.member import member


def deleting(
    cluster: Cluster, kind: str, finalizer: str, namespace: str = "shop", **raw: Any
) -> None:
    cluster.add(
        kind,
        {
            "metadata": meta(
                "old", namespace, deletionTimestamp=ts(ago(minutes=30)), finalizers=[finalizer]
            ),
            **raw,
        },
    )


@member("deletions", "CRD", "objects of its kind remain", guide="finalizer-blocks-deletion")
def _(cluster: Cluster) -> None:
    at = ts(ago(minutes=30))
    finalizers = ["customresourcecleanup.apiextensions.k8s.io"]
    named = meta("queues.mq.example.com", deletionTimestamp=at, finalizers=finalizers)
    cluster.add("CustomResourceDefinition", {"metadata": named})


def ending(cluster: Cluster, type_: str, message: str) -> None:
    said = {
        "type": type_,
        "status": "True",
        "message": message,
        "lastTransitionTime": ts(ago(minutes=28)),
    }
    cluster.add(
        "Namespace",
        {
            "metadata": meta("old", deletionTimestamp=ts(ago(minutes=30))),
            "status": {"phase": "Terminating", "conditions": [said]},
        },
    )


@member("deletions", "pod on a dead node", "n1", guide="node-not-ready")
def _(cluster: Cluster) -> None:
    cluster.not_ready(cluster.nodes[0], ago(minutes=30))
    pod = cluster.deployment("web", "shop", replicas=1)["pods"][0]
    pod["spec"] = {**pod["spec"], "nodeName": "n1"}
    pod["metadata"]["deletionTimestamp"] = ts(ago(minutes=20))


def held(cluster: Cluster, finalizer: str, phase: str) -> None:
    """A pod whose containers have ended, deleted, and kept by a finalizer."""
    pod = cluster.deployment("report", "shop", replicas=1, kind="Job")["pods"][0]
    pod["metadata"].update(deletionTimestamp=ts(ago(minutes=20)), finalizers=[finalizer])
    pod["status"]["phase"] = phase
    code = 0 if phase == "Succeeded" else 1
    done = {"exitCode": code, "startedAt": ts(ago(hours=2)), "finishedAt": ts(ago(minutes=21))}
    for status in pod["status"]["containerStatuses"]:
        status.update(ready=False, state={"terminated": done})
    for condition in pod["status"]["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update(status="False", reason="PodCompleted")

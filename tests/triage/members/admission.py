"""What refuses new objects: admission, policies and quota."""

from __future__ import annotations

from tests.triage.build import Cluster, ago, meta


def refused(cluster: Cluster, message: str, kind: str = "Deployment") -> None:
    work = cluster.deployment("web", "shop", replicas=3, kind=kind)
    work["status"].update(replicas=2, readyReplicas=2, availableReplicas=2)
    gone = work["pods"].pop()
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not gone]
    target = work.get("set", work)
    target["status"].update(replicas=2, readyReplicas=2)
    if kind == "DaemonSet":
        target["status"].update(desiredNumberScheduled=3, currentNumberScheduled=2, numberReady=2)
    cluster.event(
        "ReplicaSet" if kind == "Deployment" else kind,
        "shop",
        target["metadata"]["name"],
        "FailedCreate",
        message,
        ago(minutes=1),
        ago(minutes=20),
        count=15,
    )


def quota(cluster: Cluster, resource: str, used: str, hard: str) -> None:
    refused(
        cluster,
        f'Error creating: pods "web-7d4b9c-x" is forbidden: exceeded quota: compute, requested: '
        f"{resource}=1, used: {resource}={used}, limited: {resource}={hard}",
    )
    cluster.add(
        "ResourceQuota",
        {
            "metadata": meta("compute", "shop"),
            "status": {"hard": {resource: hard}, "used": {resource: used}},
        },
    )

"""What a kubelet does to running pods: probes, evictions, limits."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, ts
from tests.triage.members.member import member


def ended(cluster: Cluster, reason: str, message: str) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    extra = cluster.pod(work, created=ago(minutes=10))
    extra["status"] = {
        "phase": "Failed",
        "reason": reason,
        "message": message,
        "startTime": ts(ago(minutes=10)),
    }


def probed(
    cluster: Cluster, message: str, restarts: int = 0, killing: str = "", **spec: Any
) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    for pod in work["pods"]:
        container = dict(pod["spec"]["containers"][0], ports=[{"containerPort": 8080}], **spec)
        pod["spec"] = {**pod["spec"], "containers": [container]}
        for condition in pod["status"]["conditions"]:
            if condition["type"] in ("Ready", "ContainersReady"):
                condition.update(
                    status="False",
                    reason="ContainersNotReady",
                    lastTransitionTime=ts(ago(minutes=20)),
                )
        pod["status"]["containerStatuses"][0].update(ready=False, restartCount=restarts)
        cluster.pod_event(pod, "Unhealthy", message, ago(seconds=20), ago(minutes=20), count=60)
        if killing:
            cluster.pod_event(
                pod, "Killing", killing, ago(seconds=30), ago(minutes=20), count=restarts
            )
            cluster.ended(pod, ago(minutes=2), 137, "Error", restarts=restarts)
    work["status"].update(readyReplicas=0, availableReplicas=0)


def http(port: Any = 8080, **more: Any) -> dict[str, Any]:
    return {"httpGet": {"port": port, "path": "/healthz"}, "periodSeconds": 10, **more}


@member("limits", "out of memory at its own limit", "memory limit", guide="memory-limit-reached")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    end = {
        "exitCode": 137,
        "reason": "OOMKilled",
        "startedAt": ts(ago(minutes=9)),
        "finishedAt": ts(ago(minutes=2)),
    }
    for pod in work["pods"]:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=6, phase="Running", last=end)
    work["status"].update(readyReplicas=0, availableReplicas=0)


@member("limits", "node under disk pressure", "disk pressure", guide="node-pressure-evictions")
def _(cluster: Cluster) -> None:
    for condition in cluster.nodes[0]["status"]["conditions"]:
        if condition["type"] == "DiskPressure":
            condition.update(
                status="True",
                reason="KubeletHasDiskPressure",
                lastTransitionTime=ts(ago(minutes=9)),
            )

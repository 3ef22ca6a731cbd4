"""Workloads that do not reach what they declare."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.members.member import member


@member("workloads", "rollout past its deadline", "web", "deadline", guide="rollout-stuck")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=2)
    work["status"]["conditions"] = [
        {
            "type": "Progressing",
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": 'ReplicaSet "web-7d4b9c" has timed out progressing.',
            "lastTransitionTime": ts(ago(minutes=9)),
        }
    ]
    work["status"]["updatedReplicas"] = 1


@member("workloads", "rollout paused", "paused by kubectl-rollout", guide="rollout-stuck")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=3)
    work["spec"]["paused"] = True
    work["status"]["updatedReplicas"] = 1
    work["metadata"]["managedFields"] = [
        managed("kubectl-rollout", ago(hours=3), {"f:spec": {"f:paused": {}}})
    ]


def scaler(cluster: Cluster, type_: str, status: str, reason: str, message: str) -> None:
    said = {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": ts(ago(minutes=20)),
    }
    cluster.deployment("web", "shop", replicas=2)
    cluster.add(
        "HorizontalPodAutoscaler",
        {
            "metadata": meta("web", "shop"),
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 4},
            "status": {"currentReplicas": 4, "conditions": [said]},
        },
    )


@member("workloads", "PDB blocks", "holds the drain of n1", guide="disruption-budget-blocks")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=1)
    work["pods"][0]["spec"]["nodeName"] = "n1"
    cluster.nodes[0]["spec"]["unschedulable"] = True
    cluster.add(
        "PodDisruptionBudget",
        {
            "metadata": meta("web", "shop"),
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1},
            "status": {
                "currentHealthy": 1,
                "desiredHealthy": 1,
                "expectedPods": 1,
                "disruptionsAllowed": 0,
            },
        },
    )


@member("workloads", "StatefulSet stuck on one pod", "db-0", guide="statefulset-stuck-on-one-pod")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("db", "shop", replicas=1, kind="StatefulSet")
    pod = work["pods"][0]
    pod["metadata"]["name"] = "db-0"
    work["spec"]["replicas"] = 3
    work["status"].update(replicas=1, readyReplicas=0)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=20)))
    pod["status"]["containerStatuses"][0]["ready"] = False


def daemons(cluster: Cluster, **node: Any) -> dict[str, Any]:
    work = cluster.deployment("agent", "shop", kind="DaemonSet")
    gone = work["pods"].pop()
    cluster.raw = [(k, r) for k, r in cluster.raw if r is not gone]
    for key, value in node.items():
        cluster.nodes[2]["spec"][key] = value
    return work


@member(
    "workloads", "DaemonSet: pod not made", "agent", "no pod on n3", guide="daemonset-misses-nodes"
)
def _(cluster: Cluster) -> None:
    daemons(cluster)["status"].update(desiredNumberScheduled=3, numberReady=2)


@member(
    "workloads",
    "DaemonSet: taint",
    "agent",
    "n3",
    "dedicated:NoSchedule",
    guide="daemonset-misses-nodes",
)
def _(cluster: Cluster) -> None:
    daemons(cluster, taints=[{"key": "dedicated", "effect": "NoSchedule"}])["status"].update(
        desiredNumberScheduled=2, numberReady=2
    )
    cluster.nodes[2]["metadata"]["managedFields"] = [
        managed("kubectl-taint", ago(hours=2), {"f:spec": {"f:taints": {}}})
    ]


@member(
    "workloads", "DaemonSet: selector", "agent", "n3", "selector", guide="daemonset-misses-nodes"
)
def _(cluster: Cluster) -> None:
    work = daemons(cluster)
    work["status"].update(desiredNumberScheduled=2, numberReady=2)
    work["spec"]["template"]["spec"]["nodeSelector"] = {"agent": "yes"}
    for node in cluster.nodes[:2]:
        node["metadata"]["labels"]["agent"] = "yes"


@member(
    "workloads",
    "DaemonSet: no room",
    "agent",
    "n3",
    "insufficient cpu",
    guide="not-enough-capacity",
)
def _(cluster: Cluster) -> None:
    work = daemons(cluster)
    work["status"].update(desiredNumberScheduled=3, numberReady=2)
    pod = cluster.pod(work, node=cluster.nodes[2], created=ago(minutes=20))
    fields = [{"key": "metadata.name", "operator": "In", "values": ["n3"]}]
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchFields": fields}]
            }
        }
    }
    pod["spec"] = {**pod["spec"], "nodeName": "", "affinity": affinity}
    text = "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector."
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": text,
                "lastTransitionTime": ts(ago(minutes=20)),
            }
        ],
    }


@member("workloads", "half-dead pod", "half dead", "exit 1", guide="pod-partly-ended")
def _(cluster: Cluster) -> None:
    work = cluster.deployment("web", "shop", replicas=1)
    pod = work["pods"][0]
    pod["spec"] = {**pod["spec"], "restartPolicy": "Never"}
    pod["metadata"]["ownerReferences"] = []
    dead = {
        "name": "log",
        "ready": False,
        "state": {
            "terminated": {"exitCode": 1, "reason": "Error", "finishedAt": ts(ago(minutes=20))}
        },
    }
    pod["status"]["containerStatuses"].append(dead)
    for condition in pod["status"]["conditions"]:
        if condition["type"] == "Ready":
            condition.update(status="False", lastTransitionTime=ts(ago(minutes=20)))


@member(
    "workloads",
    "scaled to zero without a Service",
    "was scaled to 0 by kubectl-scale",
    guide="workload-scaled-to-zero",
)
def _(cluster: Cluster) -> None:
    work = cluster.deployment("queue", "shop", replicas=0, created=ago(days=30))
    work["metadata"]["managedFields"] = [
        managed("kubectl-scale", ago(minutes=9), {"f:spec": {"f:replicas": {}}}, "scale")
    ]

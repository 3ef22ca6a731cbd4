"""Nodes and the control plane."""

from __future__ import annotations

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.member import member
from tests.triage.situation import lease


def condition(
    cluster: Cluster, type_: str, status: str, reason: str, message: str, *, minutes: int
) -> None:
    """Adds a condition to the first node, `minutes` old."""
    cluster.nodes[0]["status"]["conditions"].append(
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": ts(ago(minutes=minutes)),
        }
    )


def unready(cluster: Cluster, status: str, reason: str, message: str) -> None:
    cluster.not_ready(cluster.nodes[0], ago(minutes=12), status, reason, message)


def away(cluster: Cluster, name: str) -> None:
    lease(cluster, name, ago(minutes=9))
    for other in ("kube-scheduler", "kube-controller-manager"):
        if other != name:
            lease(cluster, other, ago(seconds=1))


def static(cluster: Cluster, component: str, message: str = "") -> None:
    node = cluster.node("cp")
    node["metadata"]["labels"]["node-role.kubernetes.io/control-plane"] = ""
    created = ago(days=9)
    pod = cluster.add(
        "Pod",
        {
            "metadata": meta(
                f"{component}-cp",
                "kube-system",
                created=created,
                owner=("Node", node),
                labels={"component": component, "tier": "control-plane"},
                annotations={"kubernetes.io/config.source": "file"},
            ),
            "spec": {
                "nodeName": "cp",
                "hostNetwork": True,
                "containers": [{"name": component, "image": f"registry.k8s.io/{component}:1"}],
            },
            "status": {
                "phase": "Running",
                "startTime": ts(created),
                "conditions": [
                    {"type": "Ready", "status": "False", "lastTransitionTime": ts(ago(minutes=20))}
                ],
            },
        },
    )
    end = {
        "exitCode": 1,
        "reason": "Error",
        "message": message,
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    pod["status"]["containerStatuses"] = [
        {
            "name": component,
            "restartCount": 9,
            "image": "x",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": end},
        }
    ]


@member("nodes", "kube-proxy away", "kube-proxy", guide="kube-proxy-down")
def _(cluster: Cluster) -> None:
    work = cluster.deployment(
        "kube-proxy",
        "kube-system",
        kind="DaemonSet",
        spec={
            "hostNetwork": True,
            "containers": [
                {
                    "name": "kube-proxy",
                    "image": "registry.k8s.io/kube-proxy:v1.33.2",
                    "command": ["/usr/local/bin/kube-proxy"],
                }
            ],
        },
    )
    work["status"]["numberReady"] = 2
    end = {
        "exitCode": 1,
        "reason": "Error",
        "startedAt": ts(ago(minutes=4)),
        "finishedAt": ts(ago(minutes=3)),
    }
    cluster.waiting(work["pods"][0], "CrashLoopBackOff", restarts=9, phase="Running", last=end)
    work["pods"][0]["metadata"]["creationTimestamp"] = ts(ago(hours=2))


@member("nodes", "etcd learner", "EtcdIsVoter", guide="etcd-member-not-voting")
def _(cluster: Cluster) -> None:
    condition(
        cluster,
        "EtcdIsVoter",
        "False",
        "MemberIsLearner",
        "Node has not been promoted to voting member of the etcd cluster",
        minutes=40,
    )


@member("nodes", "preemption announced", "preempted", guide="node-preempted")
def _(cluster: Cluster) -> None:
    condition(
        cluster,
        "VMEventScheduled",
        "True",
        "VMEventScheduled",
        "Preempt Scheduled: Mon, 16 Mar 2026 09:28:00 GMT",
        minutes=1,
    )


@member("nodes", "clock", "clock", guide="clock-skew")
def _(cluster: Cluster) -> None:
    condition(cluster, "ClockSkew", "True", "NTPIsDown", "clock is off by 42 s", minutes=40)


def shut_out(cluster: Cluster, component: str, message: str) -> None:
    """A component that crashes and no longer renews its Lease, for what it says."""
    static(cluster, component, message)
    away(cluster, component)

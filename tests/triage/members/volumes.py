"""Claims that do not bind, and volumes that do not mount or grow."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.member import member
from tests.triage.situation import pending


def unbound(cluster: Cluster, reason: str, message: str, **spec: Any) -> None:
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data", "shop", created=ago(minutes=20)),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                "resources": {"requests": {"storage": "10Gi"}},
                **spec,
            },
            "status": {"phase": "Pending"},
        },
    )
    pod = pending(cluster, "db-0", since=ago(minutes=20))
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    pod["status"]["conditions"][0]["message"] = (
        "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    )
    if reason:
        cluster.event(
            "PersistentVolumeClaim",
            "shop",
            "data",
            reason,
            message,
            ago(seconds=10),
            ago(minutes=20),
            count=70,
        )


def misfit(cluster: Cluster, offer: dict[str, Any], wanted: dict[str, Any]) -> None:
    unbound(cluster, "", "", **wanted)
    cluster.add(
        "PersistentVolume",
        {
            "metadata": meta("pv-1", labels={"tier": "slow"}),
            "spec": {
                "capacity": {"storage": "10Gi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "fast",
                **offer,
            },
            "status": {"phase": "Available"},
        },
    )


def unmounted(cluster: Cluster, reason: str, message: str) -> None:
    pod = pending(cluster, "db-0", node="n1", since=ago(minutes=20))
    pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    cluster.pod_event(pod, reason, message, ago(minutes=1), ago(minutes=20), count=9)


@member(
    "volumes",
    "mounts of several owners",
    "volumes of 2 pods do not attach or mount",
    "access denied by server",
    guide="mount-refused",
)
def _(cluster: Cluster) -> None:
    said = 'MountVolume.SetUp failed for volume "d" : mount failed: exit status 32, mount.nfs: access denied by server while mounting nfs:/x'
    for name in ("db-0", "files-0"):
        pod = pending(cluster, name, node="n1", since=ago(minutes=20))
        pod["spec"]["volumes"] = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
        cluster.pod_event(pod, "FailedMount", said, ago(minutes=1), ago(minutes=20), count=9)


@member("volumes", "resize pending", "10Gi of 20Gi", "file system", guide="volume-full")
def _(cluster: Cluster) -> None:
    cluster.add(
        "PersistentVolumeClaim",
        {
            "metadata": meta("data", "shop"),
            "spec": {"resources": {"requests": {"storage": "20Gi"}}, "volumeName": "pv"},
            "status": {
                "phase": "Bound",
                "capacity": {"storage": "10Gi"},
                "conditions": [
                    {
                        "type": "FileSystemResizePending",
                        "status": "True",
                        "lastTransitionTime": ts(ago(minutes=30)),
                    }
                ],
            },
        },
    )

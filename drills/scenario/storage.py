"""Claims, volumes and their attachments."""

from __future__ import annotations

from datetime import datetime

from drills.api.objects import Obj, digest, rfc3339, stable_uid
from drills.api.world import World, Writer


def add_claim(
    world: World,
    *,
    namespace: str,
    name: str,
    size: str,
    labels: dict[str, str],
    node: str | None,
    created: datetime,
    storage_class: str = "gp3",
    attached_to: str | None = None,
) -> Obj:
    """A bound claim with its volume and, when `node` is given, the attachment there (or on
    `attached_to`)."""
    uid = stable_uid(world.seed, "PersistentVolumeClaim", namespace, name, "")
    volume = f"pvc-{uid}"
    stamp = rfc3339(created)
    claim = world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": dict(labels),
                "creationTimestamp": stamp,
                "uid": uid,
                "finalizers": ["kubernetes.io/pvc-protection"],
                "annotations": {
                    "pv.kubernetes.io/bind-completed": "yes",
                    "pv.kubernetes.io/bound-by-controller": "yes",
                    "volume.kubernetes.io/storage-provisioner": "ebs.csi.aws.com",
                },
            },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                "volumeName": volume,
                "storageClassName": storage_class,
                "volumeMode": "Filesystem",
            },
            "status": {
                "phase": "Bound",
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": size},
            },
        },
        Writer("kube-controller-manager", created, ("spec", "metadata")),
        Writer("kube-controller-manager", created, ("status",), "status"),
    )
    zone = world.zone_of(node) if node else "eu-west-1a"
    world.add(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": volume,
                "creationTimestamp": stamp,
                "annotations": {"pv.kubernetes.io/provisioned-by": "ebs.csi.aws.com"},
                "finalizers": ["kubernetes.io/pv-protection", "external-attacher/ebs-csi-aws-com"],
            },
            "spec": {
                "capacity": {"storage": size},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": storage_class,
                "persistentVolumeReclaimPolicy": "Delete",
                "volumeMode": "Filesystem",
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "namespace": namespace,
                    "name": name,
                    "uid": uid,
                },
                "csi": {
                    "driver": "ebs.csi.aws.com",
                    "fsType": "ext4",
                    "volumeHandle": f"vol-0{digest('vol', uid, size=16)}",
                },
                "nodeAffinity": {
                    "required": {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {
                                        "key": "topology.kubernetes.io/zone",
                                        "operator": "In",
                                        "values": [zone],
                                    }
                                ]
                            }
                        ]
                    }
                },
            },
            "status": {"phase": "Bound", "lastPhaseTransitionTime": stamp},
        },
        Writer("csi-provisioner", created, ("spec", "metadata")),
        Writer("kube-controller-manager", created, ("status",), "status"),
    )
    if node:
        add_attachment(world, volume, attached_to or node, created)
    return claim


def add_attachment(
    world: World, volume: str, node: str, created: datetime, *, attached: bool = True
) -> Obj:
    return world.add(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "VolumeAttachment",
            "metadata": {
                "name": f"csi-{digest('attachment', volume, node, size=64)}",
                "creationTimestamp": rfc3339(created),
                "annotations": {
                    "csi.alpha.kubernetes.io/node-id": f"i-0{digest('instance', world.seed, node, size=16)}"
                },
                "finalizers": ["external-attacher/ebs-csi-aws-com"],
            },
            "spec": {
                "attacher": "ebs.csi.aws.com",
                "nodeName": node,
                "source": {"persistentVolumeName": volume},
            },
            "status": {"attached": attached},
        },
        Writer("kube-controller-manager", created, ("spec",)),
        Writer("csi-attacher", created, ("status",), "status"),
    )

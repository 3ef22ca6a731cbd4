"""Claims, volumes and their attachments."""

from __future__ import annotations

from datetime import datetime

from drills.api.managed_fields import FieldManager
from drills.api.objects import digest, rfc3339, stable_uid
from drills.scenario.world import World

_DRIVER = "ebs.csi.aws.com"
_ATTACHER = "external-attacher/ebs-csi-aws-com"


def add_claim(
    world: World,
    *,
    namespace: str,
    name: str,
    size: str,
    labels: dict[str, str],
    node: str | None,
    created: datetime,
    attached_to: str | None = None,
) -> None:
    """A bound claim with its volume and, when `node` is given, the attachment there (or on
    `attached_to`)."""
    uid = stable_uid(world.seed, "PersistentVolumeClaim", namespace, name, "")
    volume, capacity = f"pvc-{uid}", {"storage": size}
    written = FieldManager("kube-controller-manager", created, ("spec", "metadata"))
    bound = FieldManager("kube-controller-manager", created, ("status",), "status")
    common = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "gp3",
        "volumeMode": "Filesystem",
    }
    world.make(
        "PersistentVolumeClaim",
        name,
        namespace,
        created,
        written,
        bound,
        meta={
            "labels": dict(labels),
            "uid": uid,
            "finalizers": ["kubernetes.io/pvc-protection"],
            "annotations": {
                "pv.kubernetes.io/bind-completed": "yes",
                "pv.kubernetes.io/bound-by-controller": "yes",
                "volume.kubernetes.io/storage-provisioner": _DRIVER,
            },
        },
        spec={**common, "resources": {"requests": capacity}, "volumeName": volume},
        status={"phase": "Bound", "accessModes": common["accessModes"], "capacity": capacity},
    )
    zone = world.zone_of(node) if node else "eu-west-1a"
    in_zone = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    claim = {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": name, "uid": uid}
    world.make(
        "PersistentVolume",
        volume,
        "",
        created,
        FieldManager("csi-provisioner", created, ("spec", "metadata")),
        bound,
        meta={
            "annotations": {"pv.kubernetes.io/provisioned-by": _DRIVER},
            "finalizers": ["kubernetes.io/pv-protection", _ATTACHER],
        },
        spec={
            **common,
            "capacity": capacity,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {"apiVersion": "v1", **claim},
            "csi": {
                "driver": _DRIVER,
                "fsType": "ext4",
                "volumeHandle": f"vol-0{digest('vol', uid, size=16)}",
            },
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [in_zone]}]}},
        },
        status={"phase": "Bound", "lastPhaseTransitionTime": rfc3339(created)},
    )
    if node:
        _attach(world, volume, attached_to or node, created)


def _attach(world: World, volume: str, node: str, created: datetime) -> None:
    machine = f"i-0{digest('instance', world.seed, node, size=16)}"
    world.make(
        "VolumeAttachment",
        f"csi-{digest('attachment', volume, node, size=64)}",
        "",
        created,
        FieldManager("kube-controller-manager", created, ("spec",)),
        FieldManager("csi-attacher", created, ("status",), "status"),
        meta={
            "annotations": {"csi.alpha.kubernetes.io/node-id": machine},
            "finalizers": [_ATTACHER],
        },
        spec={"attacher": _DRIVER, "nodeName": node, "source": {"persistentVolumeName": volume}},
        status={"attached": True},
    )

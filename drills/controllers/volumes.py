"""Claims of StatefulSets, volumes that a provisioner creates for claims once a pod has a node, and
their attachments."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime

from drills.api.managed_fields import FieldManager
from drills.api.objects import Obj, created_at, dig, digest, rfc3339, zone_of
from drills.controllers.context import CONTROLLER, ControllerContext
from drills.controllers.new_objects import new_object

DRIVER = "ebs.csi.aws.com"
_ZONE = "topology.kubernetes.io/zone"
_ATTACHER = "external-attacher/ebs-csi-aws-com"


def create_claim(context: ControllerContext, owner: Obj, template: Obj, name: str) -> None:
    """The claim of a StatefulSet's pod, when it is absent. A claim outlives rollouts, so it is as
    old as the StatefulSet."""
    namespace, created = owner["metadata"]["namespace"], created_at(owner)
    if context.lookup("PersistentVolumeClaim", namespace, name) is not None:
        return
    labels = dict(owner["spec"]["selector"].get("matchLabels", {}))
    meta = {"labels": labels, "finalizers": ["kubernetes.io/pvc-protection"]}
    spec, status = copy.deepcopy(template["spec"]), {"phase": "Pending"}
    kind = "PersistentVolumeClaim"
    context.create(
        new_object(kind, name, namespace, created, meta, spec=spec, status=status),
        FieldManager(CONTROLLER, created, ("spec", "metadata")),
        FieldManager(CONTROLLER, created, ("status",), "status"),
    )


def attach_volumes(context: ControllerContext, pod: Obj, node: str) -> None:
    """Give each claim that a StatefulSet created for this pod a volume, attached to the node unless
    another node holds it. Claims of people do not change: the scenario decides whether they
    bind."""
    held = {dig(each, "spec", "source", "persistentVolumeName") for each in attachments(context)}
    for claim in _claims(context, pod):
        volume = claim["spec"].get("volumeName")
        if not volume:
            _provision(context, claim, node)
        elif volume not in held:
            _attach(context, volume, node, context.now())


def attachments(context: ControllerContext, node: str = "") -> list[Obj]:
    """The VolumeAttachments, of one node where it is given."""
    return [
        each
        for each in context.of("VolumeAttachment")
        if node in ("", dig(each, "spec", "nodeName"))
    ]


def volumes_of(context: ControllerContext, pod: Obj) -> set[str]:
    """The bound volumes of the claims that a StatefulSet created for a pod."""
    return {str(claim["spec"].get("volumeName")) for claim in _claims(context, pod)} - {"None"}


def _claims(context: ControllerContext, pod: Obj) -> Iterator[Obj]:
    namespace, pod_name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    for volume in pod["spec"].get("volumes") or []:
        name = dig(volume, "persistentVolumeClaim", "claimName")
        if name == f"{volume['name']}-{pod_name}":
            claim = context.lookup("PersistentVolumeClaim", namespace, name)
            if claim is not None:
                yield claim


def _provision(context: ControllerContext, claim: Obj, node: str) -> None:
    """Bind a claim to a new volume in the zone of `node`, and attach it there."""
    meta, spec = claim["metadata"], claim["spec"]
    volume, capacity = f"pvc-{meta['uid']}", spec["resources"]["requests"]

    def bind(obj: Obj) -> None:
        obj["metadata"]["annotations"] = {
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.kubernetes.io/storage-provisioner": DRIVER,
        }
        obj["spec"]["volumeName"] = volume
        obj["status"] = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}

    context.update(claim, bind)
    created = created_at(claim)
    host = context.lookup("Node", "", node)
    in_zone = {"key": _ZONE, "operator": "In", "values": [zone_of(host)]}
    named = {word: meta[word] for word in ("namespace", "name", "uid")}
    context.create(
        new_object(
            "PersistentVolume",
            volume,
            "",
            created,
            {
                "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER},
                "finalizers": ["kubernetes.io/pv-protection", _ATTACHER],
            },
            spec={
                **{k: spec[k] for k in ("accessModes", "storageClassName", "volumeMode")},
                "capacity": capacity,
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **named},
                "csi": {
                    "driver": DRIVER,
                    "fsType": "ext4",
                    "volumeHandle": f"vol-0{digest('vol', meta['uid'], size=16)}",
                },
                "nodeAffinity": {
                    "required": {"nodeSelectorTerms": [{"matchExpressions": [in_zone]}]}
                },
            },
            status={"phase": "Bound", "lastPhaseTransitionTime": rfc3339(created)},
        ),
        FieldManager("csi-provisioner", created, ("spec", "metadata")),
        FieldManager(CONTROLLER, created, ("status",), "status"),
    )
    _attach(context, volume, node, created)


def _attach(context: ControllerContext, volume: str, node: str, created: datetime) -> None:
    host = context.lookup("Node", "", node)
    machine = str(dig(host, "spec", "providerID", default="")).rpartition("/")[2]
    source = {"persistentVolumeName": volume}
    context.create(
        new_object(
            "VolumeAttachment",
            f"csi-{digest('attachment', volume, node, size=64)}",
            "",
            created,
            {
                "annotations": {"csi.alpha.kubernetes.io/node-id": machine},
                "finalizers": [_ATTACHER],
            },
            spec={"attacher": DRIVER, "nodeName": node, "source": source},
            status={"attached": True},
        ),
        FieldManager(CONTROLLER, created, ("spec",)),
        FieldManager("csi-attacher", created, ("status",), "status"),
    )

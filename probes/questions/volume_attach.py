"""Where the chain from claim to attached volume is stuck, from the live state."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kube.objects import (
    Node,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Ref,
    VolumeAttachment,
)
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.targets import ready

SINGLE = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    store = context.store
    wanted = arguments.get("namespace", "")
    rows: list[Row] = []
    conclusions: list[Conclusion] = []

    def blame(ref: Ref, seen: str, component: Component, confidence: float, following: str) -> None:
        rows.append(Row(ref, seen, False, "attached to the node of its pod"))
        conclusions.append(Conclusion(f"{ref}: {seen}", component, confidence, following))

    attached: dict[str, list[VolumeAttachment]] = {}
    for attachment in store.all("VolumeAttachment", VolumeAttachment):
        attached.setdefault(attachment.spec.source.persistent_volume_name, []).append(attachment)
    for (namespace, name), claim in sorted(store.rows("PersistentVolumeClaim").items()):
        assert isinstance(claim, PersistentVolumeClaim)
        if wanted and namespace != wanted:
            continue
        ref = Ref("PersistentVolumeClaim", namespace, name)
        users = [
            p
            for p in store.in_namespace("Pod", namespace).values()
            if isinstance(p, Pod) and name in p.spec.claims
        ]
        waiting = [p for p in users if p.status.phase == "Pending"]
        bound = claim.spec.volume_name
        volume: PersistentVolume | None = (
            store.get("PersistentVolume", "", bound) if bound else None
        )
        if claim.status.phase == "Lost" or (
            bound and volume is None and "PersistentVolume" not in context.unavailable
        ):
            blame(
                ref,
                f"its volume {bound} is gone",
                Component("volume", bound),
                0.9,
                "restore the volume",
            )
            continue
        if claim.status.phase == "Pending":
            # WaitForFirstConsumer leaves a claim Pending on purpose until a pod wants it.
            if waiting:
                component = Component("storage-class", claim.spec.storage_class_name or "(default)")
                following = f"kubectl describe pvc -n {namespace} {name}: the provisioner's events"
                blame(ref, "no volume was provisioned for it", component, 0.7, following)
            else:
                rows.append(Row(ref, "unbound, no pod waits for it", None))
            continue
        found = attached.get(bound, [])
        failing = [a for a in found if a.status.attach_error or a.status.detach_error]
        elsewhere = [
            a
            for a in found
            if a.status.attached
            and waiting
            and all(a.spec.node_name != p.spec.node_name for p in waiting)
        ]
        if elsewhere and set(claim.spec.access_modes) <= SINGLE:
            node = elsewhere[0].spec.node_name
            gone = store.get("Node", "", node) is None
            state = (
                ", which is not there any more,"
                if gone
                else ""
                if ready(store, node)
                else ", which is not Ready,"
            )
            seen = (
                f"still attached to {node}{state} while {waiting[0].metadata.name} waits on "
                f"{waiting[0].spec.node_name or 'no node'}"
            )
            following = f"make sure that {node} has released it before it is detached by force"
            blame(ref, seen, Component("node", node), 0.85 if state else 0.65, following)
        elif failing:
            error = failing[0].status.attach_error or failing[0].status.detach_error
            assert error is not None
            seen = (
                f"{failing[0].spec.attacher} on {failing[0].spec.node_name}: {error.message[:300]}"
            )
            blame(
                ref,
                seen,
                Component("storage-driver", failing[0].spec.attacher),
                0.8,
                "the log of the driver's controller",
            )
        elif (
            waiting
            and waiting[0].spec.node_name
            and not found
            and volume is not None
            and volume.spec.csi is not None
        ):
            blame(
                ref,
                "no attachment was asked for",
                Component("controller", "attach-detach"),
                0.5,
                "is kube-controller-manager well?",
            )
        else:
            rows.append(Row(ref, f"{claim.status.phase}, {len(found)} attachments", True))
    for attachment in store.all("VolumeAttachment", VolumeAttachment):
        name = attachment.spec.node_name
        node_row: Node | None = store.get("Node", "", name)
        if node_row is None and "Node" not in context.unavailable:
            ref = Ref("VolumeAttachment", "", attachment.metadata.name)
            following = "it holds the volume: see whether the machine is really gone"
            blame(
                ref,
                f"for node {name}, which does not exist",
                Component("node", name),
                0.7,
                following,
            )
    return Findings(rows, conclusions)


PROBE = read_only_probe(
    "volume-attach",
    "Where in the chain claim, volume, attachment, node is a volume stuck?",
    {"namespace": "only claims of this namespace"},
    look,
    kinds=("PersistentVolumeClaim", "PersistentVolume", "VolumeAttachment", "Pod", "Node"),
)

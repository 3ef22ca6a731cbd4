"""Volumes and attachments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.conditions import condition_of
from cluster.kube.objects import PersistentVolume, Pod, Ref, VolumeAttachment
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import READY_GRACE


@object_detector("PersistentVolume")
def volume(row: PersistentVolume, view: ClusterView) -> Iterator[Finding]:
    """Volumes in phase Failed. Released is normal for the reclaim policy Retain."""
    if row.status.phase == "Failed":
        ref = Ref("PersistentVolume", "", row.metadata.name)
        yield make(
            "volume-failed",
            ref,
            f"failed: {row.status.message or row.status.reason}",
            Severity.WARNING,
            "phase Failed",
            evidence=[field_evidence(ref, "status", f"{row.status.reason}: {row.status.message}")],
            facts={"reason": row.status.reason},
        )


@object_detector("VolumeAttachment")
def attachment(row: VolumeAttachment, view: ClusterView) -> Iterator[Finding]:
    """Attach or detach errors, an attachment that does not come, or one that a node which is gone
    or down still holds."""
    ref = Ref("VolumeAttachment", "", row.metadata.name)
    name, node_name = row.spec.source.persistent_volume_name, row.spec.node_name
    node = view.node(node_name)
    ready = view.node_ready(node_name)
    error = row.status.detach_error or row.status.attach_error
    deleting = row.metadata.deletion_timestamp
    created = row.metadata.creation_timestamp
    operation = "detach" if row.status.detach_error or deleting else "attach"
    stuck_attach = not row.status.attached and deleting is None and view.older(created, READY_GRACE)
    stuck_detach = deleting is not None and view.older(deleting, timedelta(minutes=2))
    gone = node is None and view.readable("Node")
    down_and_wanted = node is not None and not ready and _wanted_elsewhere(name, node_name, view)
    if error is None and not stuck_attach and not stuck_detach and not gone and not down_and_wanted:
        return
    if (
        error is not None
        and error.time is not None
        and row.status.attached
        and operation == "attach"
    ):
        return  # an old error of an attachment that works
    if (
        error is not None
        and not stuck_attach
        and not stuck_detach
        and error.time is not None
        and view.now - error.time < timedelta(seconds=30)
    ):
        view.wake(error.time + timedelta(seconds=30))
        return
    condition = condition_of(node.status.conditions, "Ready") if node is not None else None
    lost = condition.last_transition_time if condition is not None and down_and_wanted else None
    since = (
        (error.time if error else None) or deleting or lost or (created if stuck_attach else None)
    )
    others = [
        v.spec.node_name
        for v in view.store.all("VolumeAttachment", VolumeAttachment)
        if v.spec.source.persistent_volume_name == name
        and v.spec.node_name != node_name
        and v.status.attached
    ]
    if error is not None:
        text = error.message
    elif gone:
        text = "the node is gone and still holds it"
    elif down_and_wanted:
        text = "the node is not ready and still holds it, while a pod elsewhere waits for it"
    else:
        text = f"{operation} does not end"
    yield make(
        "volume-attachment-failed",
        ref,
        f"volume {name} on {node_name}: {text}"[:240],
        Severity.WARNING,
        "a volume that cannot be moved or attached",
        since=since,
        source=SinceSource.STATUS if since else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "status", text, since)],
        related=[Ref("PersistentVolume", "", name), Ref("Node", "", node_name)],
        facts={
            "operation": operation,
            "driver": row.spec.attacher,
            "node": node_name,
            "node_exists": node is not None,
            "node_ready": ready,
            "attached_elsewhere": others[0] if others else "",
        },
    )


def _wanted_elsewhere(name: str, node: str, view: ClusterView) -> bool:
    """Whether a pod on another node waits for this volume."""
    pv = view.store.get("PersistentVolume", "", name)
    if pv is None or pv.spec.claim_ref is None:
        return False
    for pod in view.store.in_namespace("Pod", pv.spec.claim_ref.namespace).values():
        if (
            isinstance(pod, Pod)
            and pod.spec.node_name not in ("", node)
            and pod.status.phase == "Pending"
            and pv.spec.claim_ref.name in pod.spec.claims
        ):
            return True
    return False

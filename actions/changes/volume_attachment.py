"""Delete a VolumeAttachment of a node that is gone or lost, so that the volume can be attached
elsewhere.

Two nodes that write to one volume destroy it, so the node must be gone from the cluster, or not
Ready for long without a pod that uses the volume.
"""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from typing import Any

from actions.checks import node_lost, unread
from actions.context import ActionContext
from actions.definition import Action, Proposal, by_name, offered
from actions.parameters import Parameter, name
from actions.plan import Precondition
from actions.targets import deleted, read
from cluster.kube.objects import PersistentVolume, Ref


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref = Ref("VolumeAttachment", "", values["attachment"])
    found = await read(context, ref)
    node = str(found["spec"].get("nodeName", ""))
    volume = str((found["spec"].get("source") or {}).get("persistentVolumeName", ""))
    target = deleted(ref, found, f"kubectl delete volumeattachment {quote(ref.name)}")
    return Proposal(
        ref,
        (target,),
        f"{ref} is deleted: volume {volume} is detached from {node}",
        preconditions=(node_lost(context, node), _no_user(context, node, volume)),
        touches=(f"Volume {volume} can be attached to another node.",),
        warnings=(
            f"if {node} still writes to {volume}, its data is destroyed: make sure that it is off",
        ),
    )


def _no_user(context: ActionContext, node_name: str, volume: str) -> Precondition:
    question = "Does no pod there use the volume?"
    row: PersistentVolume | None = context.store.get("PersistentVolume", "", volume)
    claim = row.spec.claim_ref if row is not None else None
    users = [
        pod.metadata.name
        for pod in context.store.pods_on(node_name).values()
        if claim is not None
        and pod.metadata.namespace == claim.namespace
        and claim.name in pod.spec.claims
    ]
    gone = context.store.get("Node", "", node_name) is None
    if not gone and (why := unread(context, "Pod", "PersistentVolume")):
        return Precondition(question, None, why)
    seen = f"used by {', '.join(users[:3]) or 'no pod'}{', on a node that is gone' if gone else ''}"
    return Precondition(question, gone or not users, seen)


ACTIONS = (
    Action(
        "delete-volume-attachment",
        "Detach a volume from a node that is gone or lost.",
        (Parameter("attachment", "name of the VolumeAttachment", name),),
        "The volume can be attached elsewhere.",
        "none: the attach-detach controller makes another when a pod needs it",
        _build,
        deadline_s=60.0,
        fits=offered("VolumeAttachment", by_name("attachment")),
    ),
)

"""Remove a finalizer that blocks the deletion of an object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from shlex import quote
from typing import Any

from actions.checks import unread
from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Fit, Proposal, by_kind
from actions.parameters import OBJECT, Parameter, label_key
from actions.plan import Precondition
from actions.targets import kubectl_name, patched, read, remove_field, set_field, typed
from cluster.kube.objects import PersistentVolume, Ref
from cluster.kube.pods import is_finished
from cluster.live.store import Store

WAITED_S = 300.0
"""Seconds that a finalizer's controller gets before the finalizer may be removed."""
_GUARDS = {
    "kubernetes.io/pvc-protection": "the claim is kept while a pod uses it",
    "kubernetes.io/pv-protection": "the volume is kept while a claim is bound to it",
    "foregroundDeletion": "the dependents are deleted first",
    "orphan": "the dependents are kept",
    "service.kubernetes.io/load-balancer-cleanup": "the cloud's load balancer is removed first",
}
_ATTACHED = "external-attacher/"


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref: Ref = values["object"]
    wanted: str = values["finalizer"]
    found = await read(context, ref)
    held = found["metadata"].get("finalizers") or []
    if wanted not in held:
        raise CannotPlan(f"{ref} has no finalizer {wanted}; it has {', '.join(held) or 'none'}.")
    rest = [each for each in held if each != wanted]
    tokens = ("metadata", "finalizers")
    change = set_field(found, tokens, rest) if rest else remove_field(found, tokens)
    at = f"/metadata/finalizers/{held.index(wanted)}"
    body = json.dumps([{"op": "remove", "path": at}])
    command = f"kubectl patch {kubectl_name(ref)} --type=json -p {quote(body)}"
    made = patched(ref, found, [change], command)
    guard = _GUARDS.get(wanted, "its controller cleans up something outside")
    gone = f"Still held by {', '.join(rest)}." if rest else "The object is gone at once, for good."
    return Proposal(
        ref,
        (made,),
        f"{ref} loses the finalizer {wanted}",
        preconditions=(_being_deleted(context, found), _unused(context, ref, found, wanted)),
        touches=(gone,),
        warnings=(f"{wanted} stands for: {guard}. That is left undone.",),
        restorable=False,
    )


def _being_deleted(context: ActionContext, found: Mapping[str, Any]) -> Precondition:
    question = "Is it being deleted, and did its controller have time?"
    since = found["metadata"].get("deletionTimestamp")
    if not since:
        return Precondition(question, False, "it is not deleted: it would only lose its guard")
    age = (context.clock() - datetime.fromisoformat(str(since))).total_seconds()
    return Precondition(
        question, age >= WAITED_S, f"deleted {age:.0f} s ago, {WAITED_S:g} s are asked"
    )


def _unused(
    context: ActionContext, ref: Ref, found: Mapping[str, Any], finalizer: str
) -> Precondition:
    """Precondition: nothing uses the claim or volume."""
    question = "Is it out of use?"
    if ref.kind == "PersistentVolumeClaim":
        if why := unread(context, "Pod"):
            return Precondition(question, None, why)
        users = [
            pod.metadata.name
            for pod in context.store.in_namespace("Pod", ref.namespace).values()
            if not is_finished(pod) and ref.name in pod.spec.claims
        ]
        return Precondition(question, not users, f"used by {', '.join(users[:3]) or 'no pod'}")
    if ref.kind == "PersistentVolume":
        if why := unread(context, "VolumeAttachment"):
            return Precondition(question, None, why)
        volume: PersistentVolume = typed(found, ref)
        bound = volume.status.phase == "Bound"
        attached = [
            each.spec.node_name
            for each in context.store.rows("VolumeAttachment").values()
            if each.spec.source.persistent_volume_name == ref.name and each.status.attached
        ]
        seen = f"phase {volume.status.phase or 'unknown'}, attached to {attached or 'no node'}"
        return Precondition(question, not bound and not attached, seen)
    if ref.kind == "VolumeAttachment" or finalizer.startswith(_ATTACHED):
        return Precondition(question, False, "use delete-volume-attachment, which checks the node")
    return Precondition(question, True, "not a volume")


def _is_held(store: Store, ref: Ref) -> Fit | None:
    """An object of any kind that waits for finalizers in its deletion."""
    row = store.get(*ref)
    if row is None or row.metadata.deletion_timestamp is None or not row.metadata.finalizers:
        return None
    held = row.metadata.finalizers
    one = {"finalizer": held[0]} if len(held) == 1 else {}
    return Fit({**by_kind("object")(ref), **one}, f"held by {', '.join(held)}", likely=True)


ACTIONS = (
    Action(
        "remove-finalizer",
        "Remove a finalizer from an object that is stuck in deletion.",
        (OBJECT, Parameter("finalizer", "the finalizer as it stands there", label_key)),
        "The object goes, and what the finalizer guards is left undone.",
        "none",
        _build,
        deadline_s=30.0,
        fits=_is_held,
    ),
)

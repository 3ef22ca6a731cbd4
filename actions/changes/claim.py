"""Expand a PersistentVolumeClaim, so that its volume grows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal, by_name, offered
from actions.parameters import Parameter, amount, namespaced
from actions.plan import ActionPlan, Precondition
from actions.targets import kubectl_name, patched, path_of, read, set_field, value_at
from cluster.errors import ClusterError
from cluster.kube import quantity
from cluster.kube.objects import Ref

DEADLINE_S = 180.0
_REQUEST = ("spec", "resources", "requests", "storage")
_PENDING = "FileSystemResizePending"


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    ref, size = Ref("PersistentVolumeClaim", *values["claim"]), values["size"]
    found = await read(context, ref)
    now = value_at(found, "/spec/resources/requests/storage")[1] or "0"
    phase = (found.get("status") or {}).get("phase", "unknown")
    larger = _bytes(size) > _bytes(now)
    checks = (
        Precondition("Is it bound to a volume?", phase == "Bound", f"its phase is {phase}"),
        Precondition("Is it larger than now?", larger, f"{now} -> {size}; a claim never shrinks"),
        await _expandable(context, found),
    )
    change = set_field(found, _REQUEST, size)
    body = f'\'{{"spec":{{"resources":{{"requests":{{"storage":"{size}"}}}}}}}}\''
    target = patched(ref, found, [change], f"kubectl patch {kubectl_name(ref)} -p {body}")
    return Proposal(
        ref,
        (target,),
        preconditions=checks,
        touches=("The volume and its file system grow; pods keep running with most drivers.",),
        warnings=tuple(_templates(context, ref)),
        restorable=False,
    )


async def _expandable(context: ActionContext, found: Mapping[str, Any]) -> Precondition:
    question, name = "Does its class allow it?", str(found["spec"].get("storageClassName") or "")
    if not name:
        return Precondition(question, False, "it names no StorageClass that would allow it")
    try:
        kind = await read(context, Ref("StorageClass", "", name))
    except CannotPlan as reason:
        return Precondition(question, None, str(reason))
    allowed = bool(kind.get("allowVolumeExpansion"))
    seen = f"StorageClass {name}: allowVolumeExpansion is {str(allowed).lower()}"
    return Precondition(question, allowed, seen)


def _templates(context: ActionContext, ref: Ref) -> list[str]:
    """StatefulSets with a template that makes claims of this name, TEMPLATE-NAME-ORDINAL; they keep
    the previous size."""
    made_for = ref.name.rstrip("0123456789")
    return [
        f"StatefulSet {ref.namespace}/{row.metadata.name} still asks for the previous size in "
        "its template: a new replica starts with that"
        for row in context.store.in_namespace("StatefulSet", ref.namespace).values()
        if row.spec.volume_claim_templates and made_for.endswith(f"-{row.metadata.name}-")
    ]


async def _grown(context: ActionContext, plan: ActionPlan) -> tuple[bool, str]:
    """Whether the volume has the size, or waits only for a pod that mounts it again."""
    try:
        found = await context.api.get_json(path_of(plan.object), timeout=5)
    except ClusterError as error:
        return False, str(error)
    status = found.get("status") or {}
    capacity = (status.get("capacity") or {}).get("storage", "0")
    if any(each.get("type") == _PENDING for each in status.get("conditions") or ()):
        return True, "the volume has grown, its file system grows when a pod mounts it again"
    return _bytes(capacity) >= _bytes(plan.arguments["size"]), f"its capacity is {capacity}"


def _bytes(size: str) -> float:
    return quantity.parse(size) or 0.0


ACTIONS = (
    Action(
        "expand-claim",
        "Expand a PersistentVolumeClaim.",
        (
            Parameter("claim", "NAMESPACE/NAME of the claim", namespaced),
            Parameter("size", "new size, such as 20Gi", amount),
        ),
        "The volume grows and costs more.",
        "none: a volume does not shrink",
        _build,
        _grown,
        DEADLINE_S,
        fits=offered("PersistentVolumeClaim", by_name("claim")),
    ),
)

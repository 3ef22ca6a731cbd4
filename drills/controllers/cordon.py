"""The taint of a cordoned node, as the node controller sets it."""

from __future__ import annotations

from drills.api.objects import Obj, dig, rfc3339
from drills.controllers.context import ControllerContext

CORDON_TAINT = "node.kubernetes.io/unschedulable"


def follow_cordon(context: ControllerContext, node: Obj) -> None:
    """Add the taint to a cordoned node, or remove it from an uncordoned one, with the Event."""
    cordoned, now = bool(dig(node, "spec", "unschedulable")), rfc3339(context.now())

    def change(obj: Obj) -> None:
        taints = [t for t in obj["spec"].pop("taints", []) if t["key"] != CORDON_TAINT]
        if cordoned:
            taints.append({"key": CORDON_TAINT, "effect": "NoSchedule", "timeAdded": now})
        if taints:
            obj["spec"]["taints"] = taints

    context.update(node, change)
    word = "NodeNotSchedulable" if cordoned else "NodeSchedulable"
    context.record(node, word, f"Node {node['metadata']['name']} status is now: {word}")

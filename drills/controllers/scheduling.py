"""Chooses the node of a new pod: taints, selectors and required affinity filter; then the node with
the fewest pods of the same controller, in the zone with the fewest, with the fewest pods."""

from __future__ import annotations

from collections import Counter

from drills.api.objects import Obj, controller_of, dig, zone_of
from drills.api.selectors import requirement
from drills.controllers.context import ControllerContext
from drills.controllers.cordon import CORDON_TAINT


def schedule(context: ControllerContext, pod: Obj) -> str | None:
    """The name of a node with a working kubelet that may run the pod; None without one."""
    spec = pod["spec"]
    zones = {
        node["metadata"]["name"]: zone_of(node)
        for node in context.of("Node")
        if takes(node, spec) and context.allows(node, pod)
    }
    zones = {name: zone for name, zone in zones.items() if context.node_works(name)}
    owner = str((controller_of(pod) or {}).get("uid", ""))
    placed = [(node, uid) for node, uid in context.placed() if node in zones]
    load = Counter(node for node, _ in placed)
    mine = Counter(node for node, uid in placed if owner and uid == owner)
    in_zone = Counter(zones[node] for node in mine.elements())

    def order(name: str) -> tuple[int, int, int, str]:
        return mine[name], in_zone[zones[name]], load[name], context.draw(pod, name)

    return min(zones, key=order, default=None)


def takes(node: Obj, spec: Obj) -> bool:
    """Whether a node's taints and labels let a pod with this spec run there."""
    return _tolerated(node, spec) and _fits_affinity(node, spec)


def _tolerated(node: Obj, spec: Obj) -> bool:
    taints = dig(node, "spec", "taints", default=[])
    if dig(node, "spec", "unschedulable"):
        taints = [*taints, {"key": CORDON_TAINT, "effect": "NoSchedule"}]
    return all(
        taint["effect"] == "PreferNoSchedule"
        or any(tolerates(t, taint) for t in spec.get("tolerations", []))
        for taint in taints
    )


def tolerates(toleration: Obj, taint: Obj) -> bool:
    """Whether a toleration covers a taint."""
    return (
        toleration.get("key") in {None, "", taint["key"]}
        and toleration.get("effect") in {None, "", taint["effect"]}
        and (
            toleration.get("operator") == "Exists"
            or toleration.get("value", "") == taint.get("value", "")
        )
    )


def _fits_affinity(node: Obj, spec: Obj) -> bool:
    labels, name = node["metadata"].get("labels", {}), node["metadata"]["name"]
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = dig(spec, "affinity", "nodeAffinity", required, "nodeSelectorTerms", default=[])
    fields = {"metadata.name": name}
    return not terms or any(
        all(
            requirement(values, e["key"], e["operator"], e.get("values") or [])
            for word, values in (("matchExpressions", labels), ("matchFields", fields))
            for e in term.get(word) or []
        )
        for term in terms
    )

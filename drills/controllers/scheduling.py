"""Which node takes a new pod: taints, selectors, required affinity, then the fewest pods."""

from __future__ import annotations

from drills.api.objects import Obj, dig
from drills.api.selectors import requirement
from drills.controllers.context import ControllerContext


def schedule(context: ControllerContext, pod: Obj) -> str | None:
    """The name of a node whose kubelet works and that may take the pod; None when there is none."""
    spec = pod["spec"]
    names = (
        node["metadata"]["name"]
        for node in context.store.of("Node")
        if _tolerated(node, spec) and _fits_affinity(node, spec)
    )
    load = {name: 0 for name in names if context.node_works(name)}
    for other in context.store.of("Pod"):
        if (where := dig(other, "spec", "nodeName")) in load:
            load[where] += 1
    return min(load, key=lambda n: (load[n], n), default=None)


def _tolerated(node: Obj, spec: Obj) -> bool:
    tolerations = spec.get("tolerations", [])
    return all(
        taint["effect"] == "PreferNoSchedule" or any(_tolerates(t, taint) for t in tolerations)
        for taint in dig(node, "spec", "taints", default=[])
    )


def _tolerates(toleration: Obj, taint: Obj) -> bool:
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

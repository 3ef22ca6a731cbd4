"""Which node takes a new pod: taints, selectors, required affinity, then the fewest pods."""

from __future__ import annotations

from drills.api.objects import Obj, dig
from drills.controllers.context import Backstage


def schedule(stage: Backstage, pod: Obj) -> str | None:
    """The name of a node whose kubelet works and that may take the pod; None when there is none."""
    spec = pod["spec"]
    fitting = [
        e.obj["metadata"]["name"]
        for e in stage.store.entries(stage.kind("v1", "Node"))
        if _tolerated(e.obj, spec)
        and stage.node_works(e.obj["metadata"]["name"])
        and _fits_affinity(e.obj, spec)
    ]
    if not fitting:
        return None
    load: dict[str, int] = dict.fromkeys(fitting, 0)
    for entry in stage.store.entries(stage.kind("v1", "Pod")):
        where = dig(entry.obj, "spec", "nodeName")
        if where in load:
            load[where] += 1
    return min(load, key=lambda n: (load[n], n))


def _tolerated(node: Obj, spec: Obj) -> bool:
    for taint in dig(node, "spec", "taints", default=[]):
        if taint["effect"] == "PreferNoSchedule":
            continue
        if not any(
            (t.get("key") in {None, "", taint["key"]})
            and t.get("effect") in {None, "", taint["effect"]}
            and (t.get("operator") == "Exists" or t.get("value", "") == taint.get("value", ""))
            for t in spec.get("tolerations", [])
        ):
            return False
    return True


def _fits_affinity(node: Obj, spec: Obj) -> bool:
    labels = node["metadata"].get("labels", {})
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return False
    terms = dig(
        spec,
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
    )
    if not terms:
        return True
    return any(
        all(_expression(e, labels.get(e["key"])) for e in t.get("matchExpressions") or [])
        and all(_expression(e, node["metadata"]["name"]) for e in t.get("matchFields") or [])
        for t in terms
    )


def _expression(e: Obj, value: str | None) -> bool:
    operator, values = e["operator"], e.get("values") or []
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    return value is None if operator == "DoesNotExist" else True

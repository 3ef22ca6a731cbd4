"""Where a pod could run, as far as its template says: node selector, required node affinity,
taints. Ignores free capacity."""

from __future__ import annotations

from typing import Any

from cluster.kube.objects import Node, PodSpec
from triage.facts.cluster_view import ready_status

_PASSING = "node.kubernetes.io/"
"""Taints of node conditions and cordons: they come and go with the state of the node."""


def eligible(spec: PodSpec, node: Node) -> bool:
    """Whether the node is one of those that the pod may run on when they are well."""
    if any(node.metadata.labels.get(k) != v for k, v in spec.node_selector.items()):
        return False
    if not _affine(spec, node):
        return False
    return all(
        t.key.startswith(_PASSING)
        or t.effect not in ("NoSchedule", "NoExecute")
        or _tolerated(spec, t)
        for t in node.spec.taints
    )


def fits(spec: PodSpec, node: Node) -> bool:
    """Whether the node would take the pod now."""
    if node.spec.unschedulable or ready_status(node) != "True" or not eligible(spec, node):
        return False
    return all(
        t.effect not in ("NoSchedule", "NoExecute") or _tolerated(spec, t) for t in node.spec.taints
    )


def _tolerated(spec: PodSpec, taint: Any) -> bool:
    for t in spec.tolerations:
        key = t.key == taint.key or (not t.key and t.operator == "Exists")
        if (
            key
            and (t.operator == "Exists" or t.value == taint.value)
            and t.effect in ("", taint.effect)
        ):
            return True
    return False


def _affine(spec: PodSpec, node: Node) -> bool:
    """Required node affinity: one of the terms, all expressions of it. Shapes that are not
    understood do not exclude a node."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is None or affinity.required is None:
        return True
    terms = affinity.required.get("nodeSelectorTerms")
    if not isinstance(terms, list) or not terms:
        return True
    return any(_matches(term, node) for term in terms if isinstance(term, dict))


def _matches(term: dict[str, Any], node: Node) -> bool:
    fields = {"metadata.name": node.metadata.name}
    rules = [(e, node.metadata.labels) for e in term.get("matchExpressions") or ()] + [
        (e, fields) for e in term.get("matchFields") or ()
    ]
    for expression, values in rules:
        value, among, operator = (
            values.get(str(expression.get("key"))),
            expression.get("values") or (),
            expression.get("operator"),
        )
        if operator == "In" and value not in among:
            return False
        if operator == "NotIn" and value in among:
            return False
        if operator == "Exists" and value is None:
            return False
        if operator == "DoesNotExist" and value is not None:
            return False
    return True

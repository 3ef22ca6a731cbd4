"""Nodes where a pod may run by its template: node selector, required node affinity, taints. Ignores
free capacity."""

from __future__ import annotations

from typing import Any

from cluster.kube.objects import Node, PodSpec
from cluster.kube.selectors import contains, node_term_matches
from triage.facts.cluster_view import ready_status

_PASSING = "node.kubernetes.io/"
"""Taints of node conditions and cordons, which come and go with the state of the node."""


def eligible(spec: PodSpec, node: Node) -> bool:
    """Whether the pod may run on the node when the node is well."""
    if not contains(node.metadata.labels, spec.node_selector):
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
    """Required node affinity: one of the terms, all expressions of it. Without a list of terms no
    node is excluded."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    if affinity is None or affinity.required is None:
        return True
    terms = affinity.required.get("nodeSelectorTerms")
    if not isinstance(terms, list) or not terms:
        return True
    return any(
        node_term_matches(term, node.metadata.name, node.metadata.labels)
        for term in terms
        if isinstance(term, dict)
    )

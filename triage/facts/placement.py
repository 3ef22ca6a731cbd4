"""Nodes where a pod may run by its template: node selector, required node affinity, taints. Ignores
free capacity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.kube.nodes import ready_status
from cluster.kube.objects import Node, PodSpec, Taint
from cluster.kube.selectors import contains, node_term_matches

_PASSING = "node.kubernetes.io/"
"""Taints of node conditions and cordons."""


def eligible(spec: PodSpec, node: Node) -> bool:
    """Whether the pod may run on the node when the node is well."""
    return chooses(spec, node) and untolerated(spec, node) is None


def chooses(spec: PodSpec, node: Node) -> bool:
    """Whether the node has what the pod's node selector and required affinity ask for."""
    return contains(node.metadata.labels, spec.node_selector) and _affine(spec, node)


def has_choice(spec: PodSpec) -> bool:
    """Whether the pod has a node selector or a required node affinity."""
    return bool(spec.node_selector or required_terms(spec))


def required_terms(spec: PodSpec) -> tuple[Mapping[str, Any], ...]:
    """The terms of the required node affinity: one of them must hold."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    terms = (affinity.required or {}).get("nodeSelectorTerms") if affinity is not None else None
    return tuple(t for t in terms if isinstance(t, dict)) if isinstance(terms, list) else ()


def fits(spec: PodSpec, node: Node) -> bool:
    """Whether the node would take the pod now."""
    if node.spec.unschedulable or ready_status(node) != "True" or not eligible(spec, node):
        return False
    return all(
        t.effect not in ("NoSchedule", "NoExecute") or _tolerated(spec, t) for t in node.spec.taints
    )


def untolerated(spec: PodSpec, node: Node) -> Taint | None:
    """The first taint of the node that keeps the pod away for good: those of conditions and
    cordons come and go with the state of the node."""
    return next(
        (
            t
            for t in node.spec.taints
            if not t.key.startswith(_PASSING)
            and t.effect in ("NoSchedule", "NoExecute")
            and not _tolerated(spec, t)
        ),
        None,
    )


def meant_for(spec: PodSpec) -> str:
    """The node that a DaemonSet made a pod for: its required affinity names it before the pod is
    placed."""
    affinity = spec.affinity.node_affinity if spec.affinity is not None else None
    terms = (affinity.required or {}).get("nodeSelectorTerms") if affinity is not None else None
    for term in terms if isinstance(terms, list) else ():
        fields = term.get("matchFields") if isinstance(term, dict) else None
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, dict) and field.get("key") == "metadata.name":
                values = field.get("values")
                return str(values[0]) if isinstance(values, list) and values else ""
    return ""


def _tolerated(spec: PodSpec, taint: Taint) -> bool:
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

"""The measurement that would separate two explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from probes.inference.components import ComponentKey, Surroundings, components, is_bad
from probes.result import Cell


def next_probe(
    part: ComponentKey,
    rivals: Iterable[ComponentKey],
    measured: Sequence[Cell],
    around: Surroundings,
) -> str:
    """The measurement that would separate this component from its strongest rival, in words; ""
    when none is known."""
    for rival in rivals:
        kinds = {part[0], rival[0]}
        bad = [c for c in measured if is_bad(c) and part in components(c)]
        if not bad:
            continue
        cell = bad[0]
        rule = _split_rule(kinds)
        if rule:
            return rule(cell, around)
    return ""


def _split_rule(kinds: set[str]) -> Callable[[Cell, Surroundings], str] | None:
    def control_namespace(cell: Cell, around: Surroundings) -> str:
        other = next(
            (n for n in around.namespaces if n != cell.source.namespace), "another namespace"
        )
        goal = f"{cell.target.label} on {cell.target.node}"
        return (
            f"probe from a control namespace ({other}) to {goal}: if that answers, it is policy, "
            "not the node"
        )

    def other_node(cell: Cell, around: Surroundings) -> str:
        other = next(
            (n for n in around.nodes if n not in (cell.source.node, cell.target.node)),
            "another node",
        )
        return (
            f"probe from {cell.source.namespace} on {other} to {cell.target.label}: that "
            "separates the source's node from the target's"
        )

    def other_pod(cell: Cell, around: Surroundings) -> str:
        return f"probe a second pod on {cell.target.node}: that separates the pod from its node"

    if "policy-enforcement" in kinds and kinds & {
        "node-network",
        "workload",
        "pod",
        "source-namespace",
    }:
        return (
            control_namespace
            if not kinds & {"pod", "workload"}
            else other_pod
            if "pod" in kinds
            else control_namespace
        )
    if kinds & {"source-node", "path", "source-pod", "cross-node"}:
        return other_node
    if "pod" in kinds:
        return other_pod
    return None

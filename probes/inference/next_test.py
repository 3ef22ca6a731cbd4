"""The measurement that would separate two explanations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probes.inference.components import ComponentKey, Surroundings, components, is_bad
from probes.result import Cell

_BESIDE_POLICY = {"node-network", "workload", "pod", "source-namespace"}
_NEAR_SOURCE = {"source-node", "path", "source-pod", "cross-node"}


def next_probe(
    part: ComponentKey,
    rivals: Iterable[ComponentKey],
    measured: Sequence[Cell],
    around: Surroundings,
) -> str:
    """The measurement that would separate this component from its strongest rival, in words; ""
    when none is known."""
    for rival in rivals:
        bad = next((c for c in measured if is_bad(c) and part in components(c)), None)
        if bad is not None and (words := _words({part[0], rival[0]}, bad, around)):
            return words
    return ""


def _words(kinds: set[str], cell: Cell, around: Surroundings) -> str:
    source, target = cell.source, cell.target
    beside_policy = "policy-enforcement" in kinds and bool(kinds & _BESIDE_POLICY)
    if beside_policy and "pod" not in kinds:
        others = (n for n in around.namespaces if n != source.namespace)
        return (
            f"probe from a control namespace ({next(others, 'another namespace')}) to "
            f"{target.label} on {target.node}: if that answers, it is policy, not the node"
        )
    if not beside_policy and kinds & _NEAR_SOURCE:
        nodes = (n for n in around.nodes if n not in (source.node, target.node))
        return (
            f"probe from {source.namespace} on {next(nodes, 'another node')} to {target.label}: "
            "that separates the source's node from the target's"
        )
    if "pod" in kinds:
        return f"probe a second pod on {target.node}: that separates the pod from its node"
    return ""

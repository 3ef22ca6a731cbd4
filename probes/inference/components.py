"""Components on the path of a connection that can be at fault, and other facts that judge them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from probes.result import Cell, ResultClass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts beside the matrix.

    `drifted`: node -> sentence about an agent that runs another image there; `senders`: address ->
    node; `ready_endpoints`: Service "ns/name" -> number of ready endpoints; `declared`: "ns/pod" ->
    TCP ports that the pod declares; `namespaces`, `nodes`: further sources that could measure.
    """

    drifted: Mapping[str, str]
    senders: Mapping[str, str]
    ready_endpoints: Mapping[str, int]
    declared: Mapping[str, tuple[int, ...]]
    namespaces: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


NOTHING = Surroundings({}, {}, {}, {})

ComponentKey = tuple[str, str]
"""(kind, name) of a component."""


def is_bad(cell: Cell) -> bool:
    """Whether most of the counted tries failed."""
    return cell.failed * 2 > len(cell.counted)


def components(cell: Cell) -> set[ComponentKey]:
    """Everything that must work for this cell to succeed: single components and interactions."""
    source, target = cell.source, cell.target
    parts: set[ComponentKey] = {
        ("source-node", source.node),
        ("source-namespace", f"{source.namespace} -> {goal(cell)}"),
    }
    if source.pod:
        parts.add(("source-pod", f"{source.namespace}/{source.pod}"))
    if target.node:
        parts |= {
            ("node-network", target.node),
            ("policy-enforcement", f"{target.node}: {source.namespace} -> {target.namespace}"),
        }
        if source.node != target.node:
            parts |= {("path", f"{source.node} -> {target.node}"), ("cross-node", "between nodes")}
    if target.pod:
        parts.add(("pod", f"{target.namespace}/{target.pod}:{target.port}"))
        parts.add(("workload", f"{target.namespace}:{target.port}"))
    elif target.service:
        parts |= {("service", f"{target.namespace}/{target.service}"), ("kube-proxy", source.node)}
    else:
        parts.add(("address", target.endpoint))
    return parts


def goal(cell: Cell) -> str:
    return cell.target.namespace or cell.target.address


def main_class(cells: Collection[Cell]) -> ResultClass:
    tally: dict[ResultClass, int] = {}
    for cell in cells:
        tally[cell.main] = tally.get(cell.main, 0) + 1
    return max(sorted(tally), key=lambda v: tally[v])


def sender_node(cell: Cell, around: Surroundings) -> str:
    return (
        around.senders.get(cell.sender, cell.sender if cell.sender_source == "inferred" else "")
        if cell.sender
        else ""
    )

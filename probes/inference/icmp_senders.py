"""Infers the senders of ICMP errors from the pattern over nodes, where the kernel gives no
sender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probes.inference.components import NOTHING, Surroundings
from probes.result import Cell, ResultClass


def infer_senders(cells: Sequence[Cell], around: Surroundings = NOTHING) -> tuple[Cell, ...]:
    """The cells with their senders: from the kernel, or inferred where only one node explains the
    pattern."""
    rejected = [c for c in cells if c.main is ResultClass.REJECTED]
    done = []
    for cell in cells:
        known = next((t.sender for t in cell.tries if t.sender), "")
        if known:
            done.append(replace(cell, sender=known, sender_source="kernel"))
        elif cell.main is ResultClass.REJECTED:
            done.append(
                replace(
                    cell,
                    sender=_likely_sender(cell, cells, rejected, around),
                    sender_source="inferred",
                )
            )
        else:
            done.append(cell)
    return tuple(replace(c, sender_source="") if not c.sender else c for c in done)


def _likely_sender(
    cell: Cell, cells: Sequence[Cell], rejected: Sequence[Cell], around: Surroundings
) -> str:
    source, target = cell.source, cell.target
    if target.service and not target.pod:
        # kube-proxy rejects for a Service without endpoints on the node where the client runs.
        return (
            source.node
            if around.ready_endpoints.get(f"{target.namespace}/{target.service}") == 0
            else ""
        )
    if not target.node:
        return ""
    same_source_elsewhere = [
        c
        for c in cells
        if c.source == source and c.target.node not in ("", target.node) and c.counted
    ]
    all_fail = bool(same_source_elsewhere) and all(
        c.main is ResultClass.REJECTED for c in same_source_elsewhere
    )
    other_nodes_good = any(not c.failed for c in same_source_elsewhere)
    from_other_nodes = [
        c for c in rejected if c.target.node == target.node and c.source.node != source.node
    ]
    if other_nodes_good and (from_other_nodes or source.node == target.node or not all_fail):
        return target.node
    others_reach_it = any(
        not c.failed and c.counted
        for c in cells
        if c.target == target and c.source.node != source.node
    )
    if all_fail and others_reach_it:
        return source.node
    return ""

"""Finds the component at fault: the smallest explanation of all failing cells that no good cell
contradicts.

Boolean tomography: a cell succeeds only if every component on its path works, so a good cell rules
its components out and a failing cell blames them. When several explanations remain, all are shown
with the measurement that would separate them. The result class of the failing cells (refused,
rejected, timed out) and NetworkPolicy decide the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from cluster.statistics import fisher
from probes.inference.components import (
    NOTHING,
    ComponentKey,
    Surroundings,
    components,
    goal,
    is_bad,
    main_class,
    sender_node,
)
from probes.inference.next_test import next_probe
from probes.inference.statistics import bound
from probes.inference.wording import conclude, line
from probes.result import (
    Cell,
    Component,
    Conclusion,
    Expectation,
    ResultClass,
    not_measured,
)

_DNS = frozenset(
    {
        ResultClass.DNS_NXDOMAIN,
        ResultClass.DNS_REFUSED,
        ResultClass.DNS_SERVFAIL,
        ResultClass.DNS_TIMEOUT,
    }
)


def infer(cells: Sequence[Cell], around: Surroundings = NOTHING) -> tuple[Conclusion, ...]:
    """Conclusions, most likely first; a single one when nothing failed or nothing was measured."""
    measured = [cell for cell in cells if cell.counted]
    if not measured:
        why = next((cell.reason for cell in cells if cell.reason), "no cell was measured")
        return (not_measured(why, "see the problems, then measure again"),)
    found: list[Conclusion] = [*_policy_as_written(measured), *_not_enforced(measured)]
    direct = [cell for cell in measured if not _explained_by_pods(cell, measured)]
    unexpected = [cell for cell in direct if is_bad(cell) and cell.expected is not Expectation.DENY]
    good = [cell for cell in direct if not cell.failed]
    if unexpected:
        found += _explain(unexpected, good, direct, around)
    found += _mixed(direct)
    if not found:
        tries = sum(len(cell.counted) for cell in good)
        found.append(
            Conclusion(
                f"Nothing failed: {len(good)} of {len(good)} paths answer; connections: "
                f"{bound(0, tries)}",
                Component("none", ""),
                0.9 if tries >= 20 else 0.7,
                ""
                if tries >= 20
                else "an intermittent fault needs more tries: repeat while it occurs",
            )
        )
    return tuple(sorted(found, key=lambda c: -c.confidence))


def _explained_by_pods(cell: Cell, measured: Sequence[Cell]) -> bool:
    """Whether a failing Service address is explained by a failing pod behind it."""
    if cell.target.pod or not cell.target.service or not cell.failed:
        return False
    same = [
        c
        for c in measured
        if c.source == cell.source and c.target.pod and c.target.namespace == cell.target.namespace
    ]
    return any(c.failed for c in same)


# ---- from single cells


def _policy_as_written(measured: Sequence[Cell]) -> list[Conclusion]:
    denied = [cell for cell in measured if is_bad(cell) and cell.expected is Expectation.DENY]
    found = []
    for why in sorted({cell.why_expected for cell in denied}):
        group = [cell for cell in denied if cell.why_expected == why]
        pairs = sorted(
            {f"{c.source.namespace} -> {c.target.namespace or c.target.address}" for c in group}
        )
        found.append(
            Conclusion(
                f"NetworkPolicy forbids {', '.join(pairs)} as written: {why}",
                Component("network-policy", why.removeprefix("no rule of ").split(" allows")[0]),
                0.9,
                "if it should be allowed, correct the policy or the labels of the namespace or pod",
                tuple(line(cell) for cell in group[:4]),
            )
        )
    return found


def _not_enforced(measured: Sequence[Cell]) -> list[Conclusion]:
    """Connections that succeed although NetworkPolicy forbids them."""
    open_cells = [
        cell for cell in measured if cell.expected is Expectation.DENY and not cell.failed
    ]
    if not open_cells:
        return []
    nodes = sorted({cell.target.node for cell in open_cells if cell.target.node})
    held = [cell for cell in measured if cell.expected is Expectation.DENY and cell.failed]
    where = f"on {', '.join(nodes)}" if nodes and held else "anywhere that was measured"
    return [
        Conclusion(
            f"Connections that NetworkPolicy forbids go through {where}: it is not enforced there",
            Component("policy-enforcement", ", ".join(nodes) if held else "cluster"),
            0.8 if held else 0.7,
            "check whether the network plug-in enforces NetworkPolicy and whether its agent runs "
            "on those nodes",
            tuple(line(cell) for cell in open_cells[:4]),
        )
    ]


def _mixed(measured: Sequence[Cell]) -> list[Conclusion]:
    mixed = [cell for cell in measured if cell.mixed and not is_bad(cell)]
    if not mixed:
        return []
    worst = max(mixed, key=lambda c: c.failed / len(c.counted))
    failures = bound(worst.failed, len(worst.counted))
    claim = (
        f"It fails intermittently: {failures} from {worst.source.namespace} on "
        f"{worst.source.node} to {worst.target.label}"
    )
    lines = tuple(line(cell) for cell in mixed[:4])
    return [
        Conclusion(
            claim,
            Component("intermittent", worst.target.label),
            0.4,
            "measure again with more tries",
            lines,
        )
    ]


# ---- tomography


def _explain(
    bad: Sequence[Cell], good: Sequence[Cell], measured: Sequence[Cell], around: Surroundings
) -> list[Conclusion]:
    if all(cell.main in _DNS for cell in bad):
        return [
            Conclusion(
                "Names cannot be resolved; the connections themselves were not reached",
                Component("dns", bad[0].main.value),
                0.8,
                "run the dns probe",
                tuple(line(cell) for cell in bad[:4]),
            )
        ]
    exonerated = {part for cell in good for part in components(cell)}
    accused = {
        part: {i for i, cell in enumerate(bad) if part in components(cell)}
        for cell in bad
        for part in components(cell)
    }
    accused = {part: where for part, where in accused.items() if part not in exonerated}
    everything = set(range(len(bad)))
    single = [part for part, where in accused.items() if where == everything]
    if single:
        return _rank([(part,) for part in single], bad, good, measured, around)
    pairs = [
        pair
        for pair in combinations(sorted(accused), 2)
        if accused[pair[0]] | accused[pair[1]] == everything
    ]
    if pairs:
        smallest = [
            pair
            for pair in pairs
            if not accused[pair[0]] <= accused[pair[1]] and not accused[pair[1]] <= accused[pair[0]]
        ]
        return _rank(smallest or pairs, bad, good, measured, around)
    chosen, left = [], set(everything)
    while left:
        part = max(sorted(accused), key=lambda p: len(accused[p] & left), default=None)
        if part is None or not accused[part] & left:
            break
        chosen.append(part)
        left -= accused[part]
    if chosen and not left:
        return _rank([tuple(chosen)], bad, good, measured, around)
    return [
        Conclusion(
            "The failing paths have nothing in common that the working ones do not have",
            Component("unknown", ""),
            0.2,
            "measure again: the fault may be intermittent",
            tuple(line(cell) for cell in bad[:6]),
        )
    ]


def _rank(
    explanations: Sequence[tuple[ComponentKey, ...]],
    bad: Sequence[Cell],
    good: Sequence[Cell],
    measured: Sequence[Cell],
    around: Surroundings,
) -> list[Conclusion]:
    scored: list[tuple[float, tuple[ComponentKey, ...]]] = []
    for parts in explanations:
        weight = 1.0
        for part in parts:
            weight *= _weight(
                part, [c for c in bad if part in components(c)], good, measured, around
            )
        scored.append((weight, parts))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    total = sum(weight for weight, _ in scored)
    found = []
    proof = _proof(bad, good)
    for weight, parts in scored[:5]:
        share = weight / total
        if share < 0.03 or weight <= 0.001:
            continue
        rivals = [other[0] for their, other in scored if other != parts and their > 0.2 * weight]
        for part in parts:
            cells = [c for c in bad if part in components(c)]
            split = next_probe(part, rivals, measured, around)
            confidence = (
                min(0.97, (0.55 + 0.45 * share) * proof * min(1.0, 0.6 + weight / 2.5))
                if share > 0.5
                else share * proof
            )
            found.append(conclude(part, cells, good, round(confidence, 3), split, around))
    return found


def _proof(bad: Sequence[Cell], good: Sequence[Cell]) -> float:
    """How well the tries separate bad from good cells: 1.0 from about five against five, less with
    few tries or without a good cell."""
    failed = sum(c.failed for c in bad)
    tried = sum(len(c.counted) for c in bad)
    healthy = sum(len(c.counted) for c in good)
    if not healthy:
        return 0.85 if tried >= 5 else 0.6
    p_value = fisher(failed, tried, sum(c.failed for c in good), healthy, two_sided=True)
    return 1.0 if p_value <= 0.01 else 0.85 if p_value <= 0.05 else 0.6


def _weight(
    part: ComponentKey,
    cells: Sequence[Cell],
    good: Sequence[Cell],
    measured: Sequence[Cell],
    around: Surroundings,
) -> float:
    """How plausible a component is, from the result class of its failing cells; 0 to about 2."""
    kind, name = part
    main = main_class(cells)
    rejected = main in (ResultClass.REJECTED, ResultClass.RATE_LIMIT_SUSPECT)
    silent = main is ResultClass.TIMEOUT_CONNECT
    refused = main is ResultClass.REFUSED
    namespaces = {c.source.namespace for c in cells}
    drift = any(c.target.node in around.drifted for c in cells if c.target.node)
    sender_nodes = {sender_node(c, around) for c in cells} - {""}
    match kind:
        case "policy-enforcement":
            weight = 1.0 if rejected else 0.7 if silent else 0.35
            if sender_nodes and sender_nodes != {c.target.node for c in cells}:
                weight *= 0.3
            return weight * (1.6 if drift else 1.0)
        case "node-network":
            if refused:
                return 0.05
            # With one source namespace only, the node itself is as likely to be at fault.
            return (
                (0.25 if rejected else 0.9)
                * (1.5 if len(namespaces) > 1 else 1.0)
                * (1.2 if drift else 1.0)
            )
        case "path":
            return 0.1 if rejected else 0.5 if silent or main is ResultClass.UNREACHABLE else 0.02
        case "cross-node":
            return 0.5 if silent else 0.15 if rejected else 0.02
        case "pod":
            if refused:
                return 1.0
            return 0.15 if rejected else 0.4
        case "workload":
            if refused:
                return 1.2 if len({c.target.pod for c in cells}) > 1 else 0.6
            return 0.05 if rejected else 0.15
        case "service":
            empty = around.ready_endpoints.get(name) == 0
            return (
                2.0
                if empty
                else 0.8
                if any(not c.failed and c.target.pod for c in measured)
                else 0.3
            )
        case "kube-proxy":
            empty = any(
                around.ready_endpoints.get(f"{c.target.namespace}/{c.target.service}") == 0
                for c in cells
            )
            return (
                0.05
                if empty
                else 0.9
                if any(c.source.node == name and not c.failed and c.target.pod for c in good)
                else 0.2
            )
        case "source-node":
            weight = 0.7 if main in (ResultClass.UNREACHABLE, ResultClass.TIMEOUT_CONNECT) else 0.25
            return weight * (
                1.3 if len({goal(c) for c in cells} | {c.target.node for c in cells}) > 1 else 0.7
            )
        case "source-namespace":
            return 0.6 if len({c.target.node for c in cells}) > 1 else 0.2
        case "source-pod":
            return 0.35 if len(cells) > 1 else 0.15
        case "address":
            return 0.5
        case _:
            return 0.1

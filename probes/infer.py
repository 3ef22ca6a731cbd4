"""From a matrix of cells to the component that is at fault: the smallest explanation of every bad cell that no good cell contradicts.

Boolean tomography: a cell is good only if everything on its way is good. Every component (or interaction of two) is a set of cells;
good cells exonerate, bad ones accuse. Explanations that the data cannot tell apart are all shown, with the one measurement that
would split them. What the failing cells look like (refused by the target, rejected on the way, silence) and what NetworkPolicy
says decide the order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from probes.result import Cell, Component, Conclusion, Expectation, Verdict
from probes.statistics import bound, fisher

_DNS = frozenset({Verdict.DNS_NXDOMAIN, Verdict.DNS_REFUSED, Verdict.DNS_SERVFAIL, Verdict.DNS_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the matrix. `drifted`: node -> sentence for agents that run other content there.

    `senders`: address -> node for addresses that belong to nodes; `ready_endpoints`: Service "ns/name" -> number of ready endpoints;
    `declared`: "ns/pod" -> TCP ports that the pod declares; `sources_possible`: namespaces and nodes from which more could be measured.
    """

    drifted: Mapping[str, str]
    senders: Mapping[str, str]
    ready_endpoints: Mapping[str, int]
    declared: Mapping[str, tuple[int, ...]]
    namespaces: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


NOTHING = Surroundings({}, {}, {}, {})

Suspect = tuple[str, str]
"""(kind, name) of a component."""


def infer(cells: Sequence[Cell], around: Surroundings = NOTHING) -> tuple[Conclusion, ...]:
    """Conclusions, most likely first; one that says "nothing failed" or "nothing was measured" when that is all there is to say."""
    measured = [cell for cell in cells if cell.counted]
    if not measured:
        why = next((cell.reason for cell in cells if cell.reason), "no cell was measured")
        return (Conclusion(f"Nothing can be said: {why}", Component("not-measured", ""), 0.0, "see the problems, then measure again"),)
    found: list[Conclusion] = [*_policy_as_written(measured), *_not_enforced(measured)]
    direct = [cell for cell in measured if not _explained_by_pods(cell, measured)]
    unexpected = [cell for cell in direct if _bad(cell) and cell.expected is not Expectation.DENY]
    good = [cell for cell in direct if not cell.failed]
    if unexpected:
        found += _explain(unexpected, good, direct, around)
    found += _mixed(direct)
    if not found:
        tries = sum(len(cell.counted) for cell in good)
        found.append(
            Conclusion(
                f"Nothing failed: {len(good)} of {len(good)} paths answer, {bound(0, tries)} over all",
                Component("none", ""), 0.9 if tries >= 20 else 0.7,
                "" if tries >= 20 else "a fault that comes and goes needs more tries: repeat while it is felt",
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda c: -c.confidence))


def _bad(cell: Cell) -> bool:
    """Most of the counted tries failed; a mixed cell is looked at apart."""
    return cell.failed * 2 > len(cell.counted)


def _explained_by_pods(cell: Cell, measured: Sequence[Cell]) -> bool:
    """A Service's address fails as often as it picks a pod that fails: where such a pod was measured, the Service says nothing of its own."""
    if cell.target.pod or not cell.target.service or not cell.failed:
        return False
    same = [c for c in measured if c.source == cell.source and c.target.pod and c.target.namespace == cell.target.namespace]
    return any(c.failed for c in same)


# ---- what needs no tomography


def _policy_as_written(measured: Sequence[Cell]) -> list[Conclusion]:
    denied = [cell for cell in measured if _bad(cell) and cell.expected is Expectation.DENY]
    found = []
    for why in sorted({cell.why_expected for cell in denied}):
        group = [cell for cell in denied if cell.why_expected == why]
        pairs = sorted({f"{c.source.namespace} -> {c.target.namespace or c.target.address}" for c in group})
        found.append(
            Conclusion(
                f"NetworkPolicy forbids {', '.join(pairs)} as written: {why}",
                Component("network-policy", why.removeprefix("no rule of ").split(" allows")[0]), 0.9,
                "if it should be allowed, correct the policy or the labels of the namespace or pod",
                tuple(_line(cell) for cell in group[:4]),
            )
        )  # fmt: skip
    return found


def _not_enforced(measured: Sequence[Cell]) -> list[Conclusion]:
    """Allowed although forbidden. A finding of its own only where something else is wrong or all of it is open."""
    open_cells = [cell for cell in measured if cell.expected is Expectation.DENY and not cell.failed]
    if not open_cells:
        return []
    nodes = sorted({cell.target.node for cell in open_cells if cell.target.node})
    held = [cell for cell in measured if cell.expected is Expectation.DENY and cell.failed]
    where = f"on {', '.join(nodes)}" if nodes and held else "anywhere that was measured"
    return [
        Conclusion(
            f"Connections that NetworkPolicy forbids go through {where}: it is not enforced there",
            Component("policy-enforcement", ", ".join(nodes) if held else "cluster"), 0.8 if held else 0.7,
            "check whether the network plug-in enforces NetworkPolicy and whether its agent runs on those nodes",
            tuple(_line(cell) for cell in open_cells[:4]),
        )
    ]  # fmt: skip


def _mixed(measured: Sequence[Cell]) -> list[Conclusion]:
    mixed = [cell for cell in measured if cell.mixed and not _bad(cell)]
    if not mixed:
        return []
    worst = max(mixed, key=lambda c: c.failed / len(c.counted))
    told = bound(worst.failed, len(worst.counted))
    claim = f"It fails now and then: {told} from {worst.source.namespace} on {worst.source.node} to {worst.target.label}"
    lines = tuple(_line(cell) for cell in mixed[:4])
    return [Conclusion(claim, Component("intermittent", worst.target.label), 0.4, "measure again with more tries", lines)]


# ---- tomography


def components(cell: Cell) -> set[Suspect]:
    """Everything that must work for this cell to be good, single parts and interactions."""
    source, target = cell.source, cell.target
    parts: set[Suspect] = {("source-node", source.node), ("source-namespace", f"{source.namespace} -> {_goal(cell)}")}
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
        parts.add(("address", f"{target.address}:{target.port}"))
    return parts


def _goal(cell: Cell) -> str:
    return cell.target.namespace or cell.target.address


def _explain(bad: Sequence[Cell], good: Sequence[Cell], measured: Sequence[Cell], around: Surroundings) -> list[Conclusion]:
    if all(cell.main in _DNS for cell in bad):
        return [
            Conclusion(
                "Names cannot be resolved; the connections themselves were not reached", Component("dns", bad[0].main.value), 0.8,
                "run the dns probe", tuple(_line(cell) for cell in bad[:4]),
            )
        ]  # fmt: skip
    exonerated = {part for cell in good for part in components(cell)}
    accused = {part: {i for i, cell in enumerate(bad) if part in components(cell)} for cell in bad for part in components(cell)}
    accused = {part: where for part, where in accused.items() if part not in exonerated}
    everything = set(range(len(bad)))
    single = [part for part, where in accused.items() if where == everything]
    if single:
        return _rank([(part,) for part in single], bad, good, measured, around)
    pairs = [pair for pair in combinations(sorted(accused), 2) if accused[pair[0]] | accused[pair[1]] == everything]
    if pairs:
        smallest = [pair for pair in pairs if not accused[pair[0]] <= accused[pair[1]] and not accused[pair[1]] <= accused[pair[0]]]
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
            "The failing paths have nothing in common that the working ones do not have", Component("unknown", ""), 0.2,
            "measure again: the fault may come and go", tuple(_line(cell) for cell in bad[:6]),
        )
    ]  # fmt: skip


def _rank(
    explanations: Sequence[tuple[Suspect, ...]], bad: Sequence[Cell], good: Sequence[Cell], measured: Sequence[Cell], around: Surroundings
) -> list[Conclusion]:
    scored: list[tuple[float, tuple[Suspect, ...]]] = []
    for parts in explanations:
        weight = 1.0
        for part in parts:
            weight *= _weight(part, [c for c in bad if part in components(c)], good, measured, around)
        scored.append((weight, parts))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    total = sum(weight for weight, _ in scored)
    found = []
    proof = _proof(bad, good)
    for weight, parts in scored[:5]:
        share = weight / total
        if share < 0.03 or weight <= 0.001:
            continue
        rivals = [other for _, other in scored if other != parts and _ / max(weight, 1e-9) > 0.2]
        for part in parts:
            cells = [c for c in bad if part in components(c)]
            split = next_probe(part, [r[0] for r in rivals if r], measured, around) if rivals else ""
            confidence = min(0.97, (0.55 + 0.45 * share) * proof * min(1.0, 0.6 + weight / 2.5)) if share > 0.5 else share * proof
            found.append(_conclusion(part, cells, good, round(confidence, 3), split, around))
    return found


def _proof(bad: Sequence[Cell], good: Sequence[Cell]) -> float:
    """How well the tries separate bad from good: 1.0 with five against five or more, less with few tries or no good cell at all."""
    failed = sum(c.failed for c in bad)
    tried = sum(len(c.counted) for c in bad)
    healthy = sum(len(c.counted) for c in good)
    if not healthy:
        return 0.85 if tried >= 5 else 0.6
    p_value = fisher(failed, tried, sum(c.failed for c in good), healthy)
    return 1.0 if p_value <= 0.01 else 0.85 if p_value <= 0.05 else 0.6


def _weight(part: Suspect, cells: Sequence[Cell], good: Sequence[Cell], measured: Sequence[Cell], around: Surroundings) -> float:
    """How plausible a component is, given what its bad cells look like; 0 to about 2. Rules: the table of patterns in the reference."""
    kind, name = part
    main = _main(cells)
    rejected = main in (Verdict.REJECTED, Verdict.RATE_LIMIT_SUSPECT)
    silent = main is Verdict.TIMEOUT_CONNECT
    refused = main is Verdict.REFUSED
    namespaces = {c.source.namespace for c in cells}
    drift = any(c.target.node in around.drifted for c in cells if c.target.node)
    sender_nodes = {_sender_node(c, around) for c in cells} - {""}
    match kind:
        case "policy-enforcement":
            weight = 1.0 if rejected else 0.7 if silent else 0.35
            if sender_nodes and sender_nodes != {c.target.node for c in cells}:
                weight *= 0.3
            return weight * (1.6 if drift else 1.0)
        case "node-network":
            if refused:
                return 0.05
            # One source namespace only: the node itself is as likely to be at fault until a control says otherwise.
            return (0.25 if rejected else 0.9) * (1.5 if len(namespaces) > 1 else 1.0) * (1.2 if drift else 1.0)
        case "path":
            return 0.1 if rejected else 0.5 if silent or main is Verdict.UNREACHABLE else 0.02
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
            return 2.0 if empty else 0.8 if any(not c.failed and c.target.pod for c in measured) else 0.3
        case "kube-proxy":
            empty = any(around.ready_endpoints.get(f"{c.target.namespace}/{c.target.service}") == 0 for c in cells)
            return 0.05 if empty else 0.9 if any(c.source.node == name and not c.failed and c.target.pod for c in good) else 0.2
        case "source-node":
            weight = 0.7 if main in (Verdict.UNREACHABLE, Verdict.TIMEOUT_CONNECT) else 0.25
            return weight * (1.3 if len({_goal(c) for c in cells} | {c.target.node for c in cells}) > 1 else 0.7)
        case "source-namespace":
            return 0.6 if len({c.target.node for c in cells}) > 1 else 0.2
        case "source-pod":
            return 0.35 if len(cells) > 1 else 0.15
        case "address":
            return 0.5
        case _:
            return 0.1


def _main(cells: Collection[Cell]) -> Verdict:
    tally: dict[Verdict, int] = {}
    for cell in cells:
        tally[cell.main] = tally.get(cell.main, 0) + 1
    return max(sorted(tally), key=lambda v: tally[v])


def _sender_node(cell: Cell, around: Surroundings) -> str:
    return around.senders.get(cell.sender, cell.sender if cell.sender_source == "inferred" else "") if cell.sender else ""


def _conclusion(
    part: Suspect, cells: Sequence[Cell], good: Sequence[Cell], confidence: float, split: str, around: Surroundings
) -> Conclusion:
    kind, name = part
    how = _how(cells, around)
    drift = [around.drifted[node] for node in sorted({c.target.node for c in cells}) if node in around.drifted]
    evidence = (*drift, *(_line(cell) for cell in [*cells[:4], *good[:3]]))
    if kind == "policy-enforcement":
        node, _, pair = name.partition(": ")
        claim = f"Policy enforcement on node {node}: {pair} is {how} there although every policy allows it; other paths answer"
        return Conclusion(
            claim, Component("policy-enforcement", node), confidence,
            split or f"compare the network plug-in's pod on {node} with another node: image id, restarts, logs", evidence,
        )  # fmt: skip
    claims: dict[str, tuple[str, Component, str]] = {
        "node-network": (
            f"Everything to pods on node {name} is {how}", Component("node-network", name),
            f"look at node {name}: Ready, NetworkUnavailable, its network plug-in's pod, its routes",
        ),
        "path": (f"The way {name} is {how}", Component("path", name), "compare routes and MTU of the two nodes"),
        "cross-node": (f"Whatever crosses from node to node is {how}", Component("network", "between nodes"), "check overlay, routes, firewall"),
        "pod": (f"Pod {name} itself: {how}", Component("pod", name.rpartition(":")[0]), _listening(name, around)),
        "workload": (
            f"All pods behind port {name.rpartition(':')[2]} in {name.rpartition(':')[0]}: {how}", Component("service", _service_name(cells, name)),
            _listening_all(cells, around),
        ),
        "service": (
            f"Service {name}: {how}" + (", it has no ready endpoints" if around.ready_endpoints.get(name) == 0 else ", its pods answer directly"),
            Component("service", name), "compare the Service's selector and targetPort with the pods, see its EndpointSlices",
        ),
        "kube-proxy": (
            f"Service addresses are {how} from node {name}", Component("kube-proxy", name), f"look at kube-proxy on {name}: its pod, its sync time",
        ),
        "source-node": (f"Everything from node {name} is {how}", Component("node", name), f"look at node {name}: network plug-in, conntrack, egress"),
        "source-namespace": (
            f"{name} is {how} on every node although no policy as written forbids it", Component("network-policy", name),
            "compare the labels of the namespace with what the policies select; look for policies that are not evaluated here",
        ),
        "source-pod": (f"Only pod {name} fails", Component("pod", name), "measure from a sibling pod on the same node"),
        "address": (f"{name}: {how}", Component("address", name), "measure from another namespace and from outside of the cluster"),
    }  # fmt: skip
    claim, component, default = claims[kind]
    return Conclusion(claim, component, confidence, split or default, evidence)


def _service_name(cells: Sequence[Cell], name: str) -> str:
    service = next((c.target.service for c in cells if c.target.service), "")
    namespace = name.rpartition(":")[0]
    return f"{namespace}/{service}" if service else name


def _listening(name: str, around: Surroundings) -> str:
    pod, _, port = name.rpartition(":")
    declared = around.declared.get(pod, ())
    if declared and int(port) not in declared:
        return f"the pod declares {', '.join(map(str, declared))}, not {port}: correct the targetPort"
    return "see whether the process listens on the pod's address (a port-forward that works would mean it is bound to localhost)"


def _listening_all(cells: Sequence[Cell], around: Surroundings) -> str:
    for cell in cells:
        declared = around.declared.get(f"{cell.target.namespace}/{cell.target.pod}", ())
        if declared and cell.target.port not in declared:
            return f"the pods declare {', '.join(map(str, declared))}, not {cell.target.port}: correct the targetPort"
    return "see whether the processes listen on the pods' addresses"


_WORDS: dict[Verdict, str] = {
    Verdict.REFUSED: "refused by the target itself (RST: nothing listens on that port)",
    Verdict.REJECTED: "rejected on the way (ICMP, not the target)",
    Verdict.TIMEOUT_CONNECT: "silently dropped (no answer)",
    Verdict.UNREACHABLE: "without a route in the source pod",
    Verdict.RESET: "reset after it was accepted",
}


def _how(cells: Sequence[Cell], around: Surroundings) -> str:
    main = _main(cells)
    words = _WORDS.get(main, main.value)
    senders = sorted({_sender_node(c, around) or c.sender for c in cells} - {""})
    if main is Verdict.REJECTED and senders:
        inferred = all(c.sender_source == "inferred" for c in cells if c.sender)
        words = f"rejected on the way by {', '.join(senders)} (ICMP{', sender inferred from the pattern' if inferred else ''})"
    return words


def _line(cell: Cell) -> str:
    icmp = next((t.icmp for t in cell.tries if t.icmp), "")
    return (
        f"{cell.source.namespace}@{cell.source.node} -> {cell.target.label}:{cell.target.port}{f'@{cell.target.node}' if cell.target.node else ''}: "
        f"{cell.main.value}{f' ICMP {icmp}' if icmp else ''}{f' by {cell.sender}' if cell.sender else ''}, {bound(cell.failed, len(cell.counted))}, "
        f"expected {cell.expected.value}"
    )


# ---- the sender, and the next probe


def infer_senders(cells: Sequence[Cell], around: Surroundings = NOTHING) -> tuple[Cell, ...]:
    """Fill in who rejected where the kernel did not say, from the pattern over nodes, and only where it is one-sided."""
    rejected = [c for c in cells if c.main is Verdict.REJECTED]
    done = []
    for cell in cells:
        known = next((t.sender for t in cell.tries if t.sender), "")
        if known:
            done.append(replace(cell, sender=known, sender_source="kernel"))
        elif cell.main is Verdict.REJECTED:
            done.append(replace(cell, sender=_likely_sender(cell, cells, rejected, around), sender_source="inferred"))
        else:
            done.append(cell)
    return tuple(replace(c, sender_source="") if not c.sender else c for c in done)


def _likely_sender(cell: Cell, cells: Sequence[Cell], rejected: Sequence[Cell], around: Surroundings) -> str:
    source, target = cell.source, cell.target
    if target.service and not target.pod:
        # kube-proxy rejects for a Service without endpoints on the node where the client runs.
        return source.node if around.ready_endpoints.get(f"{target.namespace}/{target.service}") == 0 else ""
    if not target.node:
        return ""
    same_source_elsewhere = [c for c in cells if c.source == source and c.target.node not in ("", target.node) and c.counted]
    all_fail = bool(same_source_elsewhere) and all(c.main is Verdict.REJECTED for c in same_source_elsewhere)
    other_nodes_good = any(not c.failed for c in same_source_elsewhere)
    from_other_nodes = [c for c in rejected if c.target.node == target.node and c.source.node != source.node]
    if other_nodes_good and (from_other_nodes or source.node == target.node or not all_fail):
        return target.node
    others_reach_it = any(not c.failed and c.counted for c in cells if c.target == target and c.source.node != source.node)
    if all_fail and others_reach_it:
        return source.node
    return ""


def next_probe(part: Suspect, rivals: Iterable[Suspect], measured: Sequence[Cell], around: Surroundings) -> str:
    """The one measurement that would tell this component from its strongest rival, in words; "" when none is known."""
    for rival in rivals:
        kinds = {part[0], rival[0]}
        bad = [c for c in measured if _bad(c) and part in components(c)]
        if not bad:
            continue
        cell = bad[0]
        rule = _split_rule(kinds)
        if rule:
            return rule(cell, around)
    return ""


def _split_rule(kinds: set[str]) -> Callable[[Cell, Surroundings], str] | None:
    def control_namespace(cell: Cell, around: Surroundings) -> str:
        other = next((n for n in around.namespaces if n != cell.source.namespace), "another namespace")
        return f"probe from a control namespace ({other}) to {cell.target.label} on {cell.target.node}: if that answers, it is policy, not the node"

    def other_node(cell: Cell, around: Surroundings) -> str:
        other = next((n for n in around.nodes if n not in (cell.source.node, cell.target.node)), "another node")
        return f"probe from {cell.source.namespace} on {other} to {cell.target.label}: that separates the source's node from the target's"

    def other_pod(cell: Cell, around: Surroundings) -> str:
        return f"probe a second pod on {cell.target.node}: that separates the pod from its node"

    if "policy-enforcement" in kinds and kinds & {"node-network", "workload", "pod", "source-namespace"}:
        return control_namespace if not kinds & {"pod", "workload"} else other_pod if "pod" in kinds else control_namespace
    if kinds & {"source-node", "path", "source-pod", "cross-node"}:
        return other_node
    if "pod" in kinds:
        return other_pod
    return None

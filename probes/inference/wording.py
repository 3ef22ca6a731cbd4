"""Conclusions in words: the component, the symptom, the evidence and the next step."""

from __future__ import annotations

from collections.abc import Sequence

from probes.inference.components import ComponentKey, Surroundings, main_class, sender_node
from probes.inference.statistics import bound
from probes.result import Cell, Component, Conclusion, ResultClass

_WORDS: dict[ResultClass, str] = {
    ResultClass.REFUSED: "refused by the target itself: no process listens on that port",
    ResultClass.REJECTED: "rejected on the way (ICMP, not the target)",
    ResultClass.TIMEOUT_CONNECT: "silently dropped (no answer)",
    ResultClass.UNREACHABLE: "without a route in the source pod",
    ResultClass.RESET: "reset after it was accepted",
}


def conclude(
    part: ComponentKey,
    cells: Sequence[Cell],
    good: Sequence[Cell],
    confidence: float,
    split: str,
    around: Surroundings,
) -> Conclusion:
    """The conclusion that blames `part` for these failing cells; `split`: the measurement that
    separates it from its rivals."""
    claim, component, following = _claim(part, cells, how_it_fails(cells, around), around)
    drift = [
        around.drifted[node]
        for node in sorted({c.target.node for c in cells})
        if node in around.drifted
    ]
    evidence = (*drift, *(line(cell) for cell in [*cells[:4], *good[:3]]))
    return Conclusion(claim, component, confidence, split or following, evidence)


def _claim(
    part: ComponentKey, cells: Sequence[Cell], how: str, around: Surroundings
) -> tuple[str, Component, str]:
    """(claim, component, next step)."""
    kind, name = part
    match kind:
        case "policy-enforcement":
            node, _, pair = name.partition(": ")
            return (
                f"Policy enforcement on node {node}: {pair} is {how}, although every policy "
                "allows it and other paths answer",
                Component("policy-enforcement", node),
                f"compare the network plug-in's pod on {node} with another node: image id, "
                "restarts, logs",
            )
        case "node-network":
            following = (
                f"look at node {name}: Ready, NetworkUnavailable, its network plug-in's pod, its "
                "routes"
            )
            return (
                f"Everything to pods on node {name} is {how}",
                Component("node-network", name),
                following,
            )
        case "path":
            return (
                f"The path {name} is {how}",
                Component("path", name),
                "compare routes and MTU of the two nodes",
            )
        case "cross-node":
            component = Component("network", "between nodes")
            return (
                f"Everything between nodes is {how}",
                component,
                "check overlay, routes and firewall between the nodes",
            )
        case "pod":
            return (
                f"Pod {name} itself: {how}",
                Component("pod", name.rpartition(":")[0]),
                _listening(cells, around),
            )
        case "workload":
            namespace, _, port = name.rpartition(":")
            # The Service's own cells are left out once its pods fail, so its name comes from all
            # Services that were dialled.
            services = [each for each in around.ready_endpoints if each.startswith(f"{namespace}/")]
            component = Component("service", services[0] if len(services) == 1 else namespace)
            return (
                f"All pods behind port {port} in {namespace}: {how}",
                component,
                _listening(cells, around),
            )
        case "service":
            empty = around.ready_endpoints.get(name) == 0
            why = "it has no ready endpoints" if empty else "its pods are not to blame"
            following = (
                "compare the Service's selector and targetPort with the pods, see its "
                "EndpointSlices"
            )
            return f"Service {name}: {how}, {why}", Component("service", name), following
        case "kube-proxy":
            claim = f"Service addresses are {how} from node {name}"
            return (
                claim,
                Component("kube-proxy", name),
                f"look at kube-proxy on {name}: its pod, its last sync",
            )
        case "source-node":
            claim = f"Everything from node {name} is {how}"
            return (
                claim,
                Component("node", name),
                f"look at node {name}: network plug-in, conntrack, egress",
            )
        case "source-namespace":
            return (
                f"{name} is {how} on every node, although no policy as written forbids it",
                Component("network-policy", name),
                "compare the namespace's labels with what the policies select; look for policies "
                "that are not evaluated here",
            )
        case "source-pod":
            return (
                f"Only pod {name} fails: {how}",
                Component("pod", name),
                "measure from a sibling pod on the same node",
            )
        case "address":
            claim = (
                f"{name} is {how} from every node and namespace that was measured: the target, or "
                "the cluster's way out (SNAT, gateway)"
            )
            return (
                claim,
                Component("address", name),
                "try the same address from elsewhere: if it answers there, it is the way out",
            )
        case _:
            return f"{kind} {name}: {how}", Component(kind, name), ""


def _listening(cells: Sequence[Cell], around: Surroundings) -> str:
    for cell in cells:
        declared = around.declared.get(f"{cell.target.namespace}/{cell.target.pod}", ())
        if declared and cell.target.port not in declared:
            return (
                f"the pod declares {', '.join(map(str, declared))}, not {cell.target.port}: "
                "correct the Service's targetPort"
            )
    return (
        "see whether the process listens on the pod's address (when a port-forward works it is "
        "bound to localhost only)"
    )


def how_it_fails(cells: Sequence[Cell], around: Surroundings) -> str:
    """The most frequent class in words, with the sender of ICMP errors where it is known."""
    main = main_class(cells)
    words = _WORDS.get(main, main.value)
    senders = sorted({sender_node(c, around) or c.sender for c in cells} - {""})
    if main is ResultClass.REJECTED and senders:
        inferred = all(c.sender_source == "inferred" for c in cells if c.sender)
        words = (
            f"rejected on the way by {', '.join(senders)} "
            f"(ICMP{', sender inferred from the pattern' if inferred else ''})"
        )
    return words


def line(cell: Cell) -> str:
    """One cell as evidence."""
    target = cell.target
    icmp = next((f" ICMP {each.icmp}" for each in cell.tries if each.icmp), "")
    where = f"@{target.node}" if target.node else ""
    to = (
        target.label
        if target.label.endswith(f":{target.port}")
        else f"{target.label}:{target.port}"
    )
    sender = f" by {cell.sender}" if cell.sender else ""
    said = (
        f"{cell.main.value}{icmp}{sender}, {bound(cell.failed, len(cell.counted))}, expected "
        f"{cell.expected.value}"
    )
    return f"{cell.source.namespace}@{cell.source.node} -> {to}{where}: {said}"

"""How many pod addresses and pod slots each node has left. Pure over the live state; plug-ins with pools of their own are not seen."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from cluster.objects import Node, Pod, Ref
from cluster.quantity import parse
from probes.context import ProbeContext, Progress
from probes.reading import answer, reading_plan
from probes.result import Component, Conclusion, ProbePlan, ProbeResult, Row

NAME = "address-space"
QUESTION = "Does every node have addresses and slots left for new pods?"
PARAMETERS = {"node": "only this node"}
NEARLY = 0.9
RESERVED = 3
"""Addresses of a range that no pod gets: network, broadcast, bridge."""


async def plan(context: ProbeContext, arguments: Mapping[str, str]) -> ProbePlan:
    method = "ranges of the nodes against the pods there: plug-ins with pools of their own (cloud interfaces, Calico) are not seen"
    return reading_plan(NAME, arguments, QUESTION, method=method)


async def run(plan: ProbePlan, context: ProbeContext, progress: Progress | None = None) -> ProbeResult:
    started = context.clock()
    rows, conclusions = [], []
    told = sum(1 for e in context.store.rows("Event").values() if any(w in e.message.lower() for w in _WORDS))
    for (_, name), node in sorted(context.store.rows("Node").items()):
        assert isinstance(node, Node)
        if plan.arguments.get("node", name) != name:
            continue
        pods = [p for p in context.store.pods_on(name).values() if p.status.phase not in ("Succeeded", "Failed")]
        with_address = [p for p in pods if isinstance(p, Pod) and not p.spec.host_network]
        addresses = _addresses(node.spec.pod_cidr)
        slots = int(parse(node.status.allocatable.get("pods", "")) or 0)
        parts, shares = [], []
        for used, most, what in ((len(with_address), addresses, "addresses"), (len(pods), slots, "pod slots")):
            if most:
                parts.append(f"{used} of {most} {what} in use")
                shares.append((used / most, what))
        full = [what for share, what in shares if share >= NEARLY]
        if not addresses:
            parts.append("no pod range on the node, so its addresses are not known")
        seen = "; ".join(parts)
        rows.append(Row(Ref("Node", "", name), seen, not full if shares else None, f"below {NEARLY:.0%}"))
        if full:
            claim = f"Node {name} is nearly out of {' and '.join(full)}: {'; '.join(parts)}"
            following = "look for finished pods that keep addresses, or add nodes"
            conclusions.append(Conclusion(claim, Component("node", name), 0.85 if told else 0.6, following))
    if told and not conclusions:
        claim = f"{told} events say that no address is left, although the nodes' ranges are not full: the plug-in's own pool is empty"
        conclusions.append(Conclusion(claim, Component("network", "address pool"), 0.7, "look at the plug-in's pools and at the subnets"))
    return answer(plan, context, started, rows, conclusions, kinds=("Node", "Pod"))


_WORDS = (
    "no available ip", "no ip addresses available", "failed to allocate for range", "insufficient free ip", "failed to assign an ip",
)  # fmt: skip


def _addresses(cidr: str) -> int:
    try:
        return max(0, ipaddress.ip_network(cidr, strict=False).num_addresses - RESERVED) if cidr else 0
    except ValueError:
        return 0

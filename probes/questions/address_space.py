"""Pod addresses and pod slots left on each node, from the live state. Does not see the pools of
plug-ins."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.pods import is_finished
from cluster.kube.quantity import parse
from probes.context import ProbeContext, Progress
from probes.read_only import Findings, read_only_probe
from probes.result import Component, Conclusion, Row
from probes.select.surroundings import pod_ranges

NEARLY = 0.9
ENDLESS = 1 << 20
"""A range of more addresses is no limit for one node."""
RESERVED = 3
"""Addresses of a range that pods do not get: network, broadcast, bridge."""


async def look(context: ProbeContext, arguments: Mapping[str, str], progress: Progress) -> Findings:
    rows, conclusions = [], []
    exhausted = sum(
        1
        for e in context.store.rows("Event").values()
        if any(w in e.message.lower() for w in _WORDS)
    )
    for (_, name), node in sorted(context.store.rows("Node").items()):
        assert isinstance(node, Node)
        if arguments.get("node", name) != name:
            continue
        pods = [p for p in context.store.pods_on(name).values() if not is_finished(p)]
        with_address = [p for p in pods if isinstance(p, Pod) and not p.spec.host_network]
        ranges = pod_ranges(node)
        addresses = _addresses(ranges)
        slots = int(parse(node.status.allocatable.get("pods", "")) or 0)
        parts, shares = [], []
        for used, most, what in (
            (len(with_address), addresses, "addresses"),
            (len(pods), slots, "pod slots"),
        ):
            if most:
                parts.append(f"{used} of {most} {what} in use")
                shares.append((used / most, what))
        full = [what for share, what in shares if share >= NEARLY]
        if not addresses:
            parts.append(
                "its IPv6 range does not run out"
                if ranges
                else "no pod range on the node, so its addresses are not known"
            )
        seen = "; ".join(parts)
        rows.append(
            Row(Ref("Node", "", name), seen, not full if shares else None, f"below {NEARLY:.0%}")
        )
        if full:
            claim = f"Node {name} is nearly out of {' and '.join(full)}: {'; '.join(parts)}"
            following = "look for finished pods that keep addresses, or add nodes"
            conclusions.append(
                Conclusion(claim, Component("node", name), 0.85 if exhausted else 0.6, following)
            )
    if exhausted and not conclusions:
        claim = (
            f"{exhausted} events say that no address is left, although the nodes' ranges are not "
            "full: the plug-in's own pool is empty"
        )
        conclusions.append(
            Conclusion(
                claim,
                Component("network", "address pool"),
                0.7,
                "look at the plug-in's pools and at the subnets",
            )
        )
    return Findings(rows, conclusions)


_WORDS = (
    "no available ip",
    "no ip addresses available",
    "failed to allocate for range",
    "insufficient free ip",
    "failed to assign an ip",
)


def _addresses(ranges: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> int:
    """Addresses for pods in the smallest range, because a pod needs one of each family; 0 when no
    range can run out."""
    sizes = [network.num_addresses for network in ranges if network.num_addresses <= ENDLESS]
    return max(0, min(sizes) - RESERVED) if sizes else 0


PROBE = read_only_probe(
    "address-space",
    "Does every node have addresses and slots left for new pods?",
    {"node": "only this node"},
    look,
    kinds=("Node", "Pod"),
    method="ranges of the nodes against the pods there: plug-ins with pools of their own (cloud "
    "interfaces, Calico) are not seen",
)

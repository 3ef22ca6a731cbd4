"""Facts of the live state that judge a matrix: drifted agents, addresses of nodes, endpoints,
declared ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from cluster.kube.objects import Node, Pod, Service
from cluster.live.store import Store
from probes.inference.components import Surroundings
from probes.result import Cell
from probes.select.drift import drifts
from probes.select.labels import representative
from probes.select.service_ports import endpoints
from probes.select.targets import ready


def surroundings(store: Store, cells: Iterable[Cell]) -> Surroundings:
    """Facts for these cells. Only DaemonSets count as agents, because they enforce policy and
    routes on a node."""
    measured = tuple(cells)
    drifted: dict[str, str] = {}
    for drift in drifts(store):
        for node in drift.odd:
            drifted.setdefault(node, drift.sentence)
    services = {(c.target.namespace, c.target.service) for c in measured if c.target.service}
    counts: dict[str, int] = {}
    for namespace, name in services:
        service: Service | None = store.get("Service", namespace, name)
        if service is not None:
            counts[f"{namespace}/{name}"] = sum(
                1 for _, good, _ in endpoints(store, service) if good
            )
    declared: dict[str, tuple[int, ...]] = {}
    for cell in measured:
        pod: Pod | None = (
            store.get("Pod", cell.target.namespace, cell.target.pod) if cell.target.pod else None
        )
        if pod is not None:
            ports = tuple(
                p.container_port
                for c in pod.spec.containers
                for p in c.ports
                if (p.protocol or "TCP") == "TCP"
            )
            declared[f"{cell.target.namespace}/{cell.target.pod}"] = ports
    senders = {t.sender for c in measured for t in c.tries if t.sender}
    system = ("kube-system", "kube-public", "kube-node-lease")
    namespaces = tuple(
        n
        for n in sorted(n for _, n in store.rows("Namespace"))
        if n not in system and representative(store, n) is not None
    )
    nodes = tuple(n for n in sorted(n for _, n in store.rows("Node")) if ready(store, n))
    return Surroundings(
        drifted,
        {a: node for a in senders if (node := node_of(store, a))},
        counts,
        declared,
        namespaces,
        nodes,
    )


def node_of(store: Store, address: str) -> str:
    """The node of an address: by the node's own addresses, then by its range of pod addresses
    (bridge or tunnel)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    rows = [row for row in store.rows("Node").values() if isinstance(row, Node)]
    for row in rows:
        if any(_address(each.address) == ip for each in row.status.addresses):
            return row.metadata.name
    for row in rows:
        if any(ip in network for network in pod_ranges(row)):
            return row.metadata.name
    return ""


def pod_ranges(node: Node) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """A node's ranges of pod addresses, of both families; unreadable ones are left out."""
    found = []
    for text in node.spec.pod_cidrs or (node.spec.pod_cidr,):
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None  # a host name

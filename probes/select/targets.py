"""Chooses the smallest set of sources and targets that separates the components on the path.

Measuring all pairs would load a failing cluster; two or three sources and one pod for each node
separate "this node", "this namespace", "this node for this namespace", "this pod" and "this
Service" (`probes.inference.explanation`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.api.mode import MANAGED_BY
from cluster.kube.conditions import is_true
from cluster.kube.objects import Node, Pod, Service, ServicePort
from cluster.live.store import Store
from probes.result import Destination
from probes.select.labels import OWN
from probes.select.names import Unusable, check_dialled, port_number, split
from probes.select.service_ports import endpoints, service_port, target_port

MOST_NODES = 6
"""Target nodes that are measured in one run, suspects first."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The addresses that are dialled. `service`: where the addresses come from; the plan shows
    `notes`."""

    targets: tuple[Destination, ...]
    service: Service | None = None
    notes: tuple[str, ...] = ()


def ready(store: Store, node: str) -> bool:
    row: Node | None = store.get("Node", "", node)
    return row is not None and is_true(row.status.conditions, "Ready")


def open_to_pods(store: Store, node: str) -> bool:
    """Whether a node is Ready and no taint keeps pods away, apart from a cordon, which probe pods
    tolerate."""
    row: Node | None = store.get("Node", "", node)
    if row is None or not ready(store, node):
        return False
    return not any(
        t.effect in ("NoSchedule", "NoExecute") and t.key != "node.kubernetes.io/unschedulable"
        for t in row.spec.taints
    )


# ---- targets


def find_all_targets(store: Store, to: str, port: int = 0) -> Targets:
    """`find_targets` for several, separated by commas. Raises `Unusable`."""
    found = [find_targets(store, part, port) for part in to.split(",")]
    targets = tuple(dict.fromkeys(target for each in found for target in each.targets))
    return Targets(
        targets,
        found[0].service if len(found) == 1 else None,
        tuple(note for each in found for note in each.notes),
    )


def find_targets(store: Store, to: str, port: int = 0) -> Targets:
    """Addresses to dial for `NS`, `NS/SERVICE`, `NS/POD` or an IP address. Raises `Unusable`."""
    outside = _address(to, port)
    if outside is not None:
        return outside
    namespace, name = split(to, "The target")
    if name:
        service: Service | None = store.get("Service", namespace, name)
        if service is not None:
            return _of_service(store, service, port)
        pod: Pod | None = store.get("Pod", namespace, name)
        if pod is not None:
            return _of_pod(pod, port)
        check_namespace(store, namespace)
        raise Unusable(
            f"There is neither a Service nor a pod {namespace}/{name}; look at `kubectl get "
            f"service,pod -n {namespace}`."
        )
    check_namespace(store, namespace)
    return _of_namespace(store, namespace, port)


def check_namespace(store: Store, namespace: str) -> None:
    if store.get("Namespace", "", namespace) is None and not store.in_namespace("Pod", namespace):
        known = sorted(name for _, name in store.rows("Namespace"))
        near = [name for name in known if namespace in name or name in namespace][:3]
        raise Unusable(
            "There is no namespace "
            f"{namespace}{'; did you mean ' + ' or '.join(near) if near else ''}."
        )


def _address(text: str, port: int) -> Targets | None:
    """ADDRESS, ADDRESS:PORT, IPv6, [IPv6] or [IPv6]:PORT; None for other text."""
    text = text.strip()
    host, _, tail = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip = ipaddress.ip_address(bare)
    except ValueError:
        if "[" in text or "]" in text:
            raise Unusable(
                f"{text!r} is not an address; write IPv6 with its port as [fd00::1]:80."
            ) from None
        return None
    check_dialled(ip)
    number = port_number(tail, f"{ip}") if tail else port
    if not number:
        raise Unusable(f"Which port on {ip}? Add --port.")
    return Targets((Destination("", "", "", str(ip), number),))


def _of_service(store: Store, service: Service, port: int) -> Targets:
    meta, spec = service.metadata, service.spec
    if spec.type == "ExternalName":
        raise Unusable(
            f"Service {meta.namespace}/{meta.name} is an alias for {spec.external_name}, nothing "
            "in the cluster answers for it; "
            "probe that name with the dns probe, or give an address."
        )
    chosen = service_port(service, port)
    notes: list[str] = []
    pods: dict[str, tuple[Pod, int]] = {}
    backends = list(endpoints(store, service))
    for endpoint_pod, number in _numbers(backends, chosen):
        pods[endpoint_pod.metadata.name] = (endpoint_pod, number)
    ready_count = sum(1 for _, good, _ in backends if good)
    if not backends:
        notes.append(
            f"Service {meta.namespace}/{meta.name} has no endpoints: no pod matches its selector, "
            "or none has an address."
        )
    elif not ready_count:
        notes.append(
            f"Service {meta.namespace}/{meta.name} has no ready endpoint ({len(backends)} are not "
            "ready)."
        )
    targets = _one_for_each_node(store, list(pods.values()), notes)
    notes += _other_family(
        f"Service {meta.namespace}/{meta.name}", spec.cluster_ip, spec.cluster_ips
    )
    if any(pod.spec.host_network for pod, _ in pods.values()):
        notes.append(
            f"Pods of Service {meta.namespace}/{meta.name} use the node's network: NetworkPolicy "
            "is not defined for them."
        )
    if spec.cluster_ip and spec.cluster_ip != "None" and chosen.port:
        targets.append(Destination(meta.namespace, "", "", spec.cluster_ip, chosen.port, meta.name))
    if not targets:
        raise Unusable(
            f"Service {meta.namespace}/{meta.name} has no address of its own and no endpoints; "
            "there is nothing to dial."
        )
    return Targets(tuple(targets), service, tuple(notes))


def _numbers(
    backends: list[tuple[Pod | None, bool, dict[str, int]]], chosen: ServicePort
) -> list[tuple[Pod, int]]:
    found: list[tuple[Pod, int]] = []
    for pod, _, numbers in backends:
        if pod is None or not pod.status.pod_ip:
            continue
        number = (
            numbers.get(chosen.name)
            or (next(iter(numbers.values())) if len(numbers) == 1 else 0)
            or target_port(pod, chosen)
        )
        if number:
            found.append((pod, number))
    return found


def _of_pod(pod: Pod, port: int) -> Targets:
    meta = pod.metadata
    if not pod.status.pod_ip:
        where = f"on {pod.spec.node_name}" if pod.spec.node_name else "not placed on a node"
        phase = pod.status.phase or "no phase"
        raise Unusable(
            f"Pod {meta.namespace}/{meta.name} has no address ({phase}, {where}); nothing can be "
            "dialled."
        )
    number = port or next(
        (
            p.container_port
            for c in pod.spec.containers
            for p in c.ports
            if (p.protocol or "TCP") == "TCP"
        ),
        0,
    )
    if not number:
        raise Unusable(f"Pod {meta.namespace}/{meta.name} declares no port; which one? Add --port.")
    host = (
        f"Pod {meta.namespace}/{meta.name} uses the node's network: NetworkPolicy is not defined "
        "for it."
    )
    notes = [host] if pod.spec.host_network else []
    notes += _other_family(
        f"Pod {meta.namespace}/{meta.name}",
        pod.status.pod_ip,
        [each.ip for each in pod.status.pod_ips],
    )
    return Targets(
        (Destination(meta.namespace, pod.spec.node_name, meta.name, pod.status.pod_ip, number),),
        None,
        tuple(notes),
    )


def _other_family(name: str, dialled: str, addresses: Sequence[str]) -> list[str]:
    """A note about the other addresses of a dual-stack target."""
    others = [address for address in addresses if address not in ("", "None", dialled)]
    if not others or dialled in ("", "None"):
        return []
    return [
        f"{name} has two address families: {dialled} is measured, {', '.join(others)} is not; "
        "give that address to measure it."
    ]


def _of_namespace(store: Store, namespace: str, port: int) -> Targets:
    services = [
        s
        for _, s in sorted(store.in_namespace("Service", namespace).items())
        if isinstance(s, Service)
    ]
    usable: list[tuple[int, Service]] = []
    for service in services:
        if service.spec.type == "ExternalName" or not any(
            (p.protocol or "TCP") == "TCP" for p in service.spec.ports
        ):
            continue
        if port and not any(port in (p.port, p.target_port) for p in service.spec.ports):
            continue
        usable.append((sum(1 for _ in endpoints(store, service)), service))
    if usable:
        # The Service with the most endpoints says the most about the nodes; equal ones by name.
        _, chosen = min(usable, key=lambda pair: (-pair[0], pair[1].metadata.name))
        found = _of_service(store, chosen, port)
        if len(usable) > 1:
            name = f"{namespace}/{chosen.metadata.name}"
            return Targets(
                found.targets,
                chosen,
                (*found.notes, f"{len(usable)} Services in {namespace}: {name} is measured."),
            )
        return found
    pods = [
        (pod, number)
        for _, pod in sorted(store.in_namespace("Pod", namespace).items())
        if isinstance(pod, Pod)
        and pod.status.pod_ip
        and pod.status.phase == "Running"
        and pod.metadata.labels.get(MANAGED_BY) != OWN
        if (
            number := port
            or next((p.container_port for c in pod.spec.containers for p in c.ports), 0)
        )
    ]
    if not pods:
        what = f"on port {port} " if port else ""
        raise Unusable(
            f"Namespace {namespace} has neither a Service nor a running pod {what}that declares a "
            "port; give NS/POD and --port."
        )
    notes: list[str] = []
    return Targets(tuple(_one_for_each_node(store, pods, notes)), None, tuple(notes))


def _one_for_each_node(
    store: Store, pods: list[tuple[Pod, int]], notes: list[str]
) -> list[Destination]:
    """One pod for each node, youngest nodes first, because those are most likely to differ. Two
    pods when only one node has any."""
    by_node: dict[str, list[tuple[Pod, int]]] = {}
    for pod, number in sorted(
        pods, key=lambda pair: (pair[0].status.phase != "Running", pair[0].metadata.name)
    ):
        by_node.setdefault(pod.spec.node_name, []).append((pod, number))

    def age(node: str) -> tuple[float, str]:
        row: Node | None = store.get("Node", "", node)
        created = row.metadata.creation_timestamp if row is not None else None
        return (-(created.timestamp() if created else 0.0), node)

    order = sorted(by_node, key=age)
    if len(order) > MOST_NODES:
        # The oldest node stays as the reference.
        left_out = len(order) - MOST_NODES
        order = [*order[: MOST_NODES - 1], order[-1]]
        notes.append(
            f"{left_out} more nodes have such pods: the youngest {MOST_NODES - 1} and the oldest "
            "are measured."
        )
    each = 1 if len(order) > 1 else 2
    return [
        Destination(pod.metadata.namespace, node, pod.metadata.name, pod.status.pod_ip, number, "")
        for node in order
        for pod, number in by_node[node][:each]
    ]


# ---- sources


def interleaved(targets: Iterable[Destination]) -> tuple[tuple[Destination, ...], int]:
    """Targets in an order that spreads each node out, and how many steps lie between two on the
    same node (at least 1)."""
    lanes: dict[str, list[Destination]] = {}
    for target in targets:
        lanes.setdefault(target.node or target.address, []).append(target)
    rows = max((len(lane) for lane in lanes.values()), default=0)
    order = [lane[i] for i in range(rows) for lane in lanes.values() if i < len(lane)]
    last: dict[str, int] = {}
    nearest = len(order) or 1
    for index, target in enumerate([*order, *order]):
        key = target.node or target.address
        if key in last:
            nearest = min(nearest, index - last[key])
        last[key] = index
    return tuple(order), max(1, nearest)

"""Chooses the smallest set of sources and targets that separates the components on the path.

Measuring all pairs would load a failing cluster; two or three sources and one pod for each node
separate "this node", "this namespace", "this node for this namespace", "this pod" and "this
Service" (`probes.inference.explanation`).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.api.mode import MANAGED_BY
from cluster.kube.conditions import is_true
from cluster.kube.objects import EndpointSlice, Node, Pod, Service, ServicePort
from cluster.live.store import Store
from probes.result import Destination
from probes.select.image import choices
from probes.select.labels import OWN, representative

MOST_NODES = 6
"""Target nodes that are measured in one run, suspects first."""
NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")


class Unusable(ValueError):
    """The request cannot be measured; `str()` is one sentence with an alternative."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place to measure from. `client`: the pod that it represents; `role`: why it is in the
    plan."""

    namespace: str
    node: str
    client: Pod | None
    role: str


@dataclass(frozen=True, slots=True)
class Targets:
    """The addresses that are dialled. `service`: where the addresses come from; the plan shows
    `notes`."""

    targets: tuple[Destination, ...]
    service: Service | None = None
    notes: tuple[str, ...] = ()


def split(text: str, what: str) -> tuple[str, str]:
    """`NAMESPACE` or `NAMESPACE/NAME`. Raises `Unusable`."""
    namespace, _, name = text.strip().partition("/")
    for part in (namespace, name):
        if part and not NAME.match(part):
            raise Unusable(
                f"{what} {text!r} is not a Kubernetes name; write NAMESPACE or NAMESPACE/NAME."
            )
    if not namespace:
        raise Unusable(f"{what} is empty; write NAMESPACE or NAMESPACE/NAME.")
    return namespace, name


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
        _check_namespace(store, namespace)
        raise Unusable(
            f"There is neither a Service nor a pod {namespace}/{name}; look at `kubectl get "
            f"service,pod -n {namespace}`."
        )
    _check_namespace(store, namespace)
    return _of_namespace(store, namespace, port)


def _check_namespace(store: Store, namespace: str) -> None:
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


def check_dialled(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Raises `Unusable` for an address that a pod cannot dial, or that is the pod itself."""
    if ip.is_loopback:
        raise Unusable(
            f"{ip} is each pod itself; how=port-forward with to=NAMESPACE/POD asks on the inside "
            "of a pod."
        )
    if ip.is_unspecified or ip.is_multicast or (ip.version == 6 and ip.is_link_local):
        raise Unusable(
            f"{ip} is not an address that can be dialled from a pod; give a pod, a Service or one "
            "machine's address."
        )


def port_number(text: str, where: str) -> int:
    """A TCP port. Raises `Unusable`."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise Unusable(f"{text!r} is not a port on {where}; give a number from 1 to 65535.")
    return int(text)


def _of_service(store: Store, service: Service, port: int) -> Targets:
    meta, spec = service.metadata, service.spec
    if spec.type == "ExternalName":
        raise Unusable(
            f"Service {meta.namespace}/{meta.name} is an alias for {spec.external_name}, nothing "
            "in the cluster answers for it; "
            "probe that name with the dns probe, or give an address."
        )
    chosen = _service_port(service, port)
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


def _service_port(service: Service, port: int) -> ServicePort:
    meta = service.metadata
    tcp = [p for p in service.spec.ports if (p.protocol or "TCP") == "TCP"]
    if not tcp:
        raise Unusable(
            f"Service {meta.namespace}/{meta.name} has no TCP port; only TCP is measured."
        )
    for each in tcp:
        if port in (each.port, each.target_port):
            return each
    if port:
        listed = ", ".join(str(p.port) for p in tcp)
        raise Unusable(f"Service {meta.namespace}/{meta.name} has no port {port}; it has {listed}.")
    return tcp[0]


def endpoints(store: Store, service: Service) -> Iterable[tuple[Pod | None, bool, dict[str, int]]]:
    """(pod, ready, port numbers by name) of each endpoint, from the EndpointSlices."""
    meta = service.metadata
    rows = store.in_namespace("EndpointSlice", meta.namespace)
    for _, row in sorted(rows.items()):
        if (
            not isinstance(row, EndpointSlice)
            or row.metadata.labels.get("kubernetes.io/service-name") != meta.name
        ):
            continue
        numbers = {(p.name or ""): p.port for p in row.ports if p.port}
        for endpoint in row.endpoints:
            reference = endpoint.target_ref
            pod: Pod | None = (
                store.get("Pod", reference.namespace or meta.namespace, reference.name)
                if reference
                else None
            )
            if pod is not None and pod.metadata.labels.get(MANAGED_BY) == OWN:
                continue
            yield pod, endpoint.conditions.ready is not False, numbers


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


def target_port(pod: Pod, port: ServicePort) -> int:
    """The number behind a Service's targetPort on one pod; 0 when it is a name that the pod does
    not have."""
    if isinstance(port.target_port, int):
        return port.target_port or port.port
    return next(
        (
            p.container_port
            for c in pod.spec.containers
            for p in c.ports
            if (p.name, p.protocol or "TCP") == (port.target_port, port.protocol or "TCP")
        ),
        0,
    )


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


def find_all_sources(
    store: Store, from_: str, targets: Targets, *, control: str = ""
) -> tuple[Source, ...]:
    """`find_sources` for several, separated by commas; only the first gets a control. Raises
    `Unusable`."""
    first, *others = from_.split(",")
    found = list(find_sources(store, first, targets, control=control or ("none" if others else "")))
    for other in others:
        known = {(each.namespace, each.node) for each in found}
        found += [
            s
            for s in find_sources(store, other, targets, control="none")
            if (s.namespace, s.node) not in known
        ]
    return tuple(found)


def find_sources(
    store: Store, from_: str, targets: Targets, *, control: str = ""
) -> tuple[Source, ...]:
    """Sources for `NS` or `NS/POD`: the client's node, a second node, and a control namespace on
    the first. Raises `Unusable`.

    `control`: a namespace, "none", or "" for the target's namespace, or another one when both are
    the same.
    """
    namespace, name = split(from_, "The source")
    client: Pod | None
    if name:
        client = store.get("Pod", namespace, name)
        if client is None:
            _check_namespace(store, namespace)
            raise Unusable(
                f"There is no pod {namespace}/{name}; look at `kubectl get pod -n {namespace}`, "
                "or give the namespace alone."
            )
    else:
        _check_namespace(store, namespace)
        client = representative(store, namespace)
    usable = [
        node for node in sorted(n for _, n in store.rows("Node")) if open_to_pods(store, node)
    ]
    if not usable and client is None:
        raise Unusable(
            "No node is Ready and there is no running pod in the source namespace; nothing can "
            "measure from there."
        )
    first = client.spec.node_name if client is not None else ""
    if not name and first not in usable:
        with_image = [
            node for node in usable if any(c.on_node for c in choices(store, node, client))
        ]
        first = (with_image or usable or [first])[0]
    found = [Source(namespace, first or usable[0], client, "the client")]
    target_nodes = [t.node for t in targets.targets if t.node in usable]
    others = [node for node in dict.fromkeys([*target_nodes, *usable]) if node != found[0].node]
    # A node that has an image comes first, because it needs no registry.
    second = next(
        (
            node
            for node in others
            if any(c.on_node for c in choices(store, node, representative(store, namespace, node)))
        ),
        "",
    )
    second = second or (others[0] if others else "")
    if second:
        found.append(
            Source(
                namespace,
                second,
                representative(store, namespace, second) or client,
                "same namespace, another node",
            )
        )
    other = _control(store, namespace, targets, control)
    if other:
        here = representative(store, other, found[0].node)
        found.append(Source(other, found[0].node, here, "control: another namespace, same node"))
    return tuple(found)


def _control(store: Store, namespace: str, targets: Targets, wanted: str) -> str:
    if wanted == "none":
        return ""
    if wanted:
        control, _ = split(wanted, "The control namespace")
        _check_namespace(store, control)
        return control
    goal = next((t.namespace for t in targets.targets if t.namespace), "")
    if goal and goal != namespace:
        return goal
    names = sorted(n for _, n in store.rows("Namespace"))
    system = ("kube-system", "kube-public", "kube-node-lease", namespace)
    populated = [n for n in names if n not in system and representative(store, n) is not None]
    return (
        populated[0]
        if populated
        else ("default" if "default" in names and namespace != "default" else "")
    )


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

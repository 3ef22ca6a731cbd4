"""The path from this workstation to what users reach: name, load balancer, node ports, pods.

Each hop is measured by itself, because a load balancer may hide failing backends behind retries or
pass traffic on when no backend is healthy. The innermost failing hop is at fault.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from cluster.kube.objects import Ingress, Node, Ref, Service, ServicePort
from probes.context import ProbeContext
from probes.http_probe import HttpAnswer, probe_http
from probes.questions.api_server_paths import proxied
from probes.read_only import map_bounded
from probes.result import (
    Component,
    Conclusion,
    Destination,
    ResultClass,
    Row,
    Try,
    not_measured,
)
from probes.select.names import Unusable, split
from probes.select.targets import find_targets

MOST = 6
"""Nodes and addresses measured at each hop."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """An Ingress or Service that is reachable from outside. `hosts`: names of the Ingress without
    wildcards; `addresses`: of the load balancer; `service`: the Service behind it."""

    ref: Ref
    service: Service
    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    secure: bool


def find(context: ProbeContext, to: str) -> EntryPoint:
    """`NAMESPACE/NAME` of an Ingress, or of a Service of type LoadBalancer or NodePort. Raises
    `Unusable`."""
    namespace, name = split(to, "The entry point")
    ingress: Ingress | None = context.store.get("Ingress", namespace, name)
    service: Service | None = context.store.get("Service", namespace, name)
    if ingress is not None:
        behind = [
            p.backend.service.name
            for rule in ingress.spec.rules
            if rule.http
            for p in rule.http.paths
            if p.backend.service
        ]
        service = next(
            (
                s
                for n in behind
                if isinstance(s := context.store.get("Service", namespace, n), Service)
            ),
            None,
        )
        if service is None:
            raise Unusable(f"Ingress {to} leads to no Service that exists; correct its backend.")
        hosts = tuple(
            dict.fromkeys(
                rule.host for rule in ingress.spec.rules if rule.host and "*" not in rule.host
            )
        )
        found = tuple(i.ip or i.hostname for i in ingress.status.load_balancer.ingress)
        return EntryPoint(
            Ref("Ingress", namespace, name), service, hosts, found, bool(ingress.spec.tls)
        )
    if service is None or service.spec.type not in ("LoadBalancer", "NodePort"):
        raise Unusable(
            f"{to} is no Ingress and no Service of type LoadBalancer or NodePort; look at `stanch "
            "probe exposure`."
        )
    found = tuple(i.ip or i.hostname for i in service.status.load_balancer.ingress)
    return EntryPoint(Ref("Service", namespace, name), service, (), found, False)


@dataclass(frozen=True, slots=True)
class Hop:
    """Result of one hop. `well` None: not known (not measured, or a firewall may be in front)."""

    stage: str
    where: str
    words: str
    well: bool | None


async def measure_hops(context: ProbeContext, entry: EntryPoint) -> list[Hop]:
    """All hops, outermost first."""
    hops = [hop for host in entry.hosts[:2] for hop in await _names(host, entry)]
    ports = [p for p in entry.service.spec.ports if (p.protocol or "TCP") == "TCP"]
    if entry.ref.kind == "Ingress":
        dialled = [
            (address, 443 if entry.secure else 80, entry.secure) for address in entry.addresses
        ]
    else:
        dialled = [
            (address, port.port, _is_secure(port))
            for address in entry.addresses
            for port in ports[:2]
        ]

    async def ask(what: tuple[str, int, bool]) -> Hop:
        answer = await probe_http(
            what[0], what[1], host=entry.hosts[0] if entry.hosts else "", tls=what[2]
        )
        return Hop(
            "load-balancer",
            f"{what[0]}:{what[1]}",
            answer.words,
            answer.well or (answer.verdict is ResultClass.OK and not answer.status),
        )

    hops += await map_bounded(dialled[:MOST], ask)
    hops += await _node_ports(context, ports)
    return hops + await _pods(context, entry)


async def _names(host: str, entry: EntryPoint) -> list[Hop]:
    try:
        async with asyncio.timeout(4):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, None, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        return [Hop("dns", host, "no name server answered", False)]
    except (OSError, ValueError) as error:  # ValueError: no name that DNS can have
        why = getattr(error, "strerror", None) or error
        return [Hop("dns", host, f"cannot be resolved ({why})", False)]
    addresses = sorted({str(item[4][0]) for item in found})
    known = {address for address in entry.addresses if _is_address(address)}
    shown = f"is {', '.join(addresses[:4])}"
    if known and not known & set(addresses):
        # A CDN or proxy may be in front on purpose.
        return [Hop("dns", host, f"{shown}, the balancer is {', '.join(sorted(known)[:4])}", None)]
    return [Hop("dns", host, shown, True)]


async def _node_ports(context: ProbeContext, ports: Sequence[ServicePort]) -> list[Hop]:
    nodes = [
        (n.metadata.name, a.address)
        for n in context.store.all("Node", Node)
        for a in n.status.addresses
        if a.type == "InternalIP"
    ]
    asked = [
        (name, address, port.node_port, _is_secure(port))
        for name, address in nodes[:MOST]
        for port in ports[:1]
        if port.node_port
    ]

    async def ask(what: tuple[str, str, int, bool]) -> Hop:
        name, address, number, tls = what
        answer = await probe_http(address, number, tls=tls)
        return Hop("node-port", f"{name} {address}:{number}", answer.words, _node_port_well(answer))

    return await map_bounded(asked, ask)


def _node_port_well(answer: HttpAnswer) -> bool | None:
    """A time-out says nothing: node addresses are seldom reachable from a workstation."""
    if answer.verdict in (ResultClass.TIMEOUT_CONNECT, ResultClass.UNREACHABLE):
        return None
    return answer.well or (answer.verdict is ResultClass.OK and not answer.status)


async def _pods(context: ProbeContext, entry: EntryPoint) -> list[Hop]:
    meta = entry.service.metadata
    try:
        targets = find_targets(context.store, f"{meta.namespace}/{meta.name}").targets
    except Unusable as error:
        return [Hop("pod", f"{meta.namespace}/{meta.name}", str(error), False)]
    pods = [target for target in targets if target.pod][:MOST]
    if not pods:
        return [
            Hop("pod", f"{meta.namespace}/{meta.name}", "no ready pod behind the Service", False)
        ]

    async def ask(target: Destination) -> Hop:
        one: Try = await proxied(context, target)
        well = (
            None
            if one.verdict is ResultClass.NOT_MEASURED
            else one.verdict is ResultClass.OK and "HTTP 5" not in one.detail
        )
        return Hop(
            "pod",
            f"{target.pod} on {target.node}:{target.port}",
            f"{one.verdict.value} ({one.detail})",
            well,
        )

    return await map_bounded(pods, ask)


def rows(hops: Sequence[Hop]) -> list[Row]:
    return [Row(Ref("Hop", "", hop.stage), f"{hop.where}: {hop.words}", hop.well) for hop in hops]


def conclude(entry: EntryPoint, hops: Sequence[Hop]) -> list[Conclusion]:
    """The innermost failing stage; failures further out follow from it."""
    name = f"{entry.service.metadata.namespace}/{entry.service.metadata.name}"

    def split(stage: str) -> tuple[list[Hop], list[Hop]]:
        return [h for h in hops if h.stage == stage and h.well is False], [
            h for h in hops if h.stage == stage and h.well
        ]

    bad, good = split("pod")
    evidence = tuple(f"{hop.stage} {hop.where}: {hop.words}" for hop in hops if hop.well is False)[
        :6
    ]
    if bad and not good:
        claim = f"No pod behind {name} answers well"
        following = "its pods' readiness, logs and ports; then the connectivity probe"
        return [Conclusion(claim, Component("service", name), 0.8, following, evidence)]
    if bad:
        claim = (
            f"{len(bad)} of {len(bad) + len(good)} pods behind {name} do not answer well: users "
            "see a share of errors"
        )
        return [
            Conclusion(
                claim,
                Component("pod", f"{entry.service.metadata.namespace}/{bad[0].where.split()[0]}"),
                0.75,
                "",
                evidence,
            )
        ]
    bad, good = split("node-port")
    if bad and good:
        nodes = sorted(hop.where.split()[0] for hop in bad)
        on_purpose = entry.service.spec.external_traffic_policy == "Local"
        local = (
            " (externalTrafficPolicy Local: nodes without a pod refuse on purpose)"
            if on_purpose
            else ""
        )
        claim = f"The node port answers on some nodes and not on {', '.join(nodes)}{local}"
        confidence = 0.4 if local else 0.75
        return [
            Conclusion(
                claim,
                Component("node", nodes[0]),
                confidence,
                f"kube-proxy and firewall on {nodes[0]}",
                evidence,
            )
        ]
    if bad:
        claim = f"The pods of {name} answer, its node port on no node: kube-proxy or a firewall"
        return [
            Conclusion(
                claim,
                Component("service", name),
                0.6,
                "kube-proxy on the nodes, then the firewall before them",
                evidence,
            )
        ]
    bad, good = split("load-balancer")
    if bad:
        claim = (
            "The pods answer, the balancer does not: "
            f"{'; '.join(f'{h.where} {h.words}' for h in bad[:3])}"
        )
        following = (
            "the balancer's health checks and its backends; the ingress controller's pods and logs"
        )
        return [
            Conclusion(
                claim,
                Component("load-balancer", bad[0].where),
                0.75 if not good else 0.6,
                following,
                evidence,
            )
        ]
    bad, _ = split("dns")
    if bad:
        claim = (
            f"Everything behind answers, the name does not resolve: {bad[0].where} {bad[0].words}"
        )
        return [
            Conclusion(
                claim, Component("dns", bad[0].where), 0.85, "the DNS record and its zone", evidence
            )
        ]
    if not [hop for hop in hops if hop.well]:
        return [not_measured("no hop could be measured", "see the rows")]
    return []


def _is_secure(port: ServicePort) -> bool:
    return port.port in (443, 8443) or "https" in port.name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

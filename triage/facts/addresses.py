"""The Service that an address in a program's message means, and whether it can answer."""

from __future__ import annotations

import enum
import ipaddress
import re
from functools import partial

import msgspec
from rapidfuzz.distance import OSA

from cluster.kube.objects import Ref, Service
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.scaled_away import behind
from triage.logs.address import Address


class Standing(enum.StrEnum):
    """What the cluster says of an address."""

    ITSELF = "itself"
    """The container asks its own pod."""
    OUTSIDE = "outside"
    """No name or address of the cluster."""
    NO_SERVICE = "no-service"
    """A name of the cluster that no Service has."""
    NO_PORT = "no-port"
    """The Service does not have the port."""
    NO_ENDPOINT = "no-endpoint"
    """The Service has no ready pod."""
    READY = "ready"
    """The Service has the port and ready pods."""


class Resolved(msgspec.Struct, frozen=True):
    """`service` is the Service that is meant, even when it does not exist. `says` is the cluster's
    answer in words, "" for none. `near`: a Service that does not exist has its name elsewhere, or
    nearly."""

    standing: Standing
    service: Ref | None = None
    says: str = ""
    near: bool = False


def resolve(address: Address, namespace: str, view: ClusterView) -> Resolved:
    """Resolve an address that a container of `namespace` uses, by the rules of cluster DNS
    (Kubernetes, DNS for Services and Pods) and the addresses of Services."""
    ip = _ip(address.host)
    if address.host.lower() == "localhost" or (ip is not None and ip.is_loopback):
        return Resolved(Standing.ITSELF, None, "that is the pod itself")
    if ip is not None:
        found = next(
            (
                row
                for row in view.store.all("Service", Service)
                if str(ip) in (row.spec.cluster_ip, *row.spec.cluster_ips)
            ),
            None,
        )
        return Resolved(Standing.OUTSIDE) if found is None else _compared(found, address, view)
    ref = _meant(address.host, namespace, view)
    if ref is None:
        return Resolved(Standing.OUTSIDE)
    row = view.store.get(*ref)
    if isinstance(row, Service):
        return _compared(row, address, view)
    if not view.readable("Service"):
        return Resolved(Standing.OUTSIDE)
    return _missing(ref, namespace, view)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(host: str, namespace: str, view: ClusterView) -> Ref | None:
    """The Service that a name means: `db`, `db.shop`, `db.shop.svc`, `db-0.db.shop.svc…`; None for
    a name outside the cluster."""
    labels = host.lower().rstrip(".").split(".")
    if len(labels) == 1:
        return Ref("Service", namespace, labels[0])
    if "svc" in labels[2:]:
        at = labels.index("svc", 2)
        return Ref("Service", labels[at - 1], labels[at - 2])
    if len(labels) == 2:
        if view.store.get("Service", namespace, labels[1]) is not None:
            return Ref("Service", namespace, labels[1])  # a pod of a headless Service
        if view.store.get("Namespace", "", labels[1]) is not None:
            return Ref("Service", labels[1], labels[0])
    elif len(labels) == 3 and view.store.get("Service", labels[2], labels[1]) is not None:
        return Ref("Service", labels[2], labels[1])
    return None


def _missing(ref: Ref, namespace: str, view: ClusterView) -> Resolved:
    """What is nearest to a Service that does not exist, named by a container of `namespace`."""
    elsewhere = view.service_namespaces.get(ref.name)
    says, near = f"there is no Service {ref.name} in namespace {ref.namespace}", True
    if (
        ref.namespace != namespace
        and view.readable("Namespace")
        and view.store.get("Namespace", "", ref.namespace) is None
    ):
        says = f"there is no namespace {ref.namespace}"
        says += f" (Service {ref.name} is in {min(elsewhere)})" if elsewhere else ""
    elif elsewhere:
        says += f", but one in {min(elsewhere)}"
    else:
        here = sorted(name for _, name in view.store.in_namespace("Service", ref.namespace))
        alike = [each for each in here if is_misspelt(ref.name, each)]
        near = bool(alike)
        if near:
            says += f", the nearest is {min(alike, key=partial(OSA.distance, ref.name))}"
    return Resolved(Standing.NO_SERVICE, ref, says, near)


_GENERIC = re.compile(r"[-.]?(services?|svc|servers?|api|app|db|database)$")
"""The end of a name that tells little: half of the Services of a cluster may have it."""


def is_misspelt(name: str, existing: str) -> bool:
    """Whether a name that leads nowhere is nearly that of a Service: one letter in six differs, or
    one of them has a word more at its end. What both have as a generic end does not count:
    `shoppingassistantservice` is not `shippingservice`."""
    if name.startswith(f"{existing}-") or existing.startswith(f"{name}-"):
        return True
    bare, other = (_GENERIC.sub("", each) or each for each in (name, existing))
    return OSA.distance(bare, other) <= max(1, max(len(bare), len(other)) // 6)


def _compared(row: Service, address: Address, view: ClusterView) -> Resolved:
    ref = Ref("Service", row.metadata.namespace, row.metadata.name)
    ports = [port.port for port in row.spec.ports]
    headless = row.spec.cluster_ip == "None"
    if address.port and ports and not headless and address.port not in ports:
        has = ", ".join(map(str, ports))
        return Resolved(Standing.NO_PORT, ref, f"Service {ref.name} has port {has}")
    if row.spec.external_name:
        says = f"Service {ref.name} leads out to {row.spec.external_name}"
        return Resolved(Standing.READY, ref, says)
    if not view.readable("EndpointSlice"):
        return Resolved(Standing.READY, ref)
    ready = sum(
        each.conditions.ready is not False
        for part in view.slices_of(ref.namespace, ref.name)
        for each in part.endpoints
    )
    if not ready:
        idle = next((ref_of(each) for each in behind(row, view) if not each.spec.replicas), None)
        why = f"{idle} is scaled to 0" if idle else f"Service {ref.name} has no ready pod"
        if not idle and not view.selected(row):
            why = f"no pod matches the selector of Service {ref.name}"
        return Resolved(Standing.NO_ENDPOINT, ref, why)
    return Resolved(Standing.READY, ref)

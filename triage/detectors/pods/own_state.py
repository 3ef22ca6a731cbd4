"""What the state of a pod adds to the sentence that decides in its log.

Whom it asks for names, what else listens on its port, and what configures the peer that the
sentence leaves out."""

from __future__ import annotations

import ipaddress
import re

from cluster.kube.objects import Container, Pod, Service
from triage.facts.addresses import Resolved, Standing
from triage.facts.cluster_view import ClusterView
from triage.facts.messages.wording import first_two
from triage.logs.classify import Classification

_LOOKED_UP = frozenset({"name-not-found", "unreachable"})
_OF_PEER = frozenset({"unreachable", "credentials-refused", "too-many-connections"})
_PORT = re.compile(r"\bport \D{0,12}(\d{2,5})\b|:(\d{2,5})\b", re.IGNORECASE)
_SERVERS = re.compile(
    r"mysql|maria|postgres|\bpg\b|redis|mongo|rabbit|amqp|kafka|elastic|nacos|\bdb\b|database",
    re.IGNORECASE,
)
_DATABASE = re.compile(
    r"access denied for user|password authentication|sqlstate|jdbc", re.IGNORECASE
)
_SIDECAR = re.compile(r"proxy|sidecar|istio|linkerd|mesh|envoy|dapr", re.IGNORECASE)


def adds(
    pod: Pod, container: str, said: Classification, resolved: Resolved | None, view: ClusterView
) -> str:
    """The words that the pod's own state adds, "" for none."""
    if said.class_ == "port-in-use":
        held = _holder(pod, container, said.sentence)
        return f": {held}" if held else ""
    if said.class_ in _LOOKED_UP and (other := foreign_resolver(pod, view)):
        inside = resolved is None or resolved.standing != Standing.ITSELF
        if inside and (said.class_ == "name-not-found" or said.address is None):
            return f": {other}"
    if said.class_ in _OF_PEER and said.address is None:
        return _configured(pod, container, said.sentence)
    return ""


def foreign_resolver(pod: Pod, view: ClusterView) -> str:
    """Why the name servers of a pod know no Service, "" where they are those of the cluster.
    Kubernetes documentation, DNS for Services and Pods: `None` asks only those of `dnsConfig`,
    `Default` those of the node, and so does `ClusterFirst` with the network of the host."""
    spec = pod.spec
    if spec.dns_policy == "None":
        servers = spec.dns_config.nameservers if spec.dns_config is not None else ()
        known = _addresses_of_services(view)
        if not servers or any(one in known or _is_local(one) for one in servers):
            return ""
        kind = "name server" if len(servers) == 1 else "name servers"
        which = "which is no Service" if len(servers) == 1 else "which are no Services"
        return (
            f"the pod asks the {kind} {', '.join(servers)} (dnsPolicy None), {which} of the cluster"
        )
    if spec.dns_policy == "Default":
        return (
            "the pod asks the name servers of its node (dnsPolicy Default), which know no Service"
        )
    if spec.dns_policy == "ClusterFirst" and spec.host_network:
        return (
            "the pod asks the name servers of its node (hostNetwork without dnsPolicy "
            "ClusterFirstWithHostNet), which know no Service"
        )
    return ""


def _addresses_of_services(view: ClusterView) -> set[str]:
    rows = view.store.all("Service", Service)
    return {ip for row in rows for ip in (row.spec.cluster_ip, *row.spec.cluster_ips) if ip}


def _is_local(server: str) -> bool:
    """Of a cache on the node (NodeLocal DNSCache listens on a link-local address)."""
    try:
        ip = ipaddress.ip_address(server)
    except ValueError:
        return True
    return ip.is_link_local or ip.is_loopback


def _holder(pod: Pod, container: str, sentence: str) -> str:
    """The container of the same pod that uses the port: all share the pod's network."""
    found = _PORT.search(sentence)
    port = int(found[1] or found[2]) if found else 0
    sidecars = [c for c in pod.spec.init_containers if c.restart_policy == "Always"]
    others = [c for c in (*pod.spec.containers, *sidecars) if c.name != container]
    if not port or not others:
        return ""
    declared = [c.name for c in others if port in _ports_of(c)]
    if declared:
        return f"container {first_two(declared)} of the same pod uses port {port}"
    proxies = [c.name for c in others if _SIDECAR.search(c.name)] or [c.name for c in others]
    for key, value in sorted(pod.metadata.annotations.items()):
        if _SIDECAR.search(key) and re.search(rf"(?<!\d){port}(?!\d)", value):
            return f"annotation {key} gives port {port} to {first_two(proxies)} of the same pod"
    return f"{first_two([c.name for c in others])} of the same pod shares its ports"


def _ports_of(container: Container) -> set[int]:
    probes = (container.liveness_probe, container.readiness_probe, container.startup_probe)
    targets = [p.target for p in probes if p is not None]
    return {
        *(p.container_port for p in container.ports),
        *(t.port for t in targets if t is not None and isinstance(t.port, int)),
    }


def _configured(pod: Pod, container: str, sentence: str) -> str:
    """The only Secret of the container whose name speaks of the server in the sentence. Only names
    are read."""
    row = next(
        (c for c in (*pod.spec.containers, *pod.spec.init_containers) if c.name == container), None
    )
    asked = {word.lower() for word in _SERVERS.findall(sentence)}
    if row is None or not (asked or _DATABASE.search(sentence)):
        return ""
    names = {e.secret_ref.name for e in row.env_from if e.secret_ref is not None}
    names |= {
        e.value_from.secret_key_ref.name
        for e in row.env
        if e.value_from is not None and e.value_from.secret_key_ref is not None
    }
    fits = sorted(
        name
        for name in names
        if (words := {w.lower() for w in _SERVERS.findall(name.replace("-", " "))})
        and (not asked or words & asked or words & {"db", "database"})
    )
    return f" (configured by Secret {fits[0]})" if len(fits) == 1 else ""

"""Evaluates NetworkPolicy (networking.k8s.io/v1) as written: whether a connection should succeed.

Rules from the API documentation: policies are additive; a pod selected by no policy of a
direction is open in that direction; both ends must agree; ipBlock is for addresses outside of pods
(for pod addresses it depends on the plug-in); hostNetwork pods are undefined. AdminNetworkPolicy
and the plug-ins' own kinds are not evaluated; their presence is reported.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cluster.kube.objects import (
    IPBlock,
    Namespace,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    PartialObject,
    Pod,
)
from cluster.kube.selectors import matches
from cluster.live.store import Store
from probes.result import Expectation

OTHER_POLICY_KINDS = {
    "adminnetworkpolicies.policy.networking.k8s.io": "AdminNetworkPolicy",
    "baselineadminnetworkpolicies.policy.networking.k8s.io": "BaselineAdminNetworkPolicy",
    "clusternetworkpolicies.policy.networking.k8s.io": "ClusterNetworkPolicy",
    "ciliumnetworkpolicies.cilium.io": "CiliumNetworkPolicy",
    "ciliumclusterwidenetworkpolicies.cilium.io": "CiliumClusterwideNetworkPolicy",
    "networkpolicies.crd.projectcalico.org": "Calico NetworkPolicy",
    "globalnetworkpolicies.crd.projectcalico.org": "Calico GlobalNetworkPolicy",
    "networkpolicies.projectcalico.org": "Calico NetworkPolicy",
    "clusternetworkpolicies.crd.antrea.io": "Antrea ClusterNetworkPolicy",
    "networkpolicies.crd.antrea.io": "Antrea NetworkPolicy",
    "authorizationpolicies.security.istio.io": "Istio AuthorizationPolicy",
}
"""CustomResourceDefinitions whose objects can forbid connections and are not evaluated here."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: a pod by its labels, which need not exist yet, or an outside
    address."""

    namespace: str = ""
    labels: Mapping[str, str] | None = None
    """None: not a pod."""
    address: str = ""
    host_network: bool = False
    ports: Mapping[tuple[str, str], int] | None = None
    """Container ports by name and protocol, for policies that name them."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict, the reason, and the policies that decide ("namespace/name")."""

    verdict: Expectation
    why: str
    policies: tuple[str, ...] = ()


def end_of(pod: Pod) -> End:
    ports = {
        (p.name, p.protocol or "TCP"): p.container_port
        for c in pod.spec.containers
        for p in c.ports
        if p.name
    }
    return End(
        pod.metadata.namespace, pod.metadata.labels, pod.status.pod_ip, pod.spec.host_network, ports
    )


def expect(
    store: Store,
    source: End,
    target: End,
    port: int,
    protocol: str = "TCP",
    *,
    complete: bool = True,
) -> Expected:
    """What the policies in `store` say about source -> target:port. `complete` False: not all
    policies could be read."""
    if not complete:
        return Expected(Expectation.UNDEFINED, "NetworkPolicies could not be read")
    if source.host_network or target.host_network:
        which = "source" if source.host_network else "target"
        return Expected(
            Expectation.UNDEFINED,
            f"the {which} uses the node's network; NetworkPolicy does not define that",
        )
    deciding: list[str] = []
    for direction, subject, peer in (("Egress", source, target), ("Ingress", target, source)):
        if subject.labels is None:
            continue
        selecting = policies_on(store, subject, direction)
        if not selecting:
            continue
        allowing = [
            p for p in selecting if _allows(store, p, direction, peer, target, port, protocol)
        ]
        if not allowing:
            names = tuple(_name(p) for p in selecting)
            side = "from the source" if direction == "Egress" else "into the target"
            listed = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            return Expected(Expectation.DENY, f"no rule of {listed} allows it {side}", names)
        deciding += [_name(p) for p in allowing]
    if deciding:
        return Expected(Expectation.ALLOW, f"allowed by {', '.join(deciding[:3])}", tuple(deciding))
    return Expected(Expectation.ALLOW, "no NetworkPolicy selects either end")


def not_evaluated(store: Store) -> tuple[str, ...]:
    """Installed kinds that can forbid connections and that `expect` does not evaluate, by display
    name."""
    return tuple(
        sorted(
            {
                shown
                for (_, name) in store.rows("CustomResourceDefinition")
                if (shown := OTHER_POLICY_KINDS.get(name))
            }
        )
    )


def policies_on(store: Store, subject: End, direction: str) -> list[NetworkPolicy]:
    """Policies that select the pod in this direction ("Ingress" or "Egress"), by name."""
    rows: Mapping[tuple[str, str], NetworkPolicy] = store.in_namespace(
        "NetworkPolicy", subject.namespace
    )
    found = [
        p
        for p in rows.values()
        if direction in types_of(p) and matches(p.spec.pod_selector, subject.labels or {})
    ]
    return sorted(found, key=lambda p: p.metadata.name)


def types_of(policy: NetworkPolicy) -> frozenset[str]:
    """policyTypes with the API's default: Ingress always, Egress when there are egress rules."""
    if policy.spec.policy_types:
        return frozenset(policy.spec.policy_types)
    return frozenset({"Ingress", "Egress"} if policy.spec.egress else {"Ingress"})


def _name(policy: NetworkPolicy) -> str:
    return f"{policy.metadata.namespace}/{policy.metadata.name}"


def _allows(
    store: Store,
    policy: NetworkPolicy,
    direction: str,
    peer: End,
    target: End,
    port: int,
    protocol: str,
) -> bool:
    if direction == "Ingress":
        return any(
            _ports(rule.ports, target, port, protocol) and _peers(store, rule.from_, policy, peer)
            for rule in policy.spec.ingress
        )
    return any(
        _ports(rule.ports, target, port, protocol) and _peers(store, rule.to, policy, peer)
        for rule in policy.spec.egress
    )


def _ports(ports: Iterable[NetworkPolicyPort], target: End, port: int, protocol: str) -> bool:
    listed = tuple(ports)
    if not listed:
        return True
    for each in listed:
        if (each.protocol or "TCP") != protocol:
            continue
        if each.port is None:
            return True
        number = (
            (target.ports or {}).get((each.port, protocol))
            if isinstance(each.port, str)
            else each.port
        )
        if number is None:
            continue
        if number == port or (each.end_port is not None and number <= port <= each.end_port):
            return True
    return False


def _peers(
    store: Store, peers: Iterable[NetworkPolicyPeer], policy: NetworkPolicy, end: End
) -> bool:
    listed = tuple(peers)
    if not listed:
        return True
    return any(_peer(store, each, policy, end) for each in listed)


def _peer(store: Store, peer: NetworkPolicyPeer, policy: NetworkPolicy, end: End) -> bool:
    if peer.ip_block is not None:
        return _in_block(peer.ip_block, end.address)
    if end.labels is None:
        return False
    if peer.namespace_selector is None:
        in_namespace = end.namespace == policy.metadata.namespace
    else:
        in_namespace = matches(peer.namespace_selector, namespace_labels(store, end.namespace))
    return in_namespace and (peer.pod_selector is None or matches(peer.pod_selector, end.labels))


def namespace_labels(store: Store, name: str) -> Mapping[str, str]:
    """Labels of a namespace; the API server itself sets kubernetes.io/metadata.name on each."""
    row: Namespace | PartialObject | None = store.get("Namespace", "", name)
    return {"kubernetes.io/metadata.name": name, **(row.metadata.labels if row is not None else {})}


def _in_block(block: IPBlock, address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
        if ip not in ipaddress.ip_network(block.cidr, strict=False):
            return False
        return all(ip not in ipaddress.ip_network(hole, strict=False) for hole in block.except_)
    except ValueError:
        return False

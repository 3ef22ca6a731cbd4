"""Which connections NetworkPolicies block, as far as their spec says it (Kubernetes documentation,
Network Policies: a pod that a policy selects has only what some policy allows)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cluster.kube.objects import (
    Namespace,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    Pod,
    Service,
)
from cluster.kube.selectors import matches
from triage.facts.cluster_view import ClusterView

DNS = 53


def governs(policy: NetworkPolicy, way: str) -> bool:
    """Whether a policy restricts that direction: Ingress where it names none."""
    types = policy.spec.policy_types
    if not types:
        return way == "Ingress" or bool(policy.spec.egress)
    return way in types


def governing(pod: Pod, way: str, view: ClusterView) -> list[NetworkPolicy]:
    """The policies that restrict this direction of a pod."""
    rows = view.store.in_namespace("NetworkPolicy", pod.metadata.namespace).values()
    return [
        row
        for row in rows
        if isinstance(row, NetworkPolicy)
        and governs(row, way)
        and matches(row.spec.pod_selector, pod.metadata.labels)
    ]


def blocks_names(pod: Pod, view: ClusterView) -> bool:
    """Whether policies of a pod let it ask no name server."""
    policies = governing(pod, "Egress", view)
    return bool(policies) and not any(
        _has_port(rule.ports, DNS) for policy in policies for rule in policy.spec.egress
    )


def blocks(pod: Pod, service: Service | None, port: int, view: ClusterView) -> bool:
    """Whether policies let a pod not out to the pods of a Service, or nothing in to them from it.
    Without a Service: whether they let it out to nothing on the port (0 for any)."""
    called = view.selected(service)[:1] if service is not None else []
    target = _target(service, port) if service is not None else port
    out = governing(pod, "Egress", view)
    if out and not any(
        _has_port(rule.ports, target) and _has_peer(rule.to, policy, called, view)
        for policy in out
        for rule in policy.spec.egress
    ):
        return True
    for row in called:
        inward = governing(row, "Ingress", view)
        if inward and not any(
            _has_port(rule.ports, target) and _has_peer(rule.from_, policy, [pod], view)
            for policy in inward
            for rule in policy.spec.ingress
        ):
            return True
    return False


def is_there(peer: NetworkPolicyPeer, policy: NetworkPolicy, view: ClusterView) -> bool:
    """Whether a peer of a policy is a range of addresses, or pods that exist."""
    return peer.ip_block is not None or any(
        isinstance(pod, Pod) and _is_of(peer, pod)
        for name in _namespaces(peer, policy, view)
        for pod in view.store.in_namespace("Pod", name).values()
    )


def _has_peer(
    peers: Sequence[NetworkPolicyPeer],
    policy: NetworkPolicy,
    pods: Sequence[Pod],
    view: ClusterView,
) -> bool:
    """Whether a rule allows one of these pods; any rule does where the pods are not known."""
    return (
        not peers or not pods or any(_allows(p, policy, pod, view) for p in peers for pod in pods)
    )


def _allows(peer: NetworkPolicyPeer, policy: NetworkPolicy, pod: Pod, view: ClusterView) -> bool:
    if peer.ip_block is not None:  # pods have addresses too
        return True
    return pod.metadata.namespace in _namespaces(peer, policy, view) and _is_of(peer, pod)


def _is_of(peer: NetworkPolicyPeer, pod: Pod) -> bool:
    return peer.pod_selector is None or matches(peer.pod_selector, pod.metadata.labels)


def _has_port(ports: Sequence[NetworkPolicyPort], port: int) -> bool:
    """Whether a rule allows a port; 0 is one that is not known. A named port may be any."""
    return not ports or not port or any(_is_port(each, port) for each in ports)


def _is_port(each: NetworkPolicyPort, port: int) -> bool:
    if each.port is None or isinstance(each.port, str):
        return True
    return each.port <= port <= (each.end_port or each.port)


def _target(service: Service, port: int) -> int:
    """The port of the pods behind a Service, 0 where it is named or not known."""
    row = next((each for each in service.spec.ports if each.port == port), None)
    target = row.target_port if row is not None else 0
    return (target or port) if isinstance(target, int) else 0


def _namespaces(peer: NetworkPolicyPeer, policy: NetworkPolicy, view: ClusterView) -> Iterator[str]:
    if peer.namespace_selector is None:
        yield policy.metadata.namespace
        return
    for row in view.store.all("Namespace", Namespace):
        if matches(peer.namespace_selector, row.metadata.labels):
            yield row.metadata.name

"""Services that a NetworkPolicy has cut off lately: nothing may reach their pods, or their pods may
reach nothing, not even DNS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Namespace, NetworkPolicy, NetworkPolicyPeer, Pod, Service
from cluster.kube.selectors import matches
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import NOTE_AFTER, STANDING

_OTHERS = ("ciliumnetworkpolicies.", "ciliumclusterwide", "globalnetworkpolicies.", "crd.antrea.io")
"""Kinds of policies that this module does not read, and that may allow what these do not."""


@object_detector("Service")
def isolated(row: Service, view: ClusterView) -> Iterator[Finding]:
    """Its pods are selected by policies that together allow nothing in one direction, and one of
    them was written within a day. What has stood for longer is meant so."""
    policies = view.store.in_namespace("NetworkPolicy", row.metadata.namespace)
    pods = view.selected(row)[:1] if policies else []
    if not pods:
        return
    on_it = [
        policy
        for policy in policies.values()
        if isinstance(policy, NetworkPolicy)
        and matches(policy.spec.pod_selector, pods[0].metadata.labels)
    ]
    inward = [p for p in on_it if _governs(p, "Ingress")]
    outward = [p for p in on_it if _governs(p, "Egress")]
    ways = []
    if inward and not any(_lets_in(p, view) for p in inward):
        ways.append("in to")
    if outward and not any(p.spec.egress for p in outward):
        ways.append("out of")
    newest = max(
        (*(inward if "in to" in ways else ()), *(outward if "out of" in ways else ())),
        key=lambda policy: str(_written(policy)),
        default=None,
    )
    if newest is None:
        return
    since = _written(newest)
    if not view.within(since, STANDING) or not view.older(since, NOTE_AFTER):
        return
    ref = ref_of(row)
    others = any(
        name.startswith(_OTHERS) for _, name in view.store.rows("CustomResourceDefinition")
    )
    may = " (policies of another API may)" if others else ""
    yield make(
        "service-isolated",
        ref,
        f"is cut off by NetworkPolicy {newest.metadata.name}: no policy lets anything "
        f"{' or '.join(ways)} its pods{may}",
        Severity.INFO,
        "a policy is written by intent",
        since=since,
        source=SinceSource.MANAGED_FIELDS,
        evidence=[
            field_evidence(
                ref_of(policy), "spec", f"allows nothing {' or '.join(ways)} them", since
            )
            for policy in (newest,)
        ],
        facts={
            "policy": newest.metadata.name,
            "inward": "in to" in ways,
            "outward": "out of" in ways,
            "others": others,
        },
        related=[ref_of(newest), *(ref_of(pod) for pod in pods)],
    )


def _governs(policy: NetworkPolicy, way: str) -> bool:
    """Whether a policy restricts that direction: Ingress where it names none."""
    types = policy.spec.policy_types
    if not types:
        return way == "Ingress" or bool(policy.spec.egress)
    return way in types


def _lets_in(policy: NetworkPolicy, view: ClusterView) -> bool:
    """Whether a policy lets in anything that is there: a rule without peers, a range of addresses,
    or pods that exist."""
    return any(
        not rule.from_ or any(_is_there(peer, policy, view) for peer in rule.from_)
        for rule in policy.spec.ingress
    )


def _is_there(peer: NetworkPolicyPeer, policy: NetworkPolicy, view: ClusterView) -> bool:
    if peer.ip_block is not None:
        return True
    return any(
        isinstance(pod, Pod)
        and (peer.pod_selector is None or matches(peer.pod_selector, pod.metadata.labels))
        for name in _namespaces(peer, policy, view)
        for pod in view.store.in_namespace("Pod", name).values()
    )


def _namespaces(peer: NetworkPolicyPeer, policy: NetworkPolicy, view: ClusterView) -> Sequence[str]:
    if peer.namespace_selector is None:
        return [policy.metadata.namespace]
    return [
        row.metadata.name
        for row in view.store.all("Namespace", Namespace)
        if matches(peer.namespace_selector, row.metadata.labels)
    ]


def _written(policy: NetworkPolicy) -> datetime | None:
    write = last_write(policy.metadata, "f:spec")
    return (write.time if write else None) or policy.metadata.creation_timestamp

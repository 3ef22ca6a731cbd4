"""Services and workloads that a NetworkPolicy has cut off lately: nothing may reach their pods, or
their pods may reach nothing, not even DNS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, NetworkPolicy, Pod, Ref, Service, StatefulSet
from cluster.kube.selectors import matches
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.network_policies import governs, is_there
from triage.facts.windows import INCIDENT, NOTE_AFTER, STANDING

_OTHERS = ("ciliumnetworkpolicies.", "ciliumclusterwide", "globalnetworkpolicies.", "crd.antrea.io")
"""Kinds of policies that this module does not read, and that may allow what these do not."""


@object_detector("Service")
def isolated(row: Service, view: ClusterView) -> Iterator[Finding]:
    """Its pods are selected by policies that together allow nothing in one direction, and one of
    them was written within a day. An older policy is taken as intended."""
    if view.store.in_namespace("NetworkPolicy", row.metadata.namespace):
        for pod in view.selected(row)[:1]:
            yield from _cut_off(ref_of(row), pod, ("Ingress", "Egress"), view)


@object_detector("Deployment", "StatefulSet")
def client_isolated(row: Deployment | StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """A workload without a Service, whose pods may reach nothing since a day: nothing calls it, so
    what is let in does not matter."""
    namespace = row.metadata.namespace
    if not view.store.in_namespace("NetworkPolicy", namespace) or view.store.services_selecting(
        namespace, row.spec.template.metadata.labels
    ):
        return
    ref = ref_of(row)
    for pod in view.pods_of(ref)[:1]:
        yield from _cut_off(ref, pod, ("Egress",), view)


def _cut_off(ref: Ref, pod: Pod, ways_told: Sequence[str], view: ClusterView) -> Iterator[Finding]:
    """The finding for an object whose pods are like this one, in the directions that are told."""
    on_it = [
        policy
        for policy in view.store.in_namespace("NetworkPolicy", ref.namespace).values()
        if isinstance(policy, NetworkPolicy)
        and matches(policy.spec.pod_selector, pod.metadata.labels)
    ]
    inward = [p for p in on_it if "Ingress" in ways_told and governs(p, "Ingress")]
    outward = [p for p in on_it if "Egress" in ways_told and governs(p, "Egress")]
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
    row = view.store.get(*ref)
    created = row.metadata.creation_timestamp if row is not None else None
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
            # what was made after its policy was meant to have it
            "new": view.within(since, INCIDENT) and not (created and since and created > since),
        },
        related=[ref_of(newest), ref_of(pod)],
    )


def _lets_in(policy: NetworkPolicy, view: ClusterView) -> bool:
    """Whether a policy lets in anything that is there: a rule without peers, a range of addresses,
    or pods that exist."""
    return any(
        not rule.from_ or any(is_there(peer, policy, view) for peer in rule.from_)
        for rule in policy.spec.ingress
    )


def _written(policy: NetworkPolicy) -> datetime | None:
    write = last_write(policy.metadata, "f:spec")
    return (write.time if write else None) or policy.metadata.creation_timestamp

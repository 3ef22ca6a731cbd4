"""Load balancers of Services: what the service controller says of them, and addresses that never
come."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube import durations
from cluster.kube.objects import Node, Service
from cluster.kube.pods import is_ready
from triage.detectors.network.balancer_controllers import (
    LOOKED_AT,
    LOOKED_FOR,
    forwarder,
    giver_of_addresses,
)
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, from_events, make
from triage.facts.messages.wording import quoted
from triage.facts.windows import EDGE, READY_GRACE, RECENT, STANDING

_FAILED = (
    "SyncLoadBalancerFailed",
    "UpdateLoadBalancerFailed",
    "CreatingLoadBalancerFailed",
    "DeleteLoadBalancerFailed",
    "UnAvailableLoadBalancer",
    "UpdateLoadBalancerFailure",
    "FailedDeployModel",
    "FailedBuildModel",
    "LoadBalancerUpdateFailed",
    "AllocationFailed",  # MetalLB: no address is left in its pools
)
_DONE = (
    "EnsuredLoadBalancer",
    "UpdatedLoadBalancer",
    "UpdatedLoadbalancer",
    "SuccessfullyReconciled",
    "IPAllocated",
)
CHURN = 6
"""Rewrites of a load balancer within an hour that count as churn."""


@object_detector("Service")
def load_balancer(row: Service, view: ClusterView) -> Iterator[Finding]:
    """The service controller's events, Normal ones included, and addresses that never come (story
    001)."""
    if row.spec.type != "LoadBalancer":
        return
    ref = ref_of(row)
    events = view.events.about(ref)
    done = max((e.last for e in events if e.reason in _DONE), default=None)
    failed = [
        e
        for e in events
        if e.reason in _FAILED
        and view.within(e.last, EDGE)
        and (done is None or e.last > done)  # a later try may have succeeded
    ]
    if failed:
        count = sum(e.count for e in failed)
        yield make(
            "load-balancer-failed",
            ref,
            f"its load balancer cannot be synchronised: {_reason(failed[-1])}",
            Severity.WARNING,
            "the cloud controller fails within 30 min",
            **from_events(failed),
            facts={
                "reason": failed[-1].reason,
                "count": count,
                "address": bool(row.status.load_balancer.ingress),
            },
        )
    churn = [
        e
        for e in events
        if e.reason in ("UpdatedLoadBalancer", "UpdatedLoadbalancer")
        and view.within(e.last, RECENT)
    ]
    count = sum(
        e.count
        if view.recent(e.first, 2 * RECENT)
        else len([t for t in e.times if view.recent(t, RECENT)])
        for e in churn
    )
    if count >= CHURN:
        first = min(e.first for e in churn)
        seconds = int((max(e.last for e in churn) - first).total_seconds())
        yield make(
            "load-balancer-churn",
            ref,
            f"its load balancer got other backends {count} times in {durations.words(seconds)}",
            Severity.WARNING,
            "six or more rewrites within an hour",
            since=first,
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for e in churn[-2:]],
            facts={"count": count, "seconds": seconds},
        )
    if not row.status.load_balancer.ingress and not failed:
        yield from _pending(row, events, view)
    if row.spec.external_traffic_policy == "Local":
        nodes = {p.spec.node_name for p in view.selected(row) if is_ready(p)}
        total = sum(1 for n in view.store.all("Node", Node) if not n.spec.unschedulable)
        if nodes and len(nodes) * 3 < total:
            yield make(
                "load-balancer-local-few",
                ref,
                f"externalTrafficPolicy Local with pods on {len(nodes)} of {total} nodes",
                Severity.INFO,
                "by design the other nodes fail the balancer's check",
                evidence=[field_evidence(ref, "spec.externalTrafficPolicy", "Local")],
                facts={"nodes": len(nodes), "total": total},
            )


def _pending(row: Service, events: list[EventFact], view: ClusterView) -> Iterator[Finding]:
    """No address after 10 min: a controller is at work on it, says nothing, or there is none."""
    ref, created = ref_of(row), row.metadata.creation_timestamp
    if created is None or not view.older(created, 2 * READY_GRACE):
        return
    age = view.now - created
    claim, evidence = f"has no address after {durations.words(age)}", list[Evidence]()
    ensuring = [
        e for e in events if e.reason == "EnsuringLoadBalancer" and view.within(e.last, RECENT)
    ]
    own = forwarder(row, view)
    short = own is not None and not own.status.number_ready
    giver = str(ref_of(own)) if own is not None else giver_of_addresses(row, view)
    severity = Severity.WARNING
    if ensuring:
        evidence = [event_evidence(ensuring[-1])]
    elif own is not None and short:
        claim += f": no pod of {giver}, which forwards it, is ready"
        evidence = [field_evidence(ref_of(own), "status.numberReady", "0")]
    elif giver:
        claim += f", and {giver} says nothing about it"
        evidence = [field_evidence(ref, "status.loadBalancer", f"empty; {giver} is there")]
    elif not all(map(view.readable, LOOKED_AT)):
        return
    else:
        class_ = row.spec.load_balancer_class
        wanted = f" of class {class_}" if class_ else ""
        claim += f": nothing here gives addresses to balancers{wanted}"
        evidence = [field_evidence(ref, "status.loadBalancer", f"empty; looked for {LOOKED_FOR}")]
    if not ensuring and view.older(created, STANDING):
        severity = Severity.INFO
    yield make(
        "load-balancer-pending",
        ref,
        claim,
        severity,
        "no address after 10 min; a note after a day without a word of a controller",
        since=created,
        source=SinceSource.CREATION,
        evidence=evidence,
        related=[ref_of(own), *map(ref_of, view.pods_of(ref_of(own)))] if own and short else (),
        facts={"seconds": int(age.total_seconds()), "controller": giver, "asked": bool(ensuring)},
    )


def _reason(event: EventFact) -> str:
    """The sentence of the cloud controller, its reason where it says none."""
    return quoted(event.message) if event.message else event.reason

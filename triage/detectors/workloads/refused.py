"""Controllers that may not create what they want: the refusal, and the quota behind it."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.conditions import condition_of
from cluster.kube.objects import Deployment, Job, Ref, ReplicaSet, ResourceQuota, StatefulSet
from cluster.kube.owners import controller_of
from triage.detectors.registry import object_detector
from triage.detectors.workloads.batch import is_done
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.create_failures import create_failure, exceeded
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, from_events, make
from triage.facts.windows import EDGE

Creator = Deployment | StatefulSet | ReplicaSet | Job


def short_of_pods(row: Creator) -> bool:
    """Whether a controller has fewer pods than it wants. What was refused to one that has them all
    is over."""
    if isinstance(row, Job):
        return not (row.spec.suspend or row.status.active or is_done(row))
    return row.status.replicas < row.spec.replicas


def _still_waits(ref: Ref, view: ClusterView) -> bool:
    """Whether the object that was refused something may still want it: one that is gone or has all
    its pods does not. A kind that is not read here may."""
    row = view.store.get(*ref)
    if isinstance(row, Creator):
        return short_of_pods(row)
    return row is not None or not view.readable(ref.kind)


@object_detector("Deployment", "StatefulSet", "ReplicaSet", "Job")
def create_failed(row: Creator, view: ClusterView) -> Iterator[Finding]:
    """FailedCreate events and ReplicaFailure conditions; those of a ReplicaSet are
    reported for its Deployment."""
    if not short_of_pods(row):
        return
    own = ref_of(row)
    owner = controller_of(row.metadata) if isinstance(row, (ReplicaSet, Job)) else None
    target = owner if owner is not None and owner.kind in ("Deployment", "CronJob") else own
    events = [
        e
        for e in view.events.about(own)
        if e.reason == "FailedCreate" and view.within(e.last, EDGE)
    ]
    failure = condition_of(row.status.conditions, "ReplicaFailure", "True")
    if isinstance(row, Deployment) and not events:
        return  # Reported by its ReplicaSet.
    if not events and failure is None:
        return
    text = events[-1].message if events else failure.message if failure else ""
    read = create_failure(text)
    since = min(
        (e.first for e in events), default=failure.last_transition_time if failure else None
    )
    evidence = [event_evidence(e) for e in events[-2:]] + (
        [condition_evidence(own, failure)] if failure else []
    )
    yield make(
        "create-failed",
        target,
        f"pods cannot be created: {read.text}",
        Severity.WARNING,
        "the controller is short of pods it may not create",
        since=since,
        source=SinceSource.EVENT if events else SinceSource.CONDITION,
        evidence=evidence,
        detail=own.name if target != own else "",
        facts={"cause": read.cause, "detail": read.detail},
        related=[own],
    )


@object_detector("ResourceQuota")
def quota(row: ResourceQuota, view: ClusterView) -> Iterator[Finding]:
    """A quota that is used up and refuses objects now (FailedCreate within half an hour, of a
    controller that still waits). A full quota that refuses nothing is healthy."""
    name = row.metadata.name
    refused = [
        e
        for e in view.events.reasons("FailedCreate")
        if e.about.namespace == row.metadata.namespace
        and f"exceeded quota: {name}," in f"{e.message},"
        and view.within(e.last, EDGE)
        and _still_waits(e.about, view)
    ]
    if not refused:
        return
    told_of = exceeded(refused[-1].message)
    resource = told_of[0].resource if told_of else ""
    used = row.status.used.get(resource) or (told_of[0].used if told_of else "")
    hard = row.status.hard.get(resource) or (told_of[0].hard if told_of else "")
    waits = sorted({e.about for e in refused})
    yield make(
        "quota-exceeded",
        ref_of(row),
        f"refuses new objects of {waits[0]}: {resource} {used} of {hard} used",
        Severity.WARNING,
        "a quota that refuses objects",
        **from_events(refused),
        related=waits[:10],
        facts={"quota": name, "resource": resource, "used": used, "hard": hard},
    )

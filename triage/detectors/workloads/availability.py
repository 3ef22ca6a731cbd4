"""Deployments and StatefulSets that are short of ready replicas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.conditions import condition_of
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Pod, StatefulSet
from cluster.kube.pods import is_finished, is_ready
from triage.detectors.registry import object_detector
from triage.detectors.workloads.rollouts import Scalable, last_rollout
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make
from triage.facts.windows import READY_GRACE, ROLLOUT_GRACE, start_allowance


def _grace(pod: Pod, unready: datetime) -> timedelta:
    """How long it may be unready: from its start on, as long as its probes allow."""
    start = pod.status.start_time
    never_ready = start is not None and unready - start <= timedelta(seconds=5)
    return start_allowance(pod.spec) if never_ready else READY_GRACE


def _unready_since(pod: Pod) -> datetime | None:
    ready = condition_of(pod.status.conditions, "Ready")
    return (ready.last_transition_time if ready else None) or pod.metadata.creation_timestamp


@object_detector("Deployment", "StatefulSet")
def availability(row: Scalable, view: ClusterView) -> Iterator[Finding]:
    """Fewer ready replicas than wanted. A rollout or a scaling gets five minutes; a new workload as
    well."""
    desired, ready = row.spec.replicas, row.status.ready_replicas
    if desired <= ready or desired == 0:
        return
    created = row.metadata.creation_timestamp
    if created is not None and not view.older(created, start_allowance(row.spec.template.spec)):
        return
    pods = [
        p
        for p in view.pods_of(ref_of(row))
        if not is_finished(p) and p.metadata.deletion_timestamp is None
    ]
    unready = [p for p in pods if not is_ready(p)]
    if len(pods) - len(unready) >= desired:
        return  # The pods are there, but the status has not counted them yet.
    times = [t for t in map(_unready_since, unready) if t is not None]
    available = condition_of(row.status.conditions, "Available")
    ref = ref_of(row)
    role = view.role(row)
    facts: dict[str, Fact] = {"ready": ready, "desired": desired, "role": role}
    if ready == 0:
        since = (
            available.last_transition_time
            if available and available.status == "False"
            else min(times, default=None)
        )
        if since is not None and not view.older(since, timedelta(seconds=60)):
            return
        heavy = desired >= 2 or role in ("dns", "ingress")
        yield make(
            "workload-unavailable",
            ref,
            f"0 of {desired} replicas ready",
            Severity.CRITICAL if heavy else Severity.WARNING,
            "no replica is ready (a warning where only one is wanted)",
            since=since,
            source=SinceSource.CONDITION if since else SinceSource.FIRST_SEEN,
            evidence=[condition_evidence(ref, available)]
            if available
            else [field_evidence(ref, "status.readyReplicas", "0")],
            facts={**facts, "single": desired == 1},
        )
        return
    rollout = last_rollout(row, view)
    if rollout is not None and not view.older(rollout, ROLLOUT_GRACE):
        return
    old = [t for p in unready if (t := _unready_since(p)) and view.older(t, _grace(p, t))]
    missing = desired - len(pods)
    if not old and missing <= 0:
        return
    scaled = last_write(row.metadata, "f:spec", "f:replicas")
    if not old and (
        scaled is None or scaled.time is None or not view.older(scaled.time, ROLLOUT_GRACE)
    ):
        return
    yield make(
        "workload-degraded",
        ref,
        f"{ready} of {desired} replicas ready",
        Severity.WARNING,
        "short of replicas, and no rollout explains it",
        since=min(old, default=None),
        source=SinceSource.CONDITION if old else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "status.readyReplicas", f"{ready} of {desired}")],
        facts=facts,
    )


@object_detector("StatefulSet")
def waits_for_pod(row: StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """The next pod is made, or updated, when the one before it is Ready (OrderedReady): the first
    that is not holds all that follow. Parallel makes all at once, and updates in order."""
    pods = [p for p in view.pods_of(ref_of(row)) if not is_finished(p)]
    ordered = row.spec.pod_management_policy != "Parallel"
    missing = row.spec.replicas - len(pods) if ordered else 0
    updating = row.status.update_revision not in ("", row.status.current_revision)
    held = sorted((p for p in pods if not is_ready(p)), key=lambda p: _ordinal(p))
    if not held or not (missing > 0 or updating):
        return
    first = held[0]
    since = _unready_since(first)
    if not view.older(since, READY_GRACE):
        return
    what = f"{missing} more pods are" if missing > 1 else "one more pod is"
    rest = f"{what} not made" if missing > 0 else "its update goes no further"
    ref = ref_of(row)
    yield make(
        "statefulset-waits",
        ref,
        f"waits for {first.metadata.name}, which is not ready: {rest}",
        Severity.WARNING,
        "one pod that is not ready for over 5 min holds all that follow",
        since=since,
        source=SinceSource.CONDITION,
        evidence=[field_evidence(ref_of(first), "status.conditions", "Ready=False", since)],
        related=[ref_of(first)],
        facts={"pod": first.metadata.name, "missing": max(missing, 0), "updating": updating},
    )


def _ordinal(pod: Pod) -> int:
    number = pod.metadata.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0

"""Jobs and CronJobs: those that gave up, and those that flood the cluster. Retries and completed
Jobs are healthy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.objects import CronJob, Job, Pod
from cluster.kube.owners import controller_of
from triage.detectors.registry import object_detector
from triage.facts import quantity
from triage.facts.cluster_view import ClusterView, is_finished, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, make, told
from triage.facts.windows import EDGE

_NEWS = timedelta(hours=6)
FLOOD = 5
"""Jobs of one CronJob that are active at once before it is called a flood."""


def _failed(row: Job) -> bool:
    return any(c.type == "Failed" and c.status == "True" for c in row.status.conditions)


def is_done(row: Job) -> bool:
    return any(
        c.type in ("Failed", "Complete") and c.status == "True" for c in row.status.conditions
    )


@object_detector("Job")
def job(row: Job, view: ClusterView) -> Iterator[Finding]:
    """A Job that gave up: a warning within the hour, a note within six, nothing once a later run of
    its CronJob succeeded."""
    failed = next(
        (c for c in row.status.conditions if c.type == "Failed" and c.status == "True"), None
    )
    if failed is None:
        return
    at = failed.last_transition_time
    if not view.within(at, _NEWS):
        return
    owner = controller_of(row.metadata)
    cronjob = owner.name if owner is not None and owner.kind == "CronJob" else ""
    if owner is not None and cronjob:
        parent = view.store.get(*owner)
        created = row.metadata.creation_timestamp
        if parent is not None and created is not None:
            siblings = [
                j for j in view.store.owned_by(parent.metadata.uid).values() if isinstance(j, Job)
            ]
            later = [
                j
                for j in siblings
                if j.metadata.creation_timestamp and j.metadata.creation_timestamp > created
            ]
            if any(j.status.succeeded for j in later):
                return
            last = parent.status.last_successful_time
            if last is not None and at is not None and last > at:
                return
            if any(_failed(j) for j in later):
                return  # the newest run is reported
    fresh = view.within(at, timedelta(hours=1))
    ref = ref_of(row)
    yield make(
        "job-failed",
        ref,
        f"gave up: {failed.reason or 'Failed'}",
        Severity.WARNING if fresh else Severity.INFO,
        "a warning within an hour, then a note",
        since=at,
        source=SinceSource.CONDITION,
        evidence=[condition_evidence(ref, failed)],
        facts={"reason": failed.reason, "cronjob": cronjob},
        active=fresh,
        related=[owner] if owner else [],
    )


@object_detector("CronJob")
def cronjob(row: CronJob, view: ClusterView) -> Iterator[Finding]:
    """Several Jobs of one CronJob active at once (story 003 #2), or a schedule that is missed."""
    ref = ref_of(row)
    jobs = [j for j in view.store.owned_by(row.metadata.uid).values() if isinstance(j, Job)]
    active = [j for j in jobs if not is_done(j) and not j.spec.suspend]
    pods = [
        p
        for j in active
        for p in view.store.owned_by(j.metadata.uid).values()
        if isinstance(p, Pod) and not is_finished(p)
    ]
    policy = row.spec.concurrency_policy or "Allow"
    started = sorted(
        t
        for t in (j.status.start_time or j.metadata.creation_timestamp for j in active)
        if t is not None
    )
    parallel = max([row.spec.job_template.spec.parallelism, 1])
    kept = len(jobs) - len(active)
    if (
        len(active) >= FLOOD
        or kept >= 30
        or len(pods) >= max(20, 3 * parallel * max(len(active), 1))
    ):
        more = f" and {kept} kept" if kept >= 30 else ""
        oldest = int((view.now - started[0]).total_seconds()) if started else 0
        many = len(pods) >= 50 or len(active) >= 20
        template = row.spec.job_template.spec
        yield make(
            "cronjob-flood",
            ref,
            f"{len(active)} Jobs at once{more} with {len(pods)} pods (concurrencyPolicy "
            f"{policy}), the oldest {quantity.span_text(oldest)}",
            Severity.CRITICAL if many else Severity.WARNING,
            "five or more active Jobs, or thirty kept ones (critical from 20 Jobs or 50 pods on)",
            since=started[1] if len(started) > 1 else started[0] if started else None,
            source=SinceSource.STATUS,
            evidence=[
                field_evidence(
                    ref, "spec.concurrencyPolicy", row.spec.concurrency_policy or "not set (Allow)"
                ),
                field_evidence(ref, "spec.schedule", row.spec.schedule),
                field_evidence(
                    ref, "active Jobs", str(len(active)), started[0] if started else None
                ),
            ],
            facts={
                "jobs": len(active),
                "pods": len(pods),
                "policy": policy,
                "oldest_seconds": oldest,
                "deadline": template.active_deadline_seconds is not None,
            },
        )
    bad = (
        "TooManyMissedTimes",
        "UnparseableSchedule",
        "UnknownTimeZone",
        "FailedCreate",
        "InvalidSchedule",
    )
    missed: list[EventFact] = [
        e for e in view.events.about(ref) if e.reason in bad and view.within(e.last, EDGE)
    ]
    if missed:
        yield make(
            "cronjob-missed",
            ref,
            f"does not run: {missed[-1].reason}",
            Severity.WARNING,
            "the schedule is missed",
            **told(missed),
            facts={"reason": missed[-1].reason},
        )

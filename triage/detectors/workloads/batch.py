"""Jobs and CronJobs: those that gave up, and those that flood the cluster. Retries and completed
Jobs are healthy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from cluster.kube import durations
from cluster.kube.conditions import condition_of, is_true
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import CronJob, Job, Lease, Pod, Ref
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_finished, queue_of, statuses
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, field_evidence, from_events, make
from triage.facts.windows import EDGE

_NEWS = timedelta(hours=6)
FLOOD = 5
"""Active Jobs of one CronJob that count as a flood."""


def _failed(row: Job) -> bool:
    return is_true(row.status.conditions, "Failed")


def is_done(row: Job) -> bool:
    return any(
        c.type in ("Failed", "Complete") and c.status == "True" for c in row.status.conditions
    )


@object_detector("Job")
def job(row: Job, view: ClusterView) -> Iterator[Finding]:
    """A Job that gave up: a warning within the hour, a note within six, nothing once a later run of
    its CronJob succeeded."""
    failed = condition_of(row.status.conditions, "Failed", "True")
    if failed is None:
        return
    at = failed.last_transition_time
    if not view.within(at, _NEWS):
        return
    owner = controller_of(row.metadata)
    cronjob = owner.name if owner is not None and owner.kind == "CronJob" else ""
    never = ""
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
            never = " (its CronJob has never succeeded)" if last is None else ""
            if last is not None and at is not None and last > at:
                return
            if any(_failed(j) for j in later):
                return  # The newest run is reported.
    fresh = view.within(at, timedelta(hours=1))
    ref = ref_of(row)
    yield make(
        "job-failed",
        ref,
        f"gave up: {failed.reason or 'Failed'}{_last_exit(row, view)}{never}",
        Severity.WARNING if fresh else Severity.INFO,
        "a warning within an hour, then a note",
        since=at,
        source=SinceSource.CONDITION,
        evidence=[condition_evidence(ref, failed)],
        facts={"reason": failed.reason, "cronjob": cronjob},
        active=fresh,
        related=[owner] if owner else [],
    )


@object_detector("Job")
def retrying(row: Job, view: ClusterView) -> Iterator[Finding]:
    """A Job whose pods fail and that has not given up: a note."""
    if is_done(row) or not row.status.failed or row.spec.suspend:
        return
    ref, began = ref_of(row), row.status.start_time or row.metadata.creation_timestamp
    if began is None:
        return
    tries = row.status.failed
    yield make(
        "job-retrying",
        ref,
        f"{tries} of {row.spec.backoff_limit + 1} tries failed{_last_exit(row, view)}",
        Severity.INFO,
        "a Job that retries is a note",
        since=began,
        source=SinceSource.STATUS,
        young=view.now - began,
        evidence=[field_evidence(ref, "status.failed", str(tries))],
        facts={"failed": tries, "limit": row.spec.backoff_limit},
    )


@object_detector("Job")
def suspended(row: Job, view: ClusterView) -> Iterator[Finding]:
    """A Job that is suspended: a note, for a week."""
    said = condition_of(row.status.conditions, "Suspended", "True")
    if not row.spec.suspend or is_done(row) or said is None:
        return
    if not view.within(said.last_transition_time, _SUSPENDED):
        return
    queue = queue_of(row.metadata)
    yield make(
        "job-suspended",
        ref_of(row),
        f"waits in the queue {queue}" if queue else "does not run: it is suspended",
        Severity.INFO,
        "a suspension is made by intent",
        since=said.last_transition_time,
        source=SinceSource.CONDITION,
        evidence=[condition_evidence(ref_of(row), said)],
        facts={"queue": queue},
    )


def _last_exit(row: Job, view: ClusterView) -> str:
    """`, container main exit 1`: how the last of its pods ended."""
    ends = [
        (s.state.terminated.finished_at or view.now, s.name, s.state.terminated)
        for p in view.pods_of(ref_of(row))
        for s in statuses(p)
        if s.state.terminated is not None and s.state.terminated.exit_code
    ]
    if not ends:
        return ""
    _, name, end = max(ends, key=lambda one: (one[0], one[1]))
    reason = f" {end.reason}" if end.reason not in ("", "Error") else ""
    return f", container {name} exit {end.exit_code}{reason}"


@object_detector("CronJob")
def schedule(row: CronJob, view: ClusterView) -> Iterator[Finding]:
    """A schedule that is suspended (a note, for a week), or that has passed twice without a run."""
    ref = ref_of(row)
    if row.spec.suspend:
        edit = last_write(row.metadata, "f:spec", "f:suspend")
        if edit is not None and view.within(edit.time, _SUSPENDED):
            yield make(
                "cronjob-missed",
                ref,
                f"does not run: suspended by {edit.manager or '?'}",
                Severity.INFO,
                "a suspension is made by intent",
                since=edit.time,
                source=SinceSource.MANAGED_FIELDS,
                evidence=[field_evidence(ref, "spec.suspend", "true", edit.time)],
                detail="suspended",
                facts={"reason": "Suspended"},
            )
        return
    gap = None if _complaints(ref, view) else longest_gap(row.spec.schedule)
    created = row.metadata.creation_timestamp
    # An old CronJob that never ran was copied without its status.
    first = created if created is not None and view.now - created < _FIRST_RUN else None
    last = row.status.last_schedule_time or first
    if gap is None or last is None or not view.older(last, 2 * gap + _LATE):
        return
    leases = (r.spec.renew_time for r in view.store.all("Lease", Lease))
    heard = max((t for t in leases if t is not None), default=last)
    if heard - last < 2 * gap:
        return  # The snapshot of the cluster is as old as the last run.
    running = [a.name for a in row.status.active]
    why = "and nothing says why"
    if running and row.spec.concurrency_policy == "Forbid":
        why = f"its Job {running[0]} still runs (concurrencyPolicy Forbid)"
    when = durations.utc_clock(last, view.now)
    yield make(
        "cronjob-missed",
        ref,
        f"has not run since {when} (schedule {row.spec.schedule}): {why}",
        Severity.WARNING,
        "a schedule that has passed twice without a run",
        since=last + gap,
        source=SinceSource.STATUS,
        evidence=[field_evidence(ref, "status.lastScheduleTime", when, last)],
        detail="late",
        facts={"reason": "Forbid" if running else "Late"},
    )


def _complaints(ref: Ref, view: ClusterView) -> list[EventFact]:
    """Events of the CronJob controller that say why it does not run, within half an hour."""
    return [e for e in view.events.about(ref) if e.reason in _BAD and view.within(e.last, EDGE)]


_BAD = frozenset(
    {
        "TooManyMissedTimes",
        "UnparseableSchedule",
        "UnknownTimeZone",
        "FailedCreate",
        "InvalidSchedule",
    }
)
_SUSPENDED = timedelta(days=7)
_LATE = timedelta(minutes=10)
_FIRST_RUN = timedelta(days=1)
"""A CronJob that was created within this time and never ran is late by its creation."""
_ALIASES = {"@hourly": 1 / 24, "@daily": 1, "@midnight": 1, "@weekly": 7, "@monthly": 31}


def longest_gap(schedule: str) -> timedelta | None:
    """The longest time between two runs of a schedule (crontab with five fields), rounded up; None
    where it is longer than a month or not understood."""
    text = schedule.strip()
    if text in _ALIASES:
        return timedelta(days=_ALIASES[text])
    fields = text.split()
    if len(fields) != 5 or fields[3] not in ("*", "*/1"):
        return None
    minute, hour, day, _, weekday = fields
    every = ("*", "?")
    if day not in every:
        return timedelta(days=31)
    if weekday not in every:
        return timedelta(days=7)
    if hour in every:
        step = re.fullmatch(r"\*(?:/(\d+))?", minute)
        return timedelta(minutes=int(step[1] or 1) if step else 60)
    step = re.fullmatch(r"\*/(\d+)", hour)
    return timedelta(hours=int(step[1]) if step else 24)


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
            f"{policy}), the oldest {durations.words(oldest)}",
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
    missed = _complaints(ref, view)
    if missed:
        yield make(
            "cronjob-missed",
            ref,
            f"does not run: {missed[-1].reason}",
            Severity.WARNING,
            "the schedule is missed",
            **from_events(missed),
            facts={"reason": missed[-1].reason},
        )

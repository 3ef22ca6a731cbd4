"""Containers: waiting errors, crash loops, OOM kills, ends that are over but recent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.objects import (
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    Ref,
)
from cluster.kube.pods import is_finished, statuses
from triage.detectors.pods.image_pulls import PULL_REASONS, pull_failed
from triage.detectors.pods.memory_limits import at_start, kills_at_start, limit_of
from triage.detectors.pods.probe_restarts import killed_by_probe, liveness
from triage.detectors.pods.starting import config_missing, starting
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, make
from triage.facts.messages.wording import quoted, signature
from triage.facts.windows import EDGE, RECENT, SETTLED

_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})
"""A container that waits for one of these is starting; any other reason is a fault."""
_NAMES = re.compile(r' \(pod: "[^"]*", container: [^)]*\)$')
"""The names of pod and container at the end of a message about the user (kubelet,
security_context.go): the title has them."""
_BATCH = ("Job", "CronJob")


def _ran(ended: ContainerStateTerminated | None) -> int | None:
    """Seconds that a container ran; None for one that never did, which the kubelet starts at the
    beginning of Unix time."""
    if ended is None or ended.started_at is None or ended.finished_at is None:
        return None
    if not ended.started_at.timestamp():
        return None
    return max(0, int((ended.finished_at - ended.started_at).total_seconds()))


def _last_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    return status.state.terminated or status.last_state.terminated


def _end_evidence(ref: Ref, status: ContainerStatus) -> list[Evidence]:
    ended = _last_end(status)
    if ended is None:
        return []
    which = "state" if status.state.terminated else "lastState"
    text = (
        f"container {status.name} ended {ended.reason or 'Error'} exit {ended.exit_code}, "
        f"restarts {status.restart_count}"
    )
    return [
        field_evidence(
            ref, f"status.containerStatuses[{status.name}].{which}", text, ended.finished_at
        )
    ]


def waiting(pod: Pod, status: ContainerStatus, view: ClusterView) -> Iterator[Finding]:
    """Waiting reasons that say what is wrong (table 1.2 Waiting errors, CrashLoop), init containers
    included."""
    state = status.state.waiting
    if state is None:
        return
    ref = ref_of(pod)
    created = pod.metadata.creation_timestamp
    path = f"status.containerStatuses[{status.name}].state.waiting"
    evidence = [
        field_evidence(
            ref, path, f"{state.reason}: {state.message}" if state.message else state.reason
        )
    ]
    if state.reason == "CrashLoopBackOff":
        if killed_by_probe(pod, _last_end(status), view):
            return  # Reported as restarts by the probe.
        yield _crash_loop(pod, status, view, [*evidence, *_end_evidence(ref, status)])
    elif state.reason in PULL_REASONS:
        yield pull_failed(pod, status, view, evidence)
    elif state.reason == "CreateContainerConfigError":
        since = created
        events = [
            e
            for e in view.events_of(pod)
            if e.reason == "Failed" and state.message and state.message in e.message
        ]
        if events:
            since = events[0].first
        found = config_missing(
            pod,
            view,
            state.message,
            "env",
            evidence,
            since,
            SinceSource.EVENT if events else SinceSource.CREATION,
        )
        text = f"container {status.name} cannot be configured: {_NAMES.sub('', state.message)}"
        yield found or _create_failed(pod, status, text, since, evidence, view)
    elif state.reason not in _STARTING:
        text = f"{state.reason}: {state.message}" if state.message else state.reason
        if kills_at_start(state.message):
            limit = limit_of(pod.spec, status.name)
            text = f"container {status.name} is {at_start(limit)}"
        else:
            text = f"container {status.name} cannot be created: {quoted(text)}"
        yield _create_failed(pod, status, text, created, evidence, view)


def _create_failed(
    pod: Pod,
    status: ContainerStatus,
    claim: str,
    since: datetime | None,
    evidence: list[Evidence],
    view: ClusterView,
) -> Finding:
    state = status.state.waiting or ContainerStateWaiting()
    return make(
        "pod-container-create-failed",
        ref_of(pod),
        claim,
        Severity.WARNING,
        "the container cannot start",
        since=since,
        source=SinceSource.CREATION,
        evidence=evidence,
        detail=status.name,
        facts={
            **view.pod_facts(pod),
            "reason": state.reason,
            "container": status.name,
            "message": signature(state.message),
        },
    )


def _restarted(pod: Pod, status: ContainerStatus) -> bool:
    """Whether the kubelet starts an ended container again: one of an init container's failures is
    a crash as well."""
    init = any(c.name == status.name for c in pod.spec.init_containers)
    return pod.spec.restart_policy != "Never" and (init or status.state.terminated is not None)


def _crash_loop(
    pod: Pod,
    status: ContainerStatus,
    view: ClusterView,
    evidence: list[Evidence],
    young: timedelta | None = None,
) -> Finding:
    ended = _last_end(status)
    ref = ref_of(pod)
    facts = view.pod_facts(pod)
    batch = facts["owner_kind"] in _BATCH
    reason = ended.reason if ended else ""
    code = ended.exit_code if ended else None
    ran = _ran(ended)
    backoff = [
        e for e in view.events_of(pod) if e.reason == "BackOff" and "restarting failed" in e.message
    ]
    since = (
        backoff[0].first
        if backoff
        else (ended.finished_at if ended else pod.metadata.creation_timestamp)
    )
    how = f"exit {code}" if code is not None else "no exit code"
    if reason and reason != "Error":
        how += f" {reason}"
    after = f" after {durations.words(ran)}" if ran is not None else ""
    restarts = status.restart_count
    many = f"{restarts} restart{'s' if restarts != 1 else ''}"
    what = f"keeps crashing: {many}" if restarts else "crashed"
    init = status in pod.status.init_container_statuses
    return make(
        "pod-crash-looping",
        ref,
        f"{'init ' if init else ''}container {status.name} {what}, {how}{after}",
        Severity.INFO if batch else Severity.WARNING,
        "a Job retries" if batch else "a container in a crash loop serves nothing",
        since=since,
        source=SinceSource.EVENT if backoff else SinceSource.STATUS,
        young=young,
        detail=status.name,
        evidence=[*evidence, *(event_evidence(e) for e in backoff[-1:])],
        facts={
            **facts,
            "container": status.name,
            "init": init,
            "restarts": status.restart_count,
            "exit_code": code,
            "reason": reason,
            "ran_seconds": ran,
            "oom": reason == "OOMKilled",
        },
    )


_SETTLED = timedelta(minutes=5)
"""A container that is ready for longer than the longest back-off, and for three times as long as
its last run, is no longer in a crash loop."""


def _settled(pod: Pod, status: ContainerStatus, ran: int, view: ClusterView) -> bool:
    running = status.state.running
    return (
        running is not None
        and status.ready
        and view.older(running.started_at, max(_SETTLED, timedelta(seconds=3 * ran)))
    )


def ends(pod: Pod, status: ContainerStatus, view: ClusterView) -> Iterator[Finding]:
    """The last end of a container that runs again, or has ended: levels and edges.

    OOMKilled within 30 minutes is a warning also when it runs again; within the hour a note; after
    that history. Three crashes with the last one within 15 minutes and short runs between them are
    a crash loop even while the container runs.
    """
    end = _last_end(status)
    if end is None or end.finished_at is None:
        return
    looping = status.state.waiting is not None and status.state.waiting.reason == "CrashLoopBackOff"
    finished = end.finished_at
    if not view.within(finished, RECENT):
        return
    fresh = view.within(finished, EDGE)
    ref = ref_of(pod)
    facts = view.pod_facts(pod)
    batch = facts["owner_kind"] in _BATCH
    running = status.state.running is not None
    evidence = _end_evidence(ref, status)
    if end.reason == "OOMKilled":
        limit = limit_of(pod.spec, status.name)
        size = f" of {limit}" if limit else ""
        again = " and runs again" if running else ""
        yield make(
            "pod-oom-killed",
            ref,
            f"container {status.name} was killed at its memory limit{size}{again}, "
            f"{status.restart_count} restarts",
            Severity.WARNING if fresh and not batch else Severity.INFO,
            "an OOM kill within 30 min is a warning, within an hour a note",
            since=finished,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=fresh and not (running and status.ready and not view.within(finished, SETTLED)),
            detail=status.name,
            facts={
                **facts,
                "container": status.name,
                "limit": limit,
                "restarts": status.restart_count,
                "running_again": running,
            },
        )
        return
    if looping or batch or killed_by_probe(pod, end, view):
        return
    if (
        end.reason == "ContainerStatusUnknown"
        or end.exit_code == 255
        or (end.exit_code == 137 and end.reason == "Error")
    ):
        yield make(
            "pod-container-lost",
            ref,
            f"container {status.name} was lost or killed from outside (exit {end.exit_code} "
            f"{end.reason})",
            Severity.INFO,
            "one lost container is a note; several owners on a node are a finding of the node",
            since=finished,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=False,
            detail=status.name,
            facts={**facts, "container": status.name, "exit_code": end.exit_code},
        )
        return
    ran = _ran(end)
    often = (
        status.restart_count >= 3
        and ran is not None
        and ran < 600
        and view.within(finished, timedelta(minutes=15))
    )
    if running and often and not _settled(pod, status, ran or 0, view):
        yield _crash_loop(pod, status, view, evidence)
    elif end is status.state.terminated and end.exit_code and _restarted(pod, status):
        yield _crash_loop(pod, status, view, evidence, view.now - finished)
    elif running and end.exit_code not in (0, 143):
        yield make(
            "pod-restarted",
            ref,
            f"container {status.name} ended with exit {end.exit_code} and runs again",
            Severity.INFO,
            "one restart that is over is a note",
            since=finished,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=False,
            detail=status.name,
            facts={
                **facts,
                "container": status.name,
                "exit_code": end.exit_code,
                "reason": end.reason,
                "restarts": status.restart_count,
            },
        )


@object_detector("Pod")
def detect(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """All containers of a pod. Succeeded, Failed and terminating pods are reported by
    `triage.detectors.pods.pods`."""
    if is_finished(pod) or pod.metadata.deletion_timestamp is not None:
        return
    for status in statuses(pod):
        yield from waiting(pod, status, view)
        yield from ends(pod, status, view)
    yield from liveness(pod, view)
    yield from starting(pod, view)

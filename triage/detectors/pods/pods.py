"""Pods as a whole: eviction, rejection, readiness, termination."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.conditions import condition_of
from cluster.kube.objects import Pod, Ref
from cluster.kube.pods import has_ended, is_ready, statuses
from triage.detectors.pods.kubelet_probes import failures, not_passed, trouble
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.kubelet import evicted_resource, own_limit
from triage.facts.messages.wording import inner_words, quoted
from triage.facts.windows import (
    EDGE,
    NOTE_AFTER,
    READY_GRACE,
    RECENT,
    TERMINATION_GRACE,
    UNREADY_GRACE,
    start_allowance,
    startup_allows,
)

_PLANNED = ("NodeShutdown", "Terminated", "Shutdown", "Preempting")
_RAN = ("DeadlineExceeded", "NodeLost")


def _ended(pod: Pod, view: ClusterView) -> datetime | None:
    """When a finished pod ended, as far as it says."""
    times = [
        s.state.terminated.finished_at
        for s in statuses(pod)
        if s.state.terminated and s.state.terminated.finished_at
    ]
    target = condition_of(pod.status.conditions, "DisruptionTarget")
    if target is not None and target.last_transition_time:
        times.append(target.last_transition_time)
    # a kubelet that starts again may refuse a pod that has run there for days
    times += [e.last for e in view.events_of(pod) if e.reason == pod.status.reason]
    return max(times) if times else pod.status.start_time or pod.metadata.creation_timestamp


def ended(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Evicted and rejected pods (phase Failed). Old ones are history; planned node shutdown is no
    failure."""
    if pod.status.phase != "Failed":
        return
    ref = ref_of(pod)
    at = _ended(pod, view)
    if not view.within(at, RECENT):
        return
    reason, message = pod.status.reason, pod.status.message
    fresh = view.within(at, EDGE)
    facts = view.pod_facts(pod)
    evidence = [field_evidence(ref, "status", f"{reason}: {message}", at)]
    if reason == "Evicted":
        resource = evicted_resource(message)
        own = own_limit(message)
        why = f": node low on {resource}" if resource else ""
        if own:
            why = f": it exceeded its own limit of {resource} ({quoted(message)})"
        yield make(
            "pod-evicted",
            ref,
            f"evicted by the kubelet{why}",
            Severity.WARNING if fresh else Severity.INFO,
            "eviction within 30 min is a warning, within an hour a note",
            since=at,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=fresh,
            facts={
                **facts,
                "resource": resource,
                "own_limit": own,
                "ended": at.isoformat() if at else "",
            },
        )
    elif _refused(pod):
        yield make(
            "pod-rejected-by-kubelet",
            ref,
            f"refused at admission by the kubelet of {pod.spec.node_name}: {_why(reason, message)}",
            Severity.WARNING if fresh else Severity.INFO,
            "a rejection within 30 min is a warning, within an hour a note",
            since=at,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=fresh,
            facts={**facts, "reason": reason},
        )
    elif reason in (*_PLANNED, "DeadlineExceeded"):
        yield make(
            "pod-ended-by-kubelet",
            ref,
            f"ended by the kubelet of {pod.spec.node_name}: {_why(reason, message)}",
            Severity.INFO,
            "a shutdown or a deadline is announced, and a controller makes the pod again",
            since=at,
            source=SinceSource.STATUS,
            evidence=evidence,
            active=False,
            facts={**facts, "reason": reason},
        )
    else:
        lost = [
            s
            for s in statuses(pod)
            if s.state.terminated and s.state.terminated.reason == "ContainerStatusUnknown"
        ]
        if lost and (owner := view.owner(pod)).kind not in ("Job", "CronJob"):
            yield make(
                "pod-container-lost",
                ref,
                f"ended because its node lost container {lost[0].name}",
                Severity.INFO,
                "one lost container is a note; several owners on a node are a finding of the node",
                since=at,
                source=SinceSource.STATUS,
                evidence=evidence,
                active=False,
                related=[owner],
                facts={**facts, "container": lost[0].name, "exit_code": 137},
            )


def _refused(pod: Pod) -> bool:
    """Refused by the kubelet before any container was started, for whatever reason (the list of
    reasons is open: OutOfcpu, SMTAlignmentError, TopologyAffinityError, NodeAffinity, …)."""
    status = pod.status
    return (
        bool(status.reason)
        and bool(pod.spec.node_name)
        and status.reason not in (*_PLANNED, *_RAN)
        and not any(s.state.running or s.state.terminated for s in statuses(pod))
    )


def _why(reason: str, message: str) -> str:
    text = quoted(message.removeprefix("Pod was rejected: "))
    return f"{reason}: {text}" if text else reason


def terminating(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Deleted and still there two minutes after the grace period (deletionTimestamp is the end of
    that period). One that has ended waits for its finalizers alone (`deletion-stuck`)."""
    until = pod.metadata.deletion_timestamp
    if until is None or (pod.metadata.finalizers and has_ended(pod)):
        return
    if until > view.now:  # The pod's grace period still runs.
        view.wake(until + TERMINATION_GRACE)
        return
    if not view.older(until, TERMINATION_GRACE):
        return
    ref = ref_of(pod)
    late = view.now - until
    node_ready = view.node_ready(pod.spec.node_name) if pod.spec.node_name else True
    why = f"node {pod.spec.node_name}"
    refused = [
        e
        for e in view.events_of(pod)
        if e.reason == "FailedKillPod" and view.within(e.last, RECENT)
    ]
    said = quoted(inner_words(refused[-1].message)) if refused else ""
    if said:
        why = f"{why}: {said}"
    related = [Ref("Node", "", pod.spec.node_name)] if pod.spec.node_name else []
    yield make(
        "pod-stuck-terminating",
        ref,
        f"still terminating {durations.words(late)} after its grace period ({why})",
        Severity.WARNING,
        "over 2 min beyond the grace period",
        since=until,
        source=SinceSource.STATUS,
        related=related,
        evidence=[
            field_evidence(
                ref,
                "metadata.deletionTimestamp",
                durations.utc_clock(until, view.now, seconds=True),
                until,
            ),
            *(event_evidence(e) for e in refused[-1:]),
        ],
        facts={
            **view.pod_facts(pod),
            "seconds": int(late.total_seconds()),
            "node_ready": node_ready,
            "said": said,
        },
    )


def not_ready(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Running and not ready: after 45 s when it had been ready before, after five minutes when it
    never was.

    A pod that never was ready has a Ready condition as old as its start. All Unhealthy events are
    read, not only the newest event.
    """
    if pod.status.phase != "Running" or is_ready(pod):
        return
    ready = condition_of(pod.status.conditions, "Ready")
    if ready is None or ready.reason == "PodCompleted":
        return
    for status in statuses(pod):
        if status.state.waiting is not None or (
            status.state.terminated is not None and status.state.terminated.exit_code != 0
        ):
            return  # Reported for the container.
    start = pod.status.start_time or pod.metadata.creation_timestamp
    since = ready.last_transition_time or start
    if since is None:
        return
    was_ready = start is not None and since - start > timedelta(seconds=5)
    running = [
        s.state.running.started_at
        for s in pod.status.container_statuses
        if s.state.running and s.state.running.started_at
    ]
    restarted = max(running) if running else since
    # a container that started again gets the time of a start
    begin = max(since, restarted) if was_ready and restarted > since else since
    grace = start_allowance(pod.spec) if not was_ready or restarted > since else UNREADY_GRACE
    ref = ref_of(pod)
    failed = failures(pod, view, RECENT)
    silent = [e for e in view.events_of(pod) if e.reason == "NodeNotReady"]
    if not view.older(begin, NOTE_AFTER if _known(was_ready, failed) else grace):
        return
    probe = trouble(pod, failed) if failed or silent else not_passed(pod)
    span = view.now - since
    yield make(
        "pod-not-ready",
        ref,
        f"running, not ready for {durations.words(span)}"
        + (f": {probe.text}" if probe.text else ""),
        Severity.WARNING,
        "not ready for longer than a start takes"
        if not was_ready
        else "was ready, and is not for over 45 s",
        since=since,
        source=SinceSource.CONDITION,
        young=view.young(begin, grace),
        allowed=startup_allows(pod.spec.containers, READY_GRACE),
        evidence=[
            condition_evidence(ref, ready),
            *(event_evidence(e) for e in (*silent[-1:], *failed[-2:])),
        ],
        facts={
            **view.pod_facts(pod),
            "seconds": int(span.total_seconds()),
            "probe": probe.cause,
            "probe_kind": probe.kind,
            "undeclared": probe.undeclared,
            "was_ready": was_ready,
        },
    )


def _known(was_ready: bool, failed: list[EventFact]) -> bool:
    """Whether the reason is known before the grace ends: the pod was ready, or its probe has failed
    more than once."""
    return was_ready or sum(e.count for e in failed) >= 2


@object_detector("Pod")
def detect(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Everything about the pod as a whole. Succeeded pods are healthy."""
    if pod.status.phase == "Succeeded":
        return
    if pod.metadata.deletion_timestamp is not None:
        yield from terminating(pod, view)
        return
    yield from ended(pod, view)
    yield from not_ready(pod, view)

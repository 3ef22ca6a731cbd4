"""What was wrong within the hour and is well now, where only events still show it: pods that are
ready again or at last, and controllers whose pods were refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cluster.kube.conditions import condition_of
from cluster.kube.durations import clock
from cluster.kube.objects import Deployment, Object, Pod, ReplicaSet, StatefulSet
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_ready, statuses
from triage.detectors.pods.kubelet_probes import trouble
from triage.detectors.registry import object_detector
from triage.detectors.workloads.refused import short_of_pods
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.create_failures import create_failure
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.messages.wording import inner_words, quoted
from triage.facts.windows import RECENT, ROLLOUT_GRACE, UNREADY_GRACE, start_allowance

_PROBES = ("Unhealthy", "ProbeError")
_RING = timedelta(seconds=30)
"""A probe fails a last time within this time before the pod is ready."""


@object_detector("Pod")
def pod_again(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """A pod that became ready within the hour after more than its grace, with the warnings of that
    time. Restarts of containers are told by their own findings."""
    ready, start = condition_of(pod.status.conditions, "Ready"), pod.metadata.creation_timestamp
    until = ready.last_transition_time if ready is not None else None
    if not is_ready(pod) or until is None or start is None or not view.within(until, RECENT):
        return
    ends = (s.last_state.terminated for s in statuses(pod))
    if pod.metadata.deletion_timestamp is not None or any(
        view.within(end.finished_at, RECENT) for end in ends if end is not None
    ):
        return
    told = [e for e in view.events_of(pod) if e.type == "Warning" and e.first < until]
    told = [e for e in told if until - e.last < RECENT]
    if not told:
        return
    since, could = min(e.first for e in told), start + start_allowance(pod.spec)
    last = max(told, key=lambda e: (e.last, e.name))
    probe = last.reason in _PROBES
    why = trouble(pod, [last]).text if probe else quoted(inner_words(last.message))
    if since <= could:
        if until > could:
            yield _over(pod, "took long to become ready", why, since, until, [last], view)
    elif probe and until - last.last <= _RING and until - since >= UNREADY_GRACE:
        yield _over(pod, "was not ready", why, since, until, [last], view)


@object_detector("Deployment", "StatefulSet", "ReplicaSet")
def created_again(
    row: Deployment | StatefulSet | ReplicaSet, view: ClusterView
) -> Iterator[Finding]:
    """A controller whose pods were refused for minutes, and that has them all now."""
    if short_of_pods(row) or not row.spec.replicas:
        return
    refused = [
        e
        for e in view.events.about(ref_of(row))
        if e.reason == "FailedCreate" and view.within(e.last, RECENT)
    ]
    if not refused:
        return
    since, until = min(e.first for e in refused), max(e.last for e in refused)
    if until - since >= ROLLOUT_GRACE:
        why = create_failure(refused[-1].message).text
        yield _over(row, "could not create its pods", why, since, until, refused[-1:], view)


def _over(
    row: Object,
    what: str,
    why: str,
    since: datetime,
    until: datetime,
    events: Sequence[EventFact],
    view: ClusterView,
) -> Finding:
    """A note about what is over since `until`."""
    owner = view.owner(row) if isinstance(row, Pod) else controller_of(row.metadata)
    return make(
        "trouble-over",
        ref_of(row),
        f"{what} (gone since {clock(until, view.now, seconds=False)} UTC): {why}",
        Severity.INFO,
        "what is over is a note for an hour",
        since=since,
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in events[-2:]],
        active=False,
        related=[owner] if owner is not None and owner != ref_of(row) else [],
        facts={"reason": events[-1].reason, "until": until.isoformat()},
    )

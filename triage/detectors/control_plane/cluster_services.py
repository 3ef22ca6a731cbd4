"""The cluster's own services: DNS and ingress controllers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

import msgspec

from cluster.kube.conditions import condition_of
from cluster.kube.managed_fields import last_write
from cluster.kube.nodes import ready_status
from cluster.kube.objects import DaemonSet, Deployment, Ingress, Pod, Ref, StatefulSet
from cluster.kube.pods import is_finished, is_ready, statuses
from triage.detectors.registry import object_detector
from triage.facts import blast_radius as blast
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, at_start, ref_of
from triage.facts.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.reboots import reboots_around
from triage.facts.windows import EDGE, READY_GRACE, RECENT, SETTLED

Owner = Deployment | DaemonSet | StatefulSet
UNREADY = timedelta(seconds=60)
"""A pod of a system service that is not ready for longer counts."""


class PodHealth(msgspec.Struct, frozen=True):
    """The state of a set of pods: ready of total, ends within the hour (oldest first), and since
    when one is not ready."""

    ready: int
    total: int
    oom: int
    """Pods killed for memory within the hour."""
    restarted: int
    """Pods with any bad end within the hour, OOM included."""
    looping: int
    times: tuple[datetime, ...]
    unready_since: datetime | None
    limit: str
    evidence: tuple[Evidence, ...]
    fresh: bool
    """The newest end is within half an hour, or something is not ready now."""
    recovered: bool
    """All are ready, and none has ended for ten minutes."""
    backed_off: datetime | None = None
    """When the kubelet first delayed a restart, within the hour."""


def health(pods: list[Pod], view: ClusterView) -> PodHealth:
    """Judge the pods of one system service. An end that a reboot of the node explains is the
    node's."""
    ready = sum(1 for p in pods if is_ready(p))
    oom: set[str] = set()
    restarted: set[str] = set()
    looping = 0
    times: list[datetime] = []
    evidence: list[Evidence] = []
    unready: list[datetime] = []
    first: list[datetime] = []
    limit = ""
    for pod in pods:
        name = pod.metadata.name
        ref = Ref("Pod", pod.metadata.namespace, name)
        for status in statuses(pod):
            end = status.state.terminated or status.last_state.terminated
            if (
                status.state.waiting is not None
                and status.state.waiting.reason == "CrashLoopBackOff"
            ):
                looping += 1
            if (
                end is None
                or end.finished_at is None
                or end.exit_code == 0
                or not view.within(end.finished_at, RECENT)
            ):
                continue
            if status.restart_count == 0 and status.state.terminated is None:
                continue
            if end.reason != "OOMKilled" and (
                reboots_around(pod.spec.node_name, end.finished_at, view)
                or at_start(pod, end.finished_at)
            ):
                continue  # It went down with its node, or the cluster came up.
            restarted.add(name)
            times.append(end.finished_at)
            # The status keeps only the last end; the back-off event gives the beginning.
            held_back = [
                e.first
                for e in view.events_of(pod)
                if e.reason == "BackOff" and "restarting" in e.message
            ]
            first += [moment for moment in held_back if view.now - moment <= RECENT]
            if end.reason == "OOMKilled":
                oom.add(name)
                limit = (
                    next(
                        (
                            c.resources.limits.get("memory", "")
                            for c in pod.spec.containers
                            if c.name == status.name
                        ),
                        "",
                    )
                    or limit
                )
            evidence.append(
                field_evidence(
                    ref,
                    f"status.containerStatuses[{status.name}].lastState",
                    f"{end.reason} exit {end.exit_code}, restarts {status.restart_count}",
                    end.finished_at,
                )
            )
        if not is_ready(pod) and pod.metadata.deletion_timestamp is None:
            condition = condition_of(pod.status.conditions, "Ready")
            since = (
                condition.last_transition_time if condition else None
            ) or pod.metadata.creation_timestamp
            start = pod.metadata.creation_timestamp
            young = start is not None and not view.older(start, READY_GRACE)
            if since is not None and not young and view.older(since, UNREADY):
                unready.append(since)
    times.sort()
    newest = times[-1] if times else None
    return PodHealth(
        ready,
        len(pods),
        len(oom),
        len(restarted),
        looping,
        tuple(times),
        min(unready, default=None),
        limit,
        tuple(evidence[:6]),
        bool(unready) or looping > 0 or view.within(newest, EDGE),
        ready == len(pods) and not looping and not view.within(newest, SETTLED),
        min(first, default=None),
    )


def _pods(ref: Ref, view: ClusterView) -> list[Pod]:
    return [p for p in view.pods_of(ref) if not is_finished(p)]


def sick(state: PodHealth) -> bool:
    """Whether to report it: kills for memory, several restarts, loops and unready pods, but not a
    single restart that is over."""
    return state.total > 0 and (
        state.oom > 0
        or state.looping > 0
        or state.restarted >= 2
        or state.unready_since is not None
    )


def began(state: PodHealth) -> datetime | None:
    moments = [
        t
        for t in (state.unready_since, state.times[0] if state.times else None, state.backed_off)
        if t is not None
    ]
    return min(moments, default=None)


def spoken(state: PodHealth) -> list[str]:
    parts = [f"{state.ready} of {state.total} ready"]
    if state.oom:
        parts.append(
            f"{state.oom} killed at the memory limit{f' of {state.limit}' if state.limit else ''}"
        )
    if state.restarted > state.oom:
        parts.append(f"{state.restarted} restarted")
    return parts


@object_detector("Deployment", "StatefulSet", "DaemonSet")
def serving(row: Owner, view: ClusterView) -> Iterator[Finding]:
    """DNS servers and ingress controllers, each as one service (stories 003 #1 and #3)."""
    kind = type(row).__name__
    role = view.role(row)
    if role not in ("dns", "ingress"):
        return
    ref = Ref(kind, row.metadata.namespace, row.metadata.name)
    pods = _pods(ref, view)
    if not pods:
        if role == "dns":
            yield from _dns_scaled_away(row, ref, view)
        return
    state = health(pods, view)
    if role == "dns":
        yield from _dns(row, ref, pods, state)
    else:
        yield from _ingress(row, ref, pods, state, view)


class _Common(TypedDict):
    """What the findings of a sick service share, as arguments of `make`."""

    severity: Severity
    since: datetime | None
    source: SinceSource
    evidence: Sequence[Evidence]
    active: bool
    related: list[Ref]
    facts: dict[str, Fact]


def _degraded(ref: Ref, state: PodHealth, pods: list[Pod], worse: bool, **facts: Fact) -> _Common:
    """`worse`: critical for a reason other than that none is ready or two were killed."""
    bad = (state.ready == 0 or state.oom >= 2 or worse) and not state.recovered
    severity = Severity.CRITICAL if bad else Severity.WARNING
    return _Common(
        severity=severity if state.fresh else Severity.INFO,
        since=began(state),
        source=SinceSource.STATUS,
        evidence=state.evidence or [field_evidence(ref, "pods", spoken(state)[0])],
        active=state.fresh and not state.recovered,
        related=[ref_of(p) for p in pods],
        facts={
            "ready": state.ready,
            "total": state.total,
            "oom_killed": state.oom,
            "restarted": state.restarted,
            "limit": state.limit,
            **facts,
        },
    )


def _dns(row: Owner, ref: Ref, pods: list[Pod], state: PodHealth) -> Iterator[Finding]:
    if sick(state):
        looping = state.looping > 0 and state.ready * 2 < state.total
        yield make(
            "dns-degraded",
            ref,
            f"the cluster's DNS: {', '.join(spoken(state))} within the hour",
            why="critical when none is ready, or two were killed within 30 min and not all are "
            "ready for 10",
            **_degraded(ref, state, pods[:10], looping, crash_looping=state.looping),
        )
    if not isinstance(row, DaemonSet) and state.ready and row.spec.replicas == 1:
        yield make(
            "dns-single",
            ref,
            "DNS runs as one replica",
            Severity.INFO,
            "a single point of failure is a note",
            evidence=[field_evidence(ref, "spec.replicas", str(row.spec.replicas))],
            facts={"replicas": state.ready},
        )


def _dns_scaled_away(row: Owner, ref: Ref, view: ClusterView) -> Iterator[Finding]:
    """DNS scaled to zero while its Service has no other endpoint. A workload that another one
    replaced may stay at zero."""
    if isinstance(row, DaemonSet) or row.spec.replicas != 0 or not view.readable("EndpointSlice"):
        return
    services = view.store.services_selecting(ref.namespace, row.spec.template.metadata.labels)
    slices = [
        s for service in services for s in view.slices_of(ref.namespace, service.metadata.name)
    ]
    if not services or any(e.conditions.ready is not False for s in slices for e in s.endpoints):
        return
    edit = last_write(row.metadata, "f:spec", "f:replicas")
    if edit is not None and not view.older(edit.time, timedelta(seconds=60)):
        return
    name = services[0].metadata.name
    yield make(
        "dns-degraded",
        ref,
        f"the cluster's DNS: scaled to 0, and Service {name} has no endpoint",
        Severity.CRITICAL,
        "critical when none is ready, or two were killed within 30 min",
        since=edit.time if edit else None,
        source=SinceSource.MANAGED_FIELDS if edit else SinceSource.FIRST_SEEN,
        evidence=[
            field_evidence(
                ref,
                "spec.replicas",
                f"0, by {edit.manager}" if edit else "0",
                edit.time if edit else None,
            )
        ],
        related=[Ref("Service", ref.namespace, name)],
        facts={
            "ready": 0,
            "total": 0,
            "oom_killed": 0,
            "restarted": 0,
            "limit": "",
            "crash_looping": 0,
        },
    )


def _node_works(pod: Pod, view: ClusterView) -> bool:
    """Whether the pod's node is known and Ready; otherwise the pod may be down with its node."""
    node = view.node(pod.spec.node_name)
    return node is not None and ready_status(node) == "True"


def _ingress(
    workload: Owner, ref: Ref, pods: list[Pod], state: PodHealth, view: ClusterView
) -> Iterator[Finding]:
    if not sick(state):
        return
    hosts: set[str] = set()
    backends = ready = 0
    for row in view.store.all("Ingress", Ingress):
        hosts.update(r.host for r in row.spec.rules if r.host)
        for name in roles.backends(row):
            backends += 1
            ready += bool(blast.ready_endpoints(row.metadata.namespace, name, view))
    within = int((state.times[-1] - state.times[0]).total_seconds()) if state.times else 0
    parts = ", ".join(spoken(state))
    yield make(
        "ingress-degraded",
        ref,
        f"the ingress controller: {parts} within the hour; {len(hosts)} hosts behind it",
        why="critical when none is ready, two were killed for memory, or most restarted within "
        "30 min",
        **_degraded(
            ref,
            state,
            pods[:50],
            state.restarted * 2 > state.total,
            hosts=len(hosts),
            within_seconds=within,
            backends_ready=backends > 0 and ready * 10 >= backends * 8,
            by_itself=state.restarted > 0
            or any(not is_ready(p) and _node_works(p, view) for p in pods),
            ingress_selector=",".join(
                f"{key}={value}"
                for key, value in sorted(workload.spec.selector.match_labels.items())
            ),
        ),
    )

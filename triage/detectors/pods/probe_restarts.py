"""Restarts that a failed liveness or startup probe orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.conditions import condition_of
from cluster.kube.objects import ContainerStateTerminated, Pod
from cluster.kube.pods import statuses
from triage.detectors.pods.kubelet_probes import failures, impatience, trouble
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.windows import EDGE, SETTLED, start_allowance


def killed_by_probe(pod: Pod, end: ContainerStateTerminated | None, view: ClusterView) -> bool:
    """Whether the kubelet ended the container for a failed liveness or startup probe: such a
    restart is no crash, and not a kill from outside."""
    if end is None or end.finished_at is None or end.exit_code not in (137, 143):
        return False
    grace = timedelta(seconds=pod.spec.termination_grace_period_seconds + 30)
    return any(
        e.reason == "Killing"
        and "probe" in e.message
        and e.first - grace <= end.finished_at <= e.last + grace
        for e in view.events_of(pod)
    )


def liveness(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Restarts ordered by a liveness or startup probe: Killing events (Normal) and Unhealthy
    ones."""
    kills = [
        e
        for e in view.events_of(pod)
        if e.reason == "Killing" and "probe" in e.message and view.within(e.last, EDGE)
    ]
    if not kills:
        return
    probes = [e for e in failures(pod, view) if not e.message.startswith("Readiness")]
    count = sum(e.count for e in kills)
    probe = trouble(pod, probes)
    kind = "startup" if "startup probe" in kills[-1].message.lower() else "liveness"
    looping = any(
        s.state.waiting is not None and s.state.waiting.reason == "CrashLoopBackOff"
        for s in statuses(pod)
    )
    why = [text for text in (probe.text, impatience(pod, kind, view)) if text]
    heavy = count >= 3 or looping
    ready = condition_of(pod.status.conditions, "Ready", "False")
    lasting = ready is not None and view.older(
        ready.last_transition_time, start_allowance(pod.spec)
    )
    yield make(
        "pod-liveness-killed",
        ref_of(pod),
        f"restarted {count} time{'s' if count > 1 else ''} by its {kind} probe"
        + (f", which {'; '.join(why).removeprefix(f'its {kind} probe ')}" if why else ""),
        Severity.WARNING if heavy else Severity.INFO,
        "three or more such restarts within 30 min, or a back-off, are a warning",
        since=kills[0].first,
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in (*probes[-1:], kills[-1])],
        young=None if heavy or lasting else view.young(kills[-1].last, SETTLED),
        active=heavy,
        facts={
            **view.pod_facts(pod),
            "count": count,
            "probe": probe.cause or "other",
            "probe_kind": kind,
            "undeclared": probe.undeclared,
        },
    )

"""Init containers that do not end, and sidecars that never start: they hold the whole pod."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.durations import words
from cluster.kube.objects import Container, ContainerStatus, Pod
from triage.detectors.pods.kubelet_probes import failures, trouble
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, make
from triage.facts.windows import INIT_GRACE, NOTE_AFTER, startup_allows, startup_budget


@object_detector("Pod")
def holding(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """The first init container that runs, or the first sidecar that is not started, while the pod
    is Pending: nothing crashes, and often no event says why."""
    if pod.status.phase != "Pending" or pod.metadata.deletion_timestamp is not None:
        return
    sidecars = {c.name: c for c in pod.spec.init_containers if c.restart_policy == "Always"}
    for status in pod.status.init_container_statuses:
        sidecar = sidecars.get(status.name)
        if status.state.running is None or (sidecar is not None and status.started):
            continue
        since = status.state.running.started_at or pod.status.start_time
        if since is None or not view.older(since, 3 * NOTE_AFTER):
            return
        yield _held(pod, status, sidecar, view)
        return


def _held(
    pod: Pod, status: ContainerStatus, sidecar: Container | None, view: ClusterView
) -> Finding:
    assert status.state.running is not None
    since = status.state.running.started_at or pod.status.start_time or view.now
    ref = ref_of(pod)
    failed = failures(pod, view)
    probe = trouble(pod, failed)
    span = words(view.now - since)
    what = "sidecar" if sidecar else "init container"
    grace = max(INIT_GRACE, startup_budget(sidecar.startup_probe) if sidecar else INIT_GRACE)
    text = f"{what} {status.name} has not {'started' if sidecar else 'ended'} for {span}"
    if sidecar and failed:
        text += f": {probe.text}"
    return make(
        "pod-init-waiting",
        ref,
        f"waits: {text}",
        Severity.WARNING,
        "over 10 min, or the budget of the startup probe of a sidecar, where that is longer",
        since=since,
        source=SinceSource.STATUS,
        young=view.young(since, grace),
        allowed=startup_allows([sidecar] if sidecar else [], INIT_GRACE),
        detail=status.name,
        evidence=[
            field_evidence(
                ref, f"status.initContainerStatuses[{status.name}].state", f"running for {span}"
            ),
            *(event_evidence(e) for e in failed[-1:]),
        ],
        facts={
            **view.pod_facts(pod),
            "container": status.name,
            "sidecar": sidecar is not None,
            "probe": probe.cause,
            "seconds": int((view.now - since).total_seconds()),
        },
    )

"""What no controller processes: specs that were not observed, endpoints that are not updated, pods
that ended and stay so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import DaemonSet, Deployment, Pod, Ref, Service, StatefulSet
from cluster.kube.pods import statuses
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, from_events, make
from triage.facts.windows import EDGE, RECENT, STANDING

_OBSERVED = timedelta(minutes=5)
"""A controller that is busy with thousands of objects still sees a change within this time."""


@object_detector("Deployment", "StatefulSet", "DaemonSet")
def generation(row: Deployment | DaemonSet | StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """A change that its controller has not seen (kubernetes-mixin
    KubeDeploymentGenerationMismatch): the controller manager is away.

    Only where the controller has ever reported: an object that was copied without its status says
    nothing.
    """
    seen, wanted = row.status.observed_generation, row.metadata.generation
    if not 0 < seen < wanted:
        return
    last = last_write(row.metadata, "f:spec")
    if last is None or not view.older(last.time, _OBSERVED):
        return
    ref = ref_of(row)
    yield make(
        "generation-not-observed",
        ref,
        f"its controller has not acted on generation {wanted}, written by {last.manager or '?'}",
        Severity.WARNING,
        "a change that no controller has seen for over 5 min",
        since=last.time,
        source=SinceSource.MANAGED_FIELDS,
        evidence=[
            field_evidence(
                ref, "status.observedGeneration", f"{seen}, metadata.generation {wanted}", last.time
            )
        ],
        facts={"generation": wanted, "observed": seen, "manager": last.manager},
    )


@object_detector("StatefulSet")
def governing_service(row: StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """A StatefulSet whose headless Service does not exist: its pods have no names of their own.

    Many charts name a Service that they never create. One that has been ready for a day without it
    needs no such names.
    """
    name = row.spec.service_name
    if not name or row.spec.replicas == 0 or not view.readable("Service"):
        return
    if view.store.get("Service", row.metadata.namespace, name) is not None:
        return
    ready = row.status.ready_replicas >= row.spec.replicas
    if ready and view.older(row.metadata.creation_timestamp, STANDING):
        return
    ref = ref_of(row)
    yield make(
        "governing-service-missing",
        ref,
        f"its Service {name} does not exist: its pods have no names of their own",
        Severity.INFO,
        "a missing name is a note beside what fails for it",
        since=row.metadata.creation_timestamp,
        source=SinceSource.CREATION,
        evidence=[field_evidence(ref, "spec.serviceName", name)],
        facts={"service": name},
        related=[Ref("Service", row.metadata.namespace, name)],
    )


@object_detector("Service")
def endpoints(row: Service, view: ClusterView) -> Iterator[Finding]:
    """FailedToUpdateEndpoint(Slices) of the endpoint controllers: clients are still sent to deleted
    pods."""
    ref = ref_of(row)
    failed = [
        e
        for e in view.events.about(ref)
        if e.reason.startswith("FailedToUpdateEndpoint") and view.within(e.last, EDGE)
    ]
    if failed and (len(failed) > 1 or failed[-1].count > 1):  # The next try settles one conflict.
        yield make(
            "endpoints-not-updated",
            ref,
            "its endpoints cannot be updated",
            Severity.WARNING,
            "more than one failed update within 30 min",
            **from_events(failed),
            facts={"count": sum(e.count for e in failed)},
        )


@object_detector("Pod")
def ended_for_good(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """A bare pod that failed and is not started again (a note). A Job retries, other controllers
    create a new pod."""
    if pod.status.phase != "Failed" or pod.status.reason or pod.metadata.owner_references:
        return
    ends = [
        s.state.terminated
        for s in statuses(pod)
        if s.state.terminated is not None and s.state.terminated.exit_code
    ]
    last = max(
        ends, key=lambda e: e.finished_at.timestamp() if e.finished_at else 0.0, default=None
    )
    if last is None or not view.within(last.finished_at, RECENT):
        return
    ref = ref_of(pod)
    yield make(
        "pod-failed",
        ref,
        f"ended with exit {last.exit_code} and is not started again",
        Severity.INFO,
        "a bare pod that failed is a note",
        since=last.finished_at,
        source=SinceSource.STATUS,
        active=False,
        evidence=[
            field_evidence(
                ref,
                "status.phase",
                f"Failed, exit {last.exit_code} {last.reason}",
                last.finished_at,
            )
        ],
        facts={**view.pod_facts(pod), "exit_code": last.exit_code, "reason": last.reason},
    )

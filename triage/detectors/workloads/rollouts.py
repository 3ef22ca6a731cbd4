"""Rollouts of Deployments and StatefulSets: stuck, paused, and without draining."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube import durations
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, Pod, Ref, ReplicaSet, StatefulSet
from cluster.kube.owners import controller_of
from triage.detectors.registry import object_detector
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.container_probes import probe_cause
from triage.facts.windows import EDGE, INCIDENT

Scalable = Deployment | StatefulSet


def replica_sets(row: Deployment, view: ClusterView) -> list[ReplicaSet]:
    """Its ReplicaSets, newest first."""
    owned = [r for r in view.store.owned_by(row.metadata.uid).values() if isinstance(r, ReplicaSet)]
    return sorted(
        owned,
        key=lambda r: (r.metadata.creation_timestamp or view.now, r.metadata.name),
        reverse=True,
    )


def last_rollout(row: Scalable, view: ClusterView) -> datetime | None:
    """When the pod template last changed: creation of the newest ReplicaSet with replicas, or the
    last write to the template."""
    if isinstance(row, Deployment):
        current = [r for r in replica_sets(row, view) if r.spec.replicas]
        if current:
            return current[0].metadata.creation_timestamp
        return row.metadata.creation_timestamp
    edit = last_write(row.metadata, "f:spec", "f:template")
    return (edit.time if edit else None) or row.metadata.creation_timestamp


@object_detector("Deployment", "StatefulSet")
def rollout_stuck(row: Scalable, view: ClusterView) -> Iterator[Finding]:
    """Progressing=False, ProgressDeadlineExceeded."""
    for condition in row.status.conditions:
        if (
            condition.type == "Progressing"
            and condition.status == "False"
            and condition.reason == "ProgressDeadlineExceeded"
        ):
            image = ", ".join(c.image for c in row.spec.template.spec.containers)
            paused = isinstance(row, Deployment) and row.spec.paused
            yield make(
                "rollout-stuck",
                ref_of(row),
                "its rollout made no progress within its deadline",
                Severity.WARNING,
                "progress deadline exceeded",
                since=condition.last_transition_time,
                source=SinceSource.CONDITION,
                evidence=[condition_evidence(ref_of(row), condition)],
                facts={"image": image, "paused": paused},
            )


@object_detector("Deployment")
def paused(row: Deployment, view: ClusterView) -> Iterator[Finding]:
    """A rollout that was paused half-way: pods of two revisions serve."""
    updated, desired = row.status.updated_replicas, row.spec.replicas
    if not row.spec.paused or updated >= desired or row.status.replicas == 0:
        return
    edit = last_write(row.metadata, "f:spec", "f:paused")
    since = edit.time if edit else None
    ref = ref_of(row)
    by = f" by {edit.manager}" if edit and edit.manager else ""
    short = since is not None and not view.older(since, INCIDENT)
    yield make(
        "rollout-paused",
        ref,
        f"its rollout is paused{by}: {updated} of {desired} pods are of the new revision",
        Severity.INFO if short else Severity.WARNING,
        "a rollout that stays paused for over two hours; a note before",
        since=since,
        source=SinceSource.MANAGED_FIELDS if since else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "spec.paused", "true", since)],
        facts={"updated": updated, "desired": desired},
    )


@object_detector("Deployment")
def not_graceful(row: Deployment, view: ClusterView) -> Iterator[Finding]:
    """Rolled out within half an hour behind a Service, with nothing that lets connections drain
    (story 003): a note."""
    if not row.spec.replicas:
        return
    sets = replica_sets(row, view)
    rollout = last_rollout(row, view)
    if len(sets) < 2 or not view.within(rollout, EDGE):
        return
    template = row.spec.template
    services = view.store.services_selecting(row.metadata.namespace, template.metadata.labels)
    main = template.spec.containers
    pre_stop = any(c.lifecycle is not None and c.lifecycle.pre_stop is not None for c in main)
    if not services or pre_stop:
        return
    readiness = any(c.readiness_probe is not None for c in main)
    ingress = any(roles.is_backend(s, view.store) for s in services)
    rolling = (
        row.status.updated_replicas < row.spec.replicas or row.status.replicas > row.spec.replicas
    )
    missing = "no preStop" if readiness else "no preStop and no readiness probe"
    grace = template.spec.termination_grace_period_seconds
    cut = _stopped_listening(sets, rollout, view)
    several = len(cut) > 1  # one probe may meet any pod that ends
    yield make(
        "rollout-not-graceful",
        ref_of(row),
        f"rolled out at {durations.utc_clock(rollout or view.now, view.now)} with {missing}: "
        "connections may be cut"
        + (f"; {len(cut)} pods refused connections while they ended" if several else ""),
        Severity.WARNING if several else Severity.INFO,
        "several pods refused connections" if several else "a rollout without draining is a note",
        since=rollout,
        source=SinceSource.CREATION,
        active=rolling,
        evidence=[
            field_evidence(
                ref_of(row),
                "spec.template.spec.containers",
                f"{missing}, terminationGracePeriodSeconds {grace}",
            ),
            *map(event_evidence, cut[-2:]),
        ],
        facts={
            "pre_stop": pre_stop,
            "readiness": readiness,
            "grace_seconds": grace,
            "at": rollout.isoformat() if rollout else "",
            "restarting": rolling,
            "ingress": ingress,
            "cut": len(cut),
        },
    )


def _stopped_listening(
    sets: list[ReplicaSet], rollout: datetime | None, view: ClusterView
) -> list[EventFact]:
    """Refused probes of pods that end (of the previous revision, terminating or gone), one for each
    pod: clients were refused as well.

    A pod that starts refuses too, before it listens: those of the newest revision do not count.
    """
    before = {s.metadata.name for s in sets[1:]}
    found: dict[Ref, EventFact] = {}
    for event in view.events.reasons("Unhealthy"):
        ref = event.about
        if ref.namespace != sets[0].metadata.namespace or rollout is None or event.last < rollout:
            continue
        if probe_cause(event.message) != "refused":
            continue
        pod = view.store.get(*ref)
        if isinstance(pod, Pod):
            owner = controller_of(pod.metadata)
            mine = owner is not None and owner.name in {s.metadata.name for s in sets}
            leaving = mine and (
                pod.metadata.deletion_timestamp is not None
                or (owner is not None and owner.name in before)
            )
        else:
            leaving = ref.name.rpartition("-")[0] in before
        if leaving:
            found[ref] = event
    return list(found.values())

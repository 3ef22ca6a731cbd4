"""Deployments, StatefulSets and ReplicaSets: availability, rollouts, creation failures, spread,
data in emptyDir."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, Node, Pod, Ref, ReplicaSet, StatefulSet
from cluster.kube.owners import controller_of
from triage.detectors.registry import object_detector
from triage.facts import quantity, roles
from triage.facts.cluster_view import ZONE, ClusterView, is_finished, is_ready, label, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Fact, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.container_probes import probe_cause
from triage.facts.placement import eligible, fits
from triage.facts.windows import (
    EDGE,
    INCIDENT,
    READY_GRACE,
    ROLLOUT_GRACE,
    STANDING,
    start_allowance,
)

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


def _grace(pod: Pod, unready: datetime) -> timedelta:
    """How long it may be unready: from its start on, as long as its probes allow."""
    start = pod.status.start_time
    never_ready = start is not None and unready - start <= timedelta(seconds=5)
    return start_allowance(pod.spec) if never_ready else READY_GRACE


def _unready_since(pod: Pod) -> datetime | None:
    ready = next((c for c in pod.status.conditions if c.type == "Ready"), None)
    return (ready.last_transition_time if ready else None) or pod.metadata.creation_timestamp


@object_detector("Deployment", "StatefulSet")
def availability(row: Scalable, view: ClusterView) -> Iterator[Finding]:
    """Fewer ready replicas than wanted. A rollout or a scaling gets five minutes; a new workload as
    well."""
    desired, ready = row.spec.replicas, row.status.ready_replicas
    if desired <= ready or desired == 0:
        return
    created = row.metadata.creation_timestamp
    if created is not None and not view.older(created, start_allowance(row.spec.template.spec)):
        return
    pods = [
        p
        for p in view.pods_of(ref_of(row))
        if not is_finished(p) and p.metadata.deletion_timestamp is None
    ]
    unready = [p for p in pods if not is_ready(p)]
    if len(pods) - len(unready) >= desired:
        return  # The pods are there, but the status has not counted them yet.
    times = [t for t in map(_unready_since, unready) if t is not None]
    available = next((c for c in row.status.conditions if c.type == "Available"), None)
    ref = ref_of(row)
    role = view.role(row)
    facts: dict[str, Fact] = {"ready": ready, "desired": desired, "role": role}
    if ready == 0:
        since = (
            available.last_transition_time
            if available and available.status == "False"
            else min(times, default=None)
        )
        if since is not None and not view.older(since, timedelta(seconds=60)):
            return
        heavy = desired >= 2 or role in ("dns", "ingress")
        yield make(
            "workload-unavailable",
            ref,
            f"0 of {desired} replicas ready",
            Severity.CRITICAL if heavy else Severity.WARNING,
            "no replica is ready (a warning where only one is wanted)",
            since=since,
            source=SinceSource.CONDITION if since else SinceSource.FIRST_SEEN,
            evidence=[condition_evidence(ref, available)]
            if available
            else [field_evidence(ref, "status.readyReplicas", "0")],
            facts={**facts, "single": desired == 1},
        )
        return
    rollout = last_rollout(row, view)
    if rollout is not None and not view.older(rollout, ROLLOUT_GRACE):
        return
    old = [t for p in unready if (t := _unready_since(p)) and view.older(t, _grace(p, t))]
    missing = desired - len(pods)
    if not old and missing <= 0:
        return
    scaled = last_write(row.metadata, "f:spec", "f:replicas")
    if not old and (
        scaled is None or scaled.time is None or not view.older(scaled.time, ROLLOUT_GRACE)
    ):
        return
    yield make(
        "workload-degraded",
        ref,
        f"{ready} of {desired} replicas ready",
        Severity.WARNING,
        "short of replicas, and no rollout explains it",
        since=min(old, default=None),
        source=SinceSource.CONDITION if old else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "status.readyReplicas", f"{ready} of {desired}")],
        facts=facts,
    )


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


@object_detector("StatefulSet")
def waits_for_pod(row: StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """The next pod is made, or updated, when the one before it is Ready (OrderedReady): the first
    that is not holds all that follow."""
    pods = [p for p in view.pods_of(ref_of(row)) if not is_finished(p)]
    missing = row.spec.replicas - len(pods)
    updating = row.status.update_revision not in ("", row.status.current_revision)
    held = sorted((p for p in pods if not is_ready(p)), key=lambda p: _ordinal(p))
    if not held or not (missing > 0 or updating):
        return
    first = held[0]
    since = _unready_since(first)
    if not view.older(since, READY_GRACE):
        return
    what = f"{missing} more pods are" if missing > 1 else "one more pod is"
    rest = f"{what} not made" if missing > 0 else "its update goes no further"
    ref = ref_of(row)
    yield make(
        "statefulset-waits",
        ref,
        f"waits for {first.metadata.name}, which is not ready: {rest}",
        Severity.WARNING,
        "one pod that is not ready for over 5 min holds all that follow",
        since=since,
        source=SinceSource.CONDITION,
        evidence=[field_evidence(ref_of(first), "status.conditions", "Ready=False", since)],
        related=[ref_of(first)],
        facts={"pod": first.metadata.name, "missing": max(missing, 0), "updating": updating},
    )


def _ordinal(pod: Pod) -> int:
    number = pod.metadata.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


@object_detector("Deployment", "StatefulSet")
def spread(row: Scalable, view: ClusterView) -> Iterator[Finding]:
    """All ready replicas on one node (story 000): a warning where the template prefers otherwise, a
    note where it says nothing.

    A hard rule (required anti-affinity, DoNotSchedule) cannot end so, and a node selector or volume
    may leave no choice.
    """
    if row.spec.replicas < 2:
        return
    template = row.spec.template.spec
    pods = [
        p
        for p in view.pods_of(ref_of(row))
        if not is_finished(p)
        and p.metadata.deletion_timestamp is None
        and is_ready(p)
        and p.spec.node_name
    ]
    if len(pods) < 2:
        return
    names = {p.spec.node_name for p in pods}
    affinity = template.affinity
    anti = affinity.pod_anti_affinity if affinity else None
    preferred = bool(anti and anti.preferred and not anti.required)
    soft = any(
        c.when_unsatisfiable == "ScheduleAnyway" for c in template.topology_spread_constraints
    )
    ref = ref_of(row)
    since = max(
        (p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp), default=None
    )
    if not view.older(since, READY_GRACE):
        return  # Replicas may still move while nodes come and go.
    if len(names) == 1:
        name = next(iter(names))
        others = [
            n
            for n in view.store.all("Node", Node)
            if n.metadata.name != name and eligible(template, n)
        ]
        if not others:
            return
        free = sum(1 for n in others if fits(template, n))
        services = tuple(sorted(s.metadata.name for s in view.services_of(pods[0])))
        # Nodes that joined later took no part in the choice: kubeadm and kind place DNS on the
        # first node. And what was placed long ago is known.
        choice = any(_there(n, since) for n in others)
        given_up = (preferred or soft) and choice and view.within(since, STANDING)
        rule = (
            "anti-affinity is only preferred"
            if preferred
            else "spread is only preferred"
            if soft
            else "no rule spreads them"
        )
        yield make(
            "replicas-on-one-node",
            ref,
            f"all {len(pods)} ready replicas are on {name}, {free} of {len(others)} other nodes "
            f"would take them; {rule}",
            Severity.WARNING
            if given_up and len(pods) * 3 >= row.spec.replicas * 2
            else Severity.INFO,
            "a stated preference that was given up within a day is a warning; no preference, no "
            "choice, or replicas that are down elsewhere, a note",
            since=since,
            source=SinceSource.CREATION,
            related=[Ref("Node", "", name)],
            evidence=[
                field_evidence(ref_of(p), "spec.nodeName", name, p.metadata.creation_timestamp)
                for p in pods[:4]
            ],
            facts={
                "replicas": len(pods),
                "node": name,
                "preferred": preferred,
                "spread": soft,
                "given_up": given_up,
                "other_nodes": len(others),
                "free_nodes": free,
                "services": services,
            },
        )
        return
    if not (preferred or soft):
        return
    zones = {label(n.metadata, ZONE) for n in map(view.node, names) if n is not None}
    every = {label(n.metadata, ZONE) for n in view.store.all("Node", Node) if fits(template, n)}
    if len(zones) == 1 and "" not in zones and len(every) > 1:
        zone = next(iter(zones))
        yield make(
            "replicas-in-one-zone",
            ref,
            f"all {len(pods)} ready replicas are in zone {zone}",
            Severity.INFO,
            "one zone is a note",
            since=since,
            source=SinceSource.CREATION,
            facts={"replicas": len(pods), "zone": zone},
            evidence=[field_evidence(ref, "pods", f"zone {zone}")],
        )


def _there(node: Node, at: datetime | None) -> bool:
    """Whether a node had joined at that moment."""
    joined = node.metadata.creation_timestamp
    return joined is None or at is None or joined < at


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
        f"rolled out at {quantity.moment_text(rollout or view.now, view.now)} with {missing}: "
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


@object_detector("StatefulSet")
def data_in_emptydir(row: StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """A StatefulSet without claims whose template was edited within hours, so that its pods came up
    empty (story 002 Flant)."""
    spec = row.spec.template.spec
    if row.spec.volume_claim_templates or any(
        v.persistent_volume_claim or v.host_path for v in spec.volumes
    ):
        return
    if not any(v.empty_dir is not None and v.empty_dir.medium != "Memory" for v in spec.volumes):
        return
    created = row.metadata.creation_timestamp
    edit = last_write(row.metadata, "f:spec", "f:template") or last_write(row.metadata, "f:spec")
    rolling = (
        bool(row.status.update_revision)
        and row.status.current_revision != row.status.update_revision
    )
    at = edit.time if edit else None
    if at is not None and created is not None and at - created < READY_GRACE:
        at = None
    ref = ref_of(row)
    pods = [p for p in view.pods_of(ref) if not is_finished(p)]
    recent = [
        p
        for p in pods
        if p.metadata.creation_timestamp
        and created
        and p.metadata.creation_timestamp - created > READY_GRACE
    ]
    restarted = [
        p
        for p in recent
        if p.metadata.creation_timestamp
        and (
            view.within(p.metadata.creation_timestamp, INCIDENT)
            if at is None
            else p.metadata.creation_timestamp >= at
        )
    ]
    known = at is not None or rolling
    if (
        at is None
        and created is not None
        and len(restarted) >= 2
        and len(restarted) * 2 >= len(pods)
    ):
        at = min(
            (p.metadata.creation_timestamp for p in restarted if p.metadata.creation_timestamp),
            default=None,
        )
    if not rolling and not (view.within(at, 3 * INCIDENT) and restarted):
        return
    fresh = known and (rolling or view.within(at, INCIDENT))
    by = edit.manager if edit and at else ""
    what = (
        f"{len(restarted)} of {len(pods)} pods were recreated"
        if restarted
        else "its pods are being replaced"
    )
    yield make(
        "stateful-on-emptydir",
        ref,
        f"keeps its data in emptyDir, was edited{f' by {by}' if by else ''}, and {what}",
        Severity.WARNING if fresh else Severity.INFO,
        "an edit within two hours that restarts pods without claims",
        since=at,
        source=SinceSource.MANAGED_FIELDS if at else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref, "spec", "emptyDir volumes, no volumeClaimTemplates", at)],
        related=[ref_of(p) for p in restarted],
        facts={
            "edited_by": by,
            "edited_at": at.isoformat() if at else "",
            "restarted": len(restarted),
            "pods": len(pods),
            "rolling": rolling,
        },
    )

"""Autoscalers, disruption budgets and quotas. At the minimum, at the limit of a budget: healthy."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import HorizontalPodAutoscaler, PodDisruptionBudget, ResourceQuota
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.create_failures import exceeded
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import (
    condition_evidence,
    field_evidence,
    make,
    told,
)
from triage.facts.windows import EDGE, READY_GRACE


@object_detector("HorizontalPodAutoscaler")
def autoscaler(row: HorizontalPodAutoscaler, view: ClusterView) -> Iterator[Finding]:
    """ScalingLimited with TooManyReplicas (a note), ScalingActive or AbleToScale False.
    ScalingDisabled is by intent (0 replicas)."""
    ref = ref_of(row)
    for condition in row.status.conditions:
        evidence = [condition_evidence(ref, condition)]
        since = condition.last_transition_time
        if (
            condition.type == "ScalingLimited"
            and condition.status == "True"
            and condition.reason == "TooManyReplicas"
        ):
            if row.spec.max_replicas > row.spec.min_replicas:
                yield make(
                    "hpa-maxed",
                    ref,
                    f"wants more than its maximum of {row.spec.max_replicas} replicas",
                    Severity.INFO,
                    "an autoscaler at its maximum is a note",
                    since=since,
                    source=SinceSource.CONDITION,
                    evidence=evidence,
                    facts={
                        "current": row.status.current_replicas,
                        "maximum": row.spec.max_replicas,
                    },
                )
        elif (
            condition.type in ("ScalingActive", "AbleToScale")
            and condition.status == "False"
            and condition.reason != "ScalingDisabled"
        ):
            created = row.metadata.creation_timestamp
            if (created is not None and not view.older(created, READY_GRACE)) or not view.older(
                since or created, READY_GRACE
            ):
                continue
            yield make(
                "hpa-cannot-scale",
                ref,
                f"cannot scale: {condition.reason}",
                Severity.WARNING,
                "an autoscaler that is blind for over 5 min",
                since=since,
                source=SinceSource.CONDITION,
                evidence=evidence,
                detail=condition.type,
                facts={"reason": condition.reason},
            )


@object_detector("PodDisruptionBudget")
def budget(row: PodDisruptionBudget, view: ClusterView) -> Iterator[Finding]:
    """Fewer healthy pods than wanted, so that no eviction is allowed (a note: the pods tell why).
    Exactly at the limit is healthy."""
    status = row.status
    if (
        status.disruptions_allowed == 0
        and status.current_healthy < status.desired_healthy
        and status.expected_pods > 0
    ):
        ref = ref_of(row)
        yield make(
            "pdb-blocking",
            ref,
            f"blocks every eviction: {status.current_healthy} of {status.desired_healthy} wanted "
            "pods are healthy",
            Severity.INFO,
            "a budget that blocks because pods are unhealthy is a note beside their findings",
            evidence=[
                field_evidence(
                    ref,
                    "status",
                    f"currentHealthy {status.current_healthy}, desiredHealthy "
                    f"{status.desired_healthy}",
                )
            ],
            facts={"healthy": status.current_healthy, "desired": status.desired_healthy},
        )


@object_detector("ResourceQuota")
def quota(row: ResourceQuota, view: ClusterView) -> Iterator[Finding]:
    """A quota that is used up and refuses objects now (FailedCreate within half an hour). A full
    quota that refuses nothing is healthy."""
    name = row.metadata.name
    refused = [
        e
        for e in view.events.reasons("FailedCreate")
        if e.about.namespace == row.metadata.namespace
        and f"exceeded quota: {name}," in f"{e.message},"
        and view.within(e.last, EDGE)
    ]
    if not refused:
        return
    told_of = exceeded(refused[-1].message)
    resource = told_of[0].resource if told_of else ""
    used = row.status.used.get(resource) or (told_of[0].used if told_of else "")
    hard = row.status.hard.get(resource) or (told_of[0].hard if told_of else "")
    waits = sorted({e.about for e in refused})
    yield make(
        "quota-exceeded",
        ref_of(row),
        f"refuses new objects of {waits[0]}: {resource} {used} of {hard} used",
        Severity.WARNING,
        "a quota that refuses objects",
        **told(refused),
        related=waits[:10],
        facts={"quota": name, "resource": resource, "used": used, "hard": hard},
    )

"""Autoscalers, workloads at zero, disruption budgets and quotas. At the minimum, or at the limit of
a budget, all is well."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import (
    Deployment,
    HorizontalPodAutoscaler,
    PodDisruptionBudget,
    Ref,
    StatefulSet,
)
from cluster.kube.pods import is_finished
from cluster.kube.selectors import matches
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import (
    condition_evidence,
    field_evidence,
    make,
)
from triage.facts.messages.wording import quoted
from triage.facts.scaled_away import FORGOTTEN, scaled_away
from triage.facts.windows import NOTE_AFTER, READY_GRACE, TOGETHER


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
            fixed = row.spec.max_replicas <= row.spec.min_replicas
            if not fixed or view.within(since, FORGOTTEN):  # fixed for long: meant so
                top = row.spec.max_replicas
                yield make(
                    "hpa-maxed",
                    ref,
                    f"wants more than its maximum of {top} replica{'s' if top != 1 else ''}"
                    + (", which is its minimum too" if fixed else ""),
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
            began = since or row.metadata.creation_timestamp
            if not view.older(began, 2 * NOTE_AFTER):
                continue
            target = row.spec.scale_target_ref
            gone = condition.reason == "FailedGetScale" and "not found" in condition.message
            why = (
                f"its target {target.kind} {target.name} does not exist"
                if gone
                else f"{condition.reason}: {quoted(condition.message)}"
            )
            yield make(
                "hpa-cannot-scale",
                ref,
                f"cannot scale: {why}",
                Severity.WARNING,
                "an autoscaler that is blind for over 5 min",
                since=since,
                young=view.young(began, READY_GRACE),
                source=SinceSource.CONDITION,
                evidence=evidence,
                detail=condition.type,
                facts={"reason": condition.reason},
            )


@object_detector("Deployment", "StatefulSet")
def at_zero(row: Deployment | StatefulSet, view: ClusterView) -> Iterator[Finding]:
    """Scaled to 0 by a person or a release within a day: a note. Where a Service leads to it, the
    Service says so; what scales by a rule does it every day, and what was created at 0 waits for
    its owner."""
    idle = scaled_away(row, view)
    if idle is None or idle.at is None or not view.within(idle.at, FORGOTTEN):
        return
    created = row.metadata.creation_timestamp
    if idle.sign or idle.by == "stanch" or (created is not None and idle.at - created <= TOGETHER):
        return
    labels = row.spec.template.metadata.labels
    services = view.store.services_selecting(row.metadata.namespace, labels)
    if not all(s.spec.publish_not_ready_addresses for s in services):
        return
    yield make(
        "workload-scaled-to-zero",
        idle.ref,
        idle.text.removeprefix(f"{idle.ref} "),
        Severity.INFO,
        "a note: it may be meant, and nothing is seen to call it",
        since=idle.at,
        source=SinceSource.MANAGED_FIELDS,
        evidence=[field_evidence(idle.ref, "spec.replicas", "0", idle.at)],
        facts={"scaled_by": idle.by},
    )


@object_detector("PodDisruptionBudget")
def budget(row: PodDisruptionBudget, view: ClusterView) -> Iterator[Finding]:
    """Fewer healthy pods than wanted, so that no eviction is allowed (a note: findings of the pods
    give the cause). Exactly at the limit is healthy."""
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


@object_detector("PodDisruptionBudget")
def drain(row: PodDisruptionBudget, view: ClusterView) -> Iterator[Finding]:
    """A budget that allows no eviction and covers a pod on a node that is cordoned: the node cannot
    be drained."""
    status = row.status
    if status.disruptions_allowed or not status.expected_pods:
        return
    held = [
        p
        for p in view.store.in_namespace("Pod", row.metadata.namespace).values()
        if not is_finished(p)
        and matches(row.spec.selector, p.metadata.labels)
        and (node := view.node(p.spec.node_name)) is not None
        and node.spec.unschedulable
    ]
    if not held:
        return
    nodes = sorted({p.spec.node_name for p in held})
    needed = f"{status.desired_healthy} of {status.expected_pods} pods must stay healthy"
    yield make(
        "drain-blocked",
        ref_of(row),
        f"holds the drain of {nodes[0]}: it allows no eviction of {held[0].metadata.name} "
        f"({needed}, {status.current_healthy} "
        f"{'is' if status.current_healthy == 1 else 'are'})",
        Severity.WARNING if status.desired_healthy >= status.expected_pods else Severity.INFO,
        "a budget that can never allow an eviction (a note where pods are only unhealthy now)",
        evidence=[field_evidence(ref_of(row), "status.disruptionsAllowed", f"0: {needed}")],
        related=[*(ref_of(p) for p in held[:10]), *(Ref("Node", "", n) for n in nodes[:5])],
        facts={
            "node": nodes[0],
            "healthy": status.current_healthy,
            "desired": status.desired_healthy,
        },
    )

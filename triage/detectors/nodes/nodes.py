"""Nodes one by one: readiness, pressure, problems, out of memory, reboots, cordons, leases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations, quantity
from cluster.kube.conditions import condition_of
from cluster.kube.managed_fields import last_write
from cluster.kube.nodes import is_virtual
from cluster.kube.objects import Node
from cluster.kube.pods import is_finished
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.kubelet import node_causes
from triage.facts.windows import EDGE, INCIDENT, JOINING, LEASE_STALE, RECENT

_STANDARD = frozenset(
    {
        "Ready",
        "MemoryPressure",
        "DiskPressure",
        "PIDPressure",
        "NetworkUnavailable",
        "OutOfDisk",
        "ConfigOK",
    }
)
_BAD_NAME = re.compile(
    r"Unhealthy|Problem|Deadlock|Readonly|ReadOnly|Corrupt|Frequent|Shutdown|Pressure|Unavailable"
    r"|Fail|Error|Degraded|Full|Hung|Skew|Deprecat|Missing|Down"
)
_GOOD_NAMES = ("Ready", "Healthy", "IsVoter")
_EVENTS = {
    "preempt": "preempted",
    "terminat": "terminated",
    "reboot": "rebooted",
    "redeploy": "moved to other hardware",
    "freeze": "frozen for some seconds",
}
"""What providers announce (AKS `VMEventScheduled` and `PreemptScheduled`, node termination
handlers, GKE), by the word in it."""
_AT = re.compile(r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|\d{4}-\d\d-\d\dT[\d:]+Z")
_CAUSE_TEXT = {
    "runtime-down": "the container runtime is down",
    "pleg": "the kubelet cannot relist containers (PLEG)",
    "network-plugin": "the network plugin is not ready",
    "shutting-down": "the node is shutting down",
    "kubelet-silent": "the kubelet stopped posting its status",
    "never-reported": "the kubelet never posted a status",
    "other": "the kubelet reports a problem",
}
_CAUSE_ORDER = (
    "runtime-down",
    "pleg",
    "network-plugin",
    "shutting-down",
    "kubelet-silent",
    "never-reported",
    "other",
)
_LEAVING = (
    "ToBeDeletedByClusterAutoscaler",
    "karpenter.sh/disruption",
    "karpenter.sh/disrupted",
    "aws-node-termination-handler",
)


def lease_fresh(node: str, view: ClusterView) -> bool | None:
    lease = view.store.get("Lease", "kube-node-lease", node)
    if lease is None or lease.spec.renew_time is None:
        return None
    return bool(view.now - lease.spec.renew_time <= LEASE_STALE)


_MAINTENANCE = timedelta(minutes=10)
"""A node that was cordoned may take this long to reboot."""


def _cordon_time(node: Node) -> datetime | None:
    """Since when a node takes no new pods: the taint's time, else that of the last write."""
    taint = next((t for t in node.spec.taints if t.key == "node.kubernetes.io/unschedulable"), None)
    writer = last_write(node.metadata, "f:spec", "f:unschedulable")
    return (taint.time_added if taint else None) or (writer.time if writer else None)


def _maintained(node: Node, down: datetime | None, view: ClusterView) -> bool:
    """Whether a node went down within an hour after its cordon, and is away for no longer than a
    reboot takes."""
    if not node.spec.unschedulable or down is None:
        return False
    at = _cordon_time(node)
    return at is not None and at <= down <= at + RECENT and not view.older(down, _MAINTENANCE)


@object_detector("Node")
def ready(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Ready is not True. A node that joins gets three minutes; one that is cordoned and leaving is
    a warning only."""
    condition = condition_of(node.status.conditions, "Ready")
    if condition is None or condition.status == "True":
        return
    created = node.metadata.creation_timestamp
    if created is not None and condition.status == "False" and not view.older(created, JOINING):
        return
    causes = node_causes(condition.status, condition.reason, condition.message)
    cause = min(causes, key=_CAUSE_ORDER.index)
    since = condition.last_transition_time or created
    leaving = any(t.key.startswith(_LEAVING) for t in node.spec.taints)
    maintained = _maintained(node, since, view)
    planned = (
        node.metadata.deletion_timestamp is not None
        or leaving
        or maintained
        or (node.spec.unschedulable and cause == "shutting-down")
    )
    span = f" for {durations.words(view.now - since)}" if since else ""
    yield make(
        "node-not-ready",
        ref_of(node),
        f"not ready{span}: {_CAUSE_TEXT[cause]}{' (cordoned before)' if maintained else ''}",
        Severity.WARNING if planned else Severity.CRITICAL,
        "a node that is being removed, or went down for less than 10 min after a cordon, is a "
        "warning, any other that is not Ready is critical",
        since=since,
        source=SinceSource.CONDITION,
        evidence=[
            condition_evidence(ref_of(node), condition),
            *_recent(node, view, "NodeNotReady"),
        ],
        facts={
            **view.node_facts(node, since),
            "status": condition.status,
            "cause": cause,
            "causes": causes,
            "reason": condition.reason,
            "cordoned": node.spec.unschedulable,
            "maintained": maintained,
            "lease_fresh": lease_fresh(node.metadata.name, view),
        },
    )


def _recent(node: Node, view: ClusterView, *reasons: str) -> list[Evidence]:
    facts = [
        e
        for e in view.events.about(ref_of(node))
        if e.reason in reasons and view.now - e.last <= INCIDENT
    ]
    return [event_evidence(e) for e in facts[-2:]]


@object_detector("Node")
def conditions(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Pressure only when True (Unknown means that the kubelet is silent); problem conditions by
    their meaning, not their presence."""
    for condition in node.status.conditions:
        since = condition.last_transition_time
        evidence = [condition_evidence(ref_of(node), condition)]
        facts = view.node_facts(node, since)
        if condition.type in ("MemoryPressure", "DiskPressure", "PIDPressure", "OutOfDisk"):
            if condition.status == "True":
                which = {"MemoryPressure": "memory", "PIDPressure": "pid"}.get(
                    condition.type, "disk"
                )
                yield make(
                    "node-pressure",
                    ref_of(node),
                    f"{which} pressure: the kubelet evicts pods and takes no new ones",
                    Severity.WARNING,
                    "a pressure condition that is True",
                    since=since,
                    source=SinceSource.CONDITION,
                    detail=which,
                    evidence=[
                        *evidence,
                        *_recent(
                            node,
                            view,
                            "EvictionThresholdMet",
                            "ImageGCFailed",
                            "FreeDiskSpaceFailed",
                        ),
                    ],
                    facts={**facts, "pressure": which},
                )
        elif condition.type == "NetworkUnavailable":
            if condition.status == "True" and view.older(
                since or node.metadata.creation_timestamp, JOINING
            ):
                yield make(
                    "node-network-unavailable",
                    ref_of(node),
                    "the network of the node is not set up",
                    Severity.CRITICAL,
                    "no pod on the node can be reached",
                    since=since,
                    source=SinceSource.CONDITION,
                    evidence=evidence,
                    facts=facts,
                )
        elif condition.type not in _STANDARD and not _announced(condition.type):
            bad_when_true = bool(_BAD_NAME.search(condition.type))
            bad_when_false = condition.type.endswith(_GOOD_NAMES) and not bad_when_true
            if (condition.status == "True" and bad_when_true) or (
                condition.status == "False" and bad_when_false
            ):
                yield make(
                    "node-problem",
                    ref_of(node),
                    f"{condition.type}: {condition.message or condition.reason}",
                    Severity.WARNING,
                    "a problem condition is set",
                    since=since,
                    source=SinceSource.CONDITION,
                    evidence=evidence,
                    detail=condition.type,
                    facts={**facts, "type": condition.type, "reason": condition.reason},
                )


@object_detector("Node")
def cordoned(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Unschedulable: a note. The NoSchedule taint of the API server says since when; the manager
    that wrote the field says who."""
    if not node.spec.unschedulable:
        return
    taint = next((t for t in node.spec.taints if t.key == "node.kubernetes.io/unschedulable"), None)
    writer = last_write(node.metadata, "f:spec", "f:unschedulable")
    since = _cordon_time(node)
    by = writer.manager if writer else ""
    yield make(
        "node-cordoned",
        ref_of(node),
        f"cordoned{f' by {by}' if by else ''}",
        Severity.INFO,
        "a cordon is made by intent",
        since=since,
        source=SinceSource.STATUS
        if taint and taint.time_added
        else SinceSource.MANAGED_FIELDS
        if since
        else SinceSource.FIRST_SEEN,
        evidence=[field_evidence(ref_of(node), "spec.unschedulable", "true", since)],
        facts={**view.node_facts(node), "by": by},
    )


@object_detector("Node")
def full(node: Node, view: ClusterView) -> Iterator[Finding]:
    """At least 95 % of the pods that the node may run (kubernetes-mixin KubeletTooManyPods): a
    note."""
    capacity = quantity.parse(node.status.allocatable.get("pods", "")) or 0
    if not capacity or is_virtual(node):
        return
    pods = sum(1 for p in view.store.pods_on(node.metadata.name).values() if not is_finished(p))
    if pods >= 0.95 * capacity:
        yield make(
            "node-pods-full",
            ref_of(node),
            f"{pods} of {capacity:.0f} pods",
            Severity.INFO,
            "a full node is a note",
            evidence=[field_evidence(ref_of(node), "status.allocatable.pods", f"{capacity:.0f}")],
            facts={**view.node_facts(node), "pods": pods, "capacity": int(capacity)},
        )


@object_detector("Node")
def kernel(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Kernels before 4.19 throttle containers below their CPU limit (kubernetes issue 67577): a
    note, the proof needs metrics."""
    version = node.status.node_info.kernel_version
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) >= (4, 19):
        return
    limited = sum(
        1
        for p in view.store.pods_on(node.metadata.name).values()
        for c in p.spec.containers
        if "cpu" in c.resources.limits
    )
    if limited:
        yield make(
            "node-kernel-cfs-bug",
            ref_of(node),
            f"kernel {version} throttles containers below their CPU limit; containers with a "
            f"limit there: {limited}",
            Severity.INFO,
            "a known kernel defect is a note until throttling is measured",
            since=node.metadata.creation_timestamp,
            source=SinceSource.CREATION,
            evidence=[field_evidence(ref_of(node), "status.nodeInfo.kernelVersion", version)],
            facts={**view.node_facts(node), "kernel": version, "containers": limited},
        )


def _announced(type_: str) -> bool:
    return type_.endswith(("Scheduled", "TerminationPending")) or "Maintenance" in type_


@object_detector("Node")
def announced(node: Node, view: ClusterView) -> Iterator[Finding]:
    """An event that the provider announced for the machine: preemption, reboot, maintenance."""
    ref = ref_of(node)
    set_ = [c for c in node.status.conditions if _announced(c.type) and c.status == "True"]
    announcements = [
        e
        for e in view.events.about(ref)
        if e.type == "Warning" and _announced(e.reason) and view.within(e.last, EDGE)
    ]
    if not set_ and not announcements:
        return
    texts = [t for c in set_ for t in (c.message, c.reason, c.type)]
    texts += [t for e in announcements for t in (e.message, e.reason)]
    whole = " ".join(texts)
    event = next((word for word in _EVENTS if word in whole.lower()), "")
    at = _AT.search(whole)
    what = _EVENTS.get(event, "taken for maintenance")
    when = f" at {at[0]}" if at else " soon"
    since = min(
        (
            t
            for t in (*(c.last_transition_time for c in set_), *(e.first for e in announcements))
            if t
        ),
        default=None,
    )
    heavy = event in ("preempt", "terminat", "reboot", "redeploy", "")
    yield make(
        "node-event-announced",
        ref,
        f"its provider announced that it will be {what}{when}",
        Severity.WARNING if heavy else Severity.INFO,
        "a machine that will go is a warning, one that is frozen for a moment a note",
        since=since,
        source=SinceSource.CONDITION if set_ else SinceSource.EVENT,
        evidence=[
            *(condition_evidence(ref, c) for c in set_),
            *(event_evidence(e) for e in announcements[-2:]),
        ],
        facts={
            **view.node_facts(node, since),
            "event": {"terminat": "terminate"}.get(event, event or "other"),
            "at": at[0] if at else "",
        },
    )

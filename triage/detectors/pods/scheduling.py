"""Pods that no node takes: what the scheduler says, with the part of the pod that decides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from cluster.kube import durations, quantity
from cluster.kube.conditions import condition_of
from cluster.kube.nodes import ready_status
from cluster.kube.objects import Node, Pod, PodSpec
from cluster.kube.pods import queue_of
from triage.detectors.data.unbound import unbound_of
from triage.detectors.pods.chosen_nodes import label_texts, no_node, of_chosen
from triage.detectors.registry import object_detector
from triage.detectors.workloads.quotas import may_refuse
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import condition_evidence, event_evidence, field_evidence, make
from triage.facts.messages.scheduler import (
    CONTROL_PLANE,
    SCHEDULING_TEXT,
    Scheduling,
    scheduling,
    scheduling_text,
)
from triage.facts.placement import meant_for, untolerated
from triage.facts.windows import NOTE_AFTER, RECENT, SCALE_UP_GRACE, SCHEDULE_GRACE


@object_detector("Pod")
def unschedulable(pod: Pod, view: ClusterView) -> Iterator[Finding]:
    """Pending with PodScheduled=False (table 1.2 Unschedulable), after a grace of a minute.

    The newest text of condition and FailedScheduling events is read; SchedulingGated is by intent
    and only reported after ten minutes.
    """
    if pod.spec.node_name or pod.status.phase not in ("Pending", ""):
        return
    if pod.metadata.deletion_timestamp is not None:
        return
    scheduled = condition_of(pod.status.conditions, "PodScheduled")
    created = pod.metadata.creation_timestamp
    ref = ref_of(pod)
    if scheduled is None:
        if view.older(created, 2 * NOTE_AFTER) and not view.events_of(pod) and created is not None:
            age = view.now - created
            yield make(
                "pod-not-scheduled",
                ref,
                f"Pending for {durations.words(age)} and no scheduler has reported on it",
                Severity.WARNING,
                "no PodScheduled condition and no event after 2 min",
                since=created,
                source=SinceSource.CREATION,
                young=view.young(created, NOT_SCHEDULED),
                facts={**view.pod_facts(pod), "seconds": int(age.total_seconds())},
                evidence=[field_evidence(ref, "status.conditions", "no PodScheduled condition")],
            )
        return
    if scheduled.status != "False":
        return
    if scheduled.reason == "SchedulingGated":
        queue = queue_of(pod.metadata)
        cause = "queued" if queue else "gated"
        if view.older(created, timedelta(minutes=10)):
            yield make(
                "pod-unschedulable",
                ref,
                f"waits in the queue {queue}" if queue else "held back by scheduling gates",
                Severity.INFO,
                "scheduling gates are set by intent",
                since=created,
                source=SinceSource.CREATION,
                evidence=[condition_evidence(ref, scheduled)],
                facts={
                    **view.pod_facts(pod),
                    "cause": cause,
                    "causes": (cause,),
                    "nodes": 0,
                    "detail": queue,
                    "quota": "",
                    "asked": "",
                },
            )
        return
    since = scheduled.last_transition_time or created
    if not view.older(since, NOTE_AFTER):
        return
    failed = [e for e in view.events_of(pod) if e.reason == "FailedScheduling"]
    text = failed[-1].message if failed else scheduled.message
    target = meant_for(pod.spec)
    masters = 0 if target else _control_plane(pod.spec, view)
    read = scheduling(text or scheduled.message, bool(target), masters)
    if (
        read.causes[0][0] == "nodepool"
        and (own := scheduling(scheduled.message, bool(target), masters)).nodes
    ):
        # Karpenter says only that it adds no node; the scheduler says what each node lacks.
        read = own._replace(causes=(*own.causes, *read.causes))
    held = ""
    if not target and any(name == "affinity" for name, _ in read.causes):
        read, held = of_chosen(read, pod.spec, view)
    refused = _no_machine(pod, view)
    if refused is not None:
        held = ""
        kinds = _KIND.search(refused.message)
        named = kinds[1] if kinds else ""
        read = read._replace(causes=(("no-machine", 0), *read.causes), detail=named)
    if target:
        read = _of_node(read, pod.spec, view)
    causes = tuple(name for name, _ in read.causes)
    cause = causes[0] if causes else "other"
    if cause == "taint" and not read.detail:
        read = read._replace(detail=_taints(pod.spec, view))
    said = [scheduling_text(cause, read.detail)]
    said += [SCHEDULING_TEXT[name] for name in causes[1:]]
    counts = ", ".join(
        f"{words} on {count}" if count else words
        for words, (_, count) in zip(said, read.causes, strict=True)
    )
    of = f" of {read.nodes} node{'s' if read.nodes > 1 else ''}" if read.nodes else ""
    if read.control_plane:
        of += f", beside {read.control_plane} of the control plane"
    detail = held or _wanted(pod, cause, view, read.nodes > 0) or read.detail
    asked, too_much = _asked(pod, cause, read.detail, view)
    missing = cause == "claim-missing"
    quota = may_refuse("PersistentVolumeClaim", ref.namespace, view) if missing else ""
    asked, too_much = (quota, True) if quota else (asked, too_much)
    evidence: list[Evidence] = [condition_evidence(ref, scheduled)]
    evidence.extend(event_evidence(e) for e in failed[-1:])
    if refused is not None:
        evidence.append(event_evidence(refused))
    summoned = [e for e in view.events_of(pod) if e.reason in _NODE_ASKED]
    evidence.extend(event_evidence(e) for e in summoned[-1:])
    coming = bool(summoned) and not view.older(
        max(since or summoned[0].first, summoned[0].first), SCALE_UP_GRACE
    )
    yield make(
        "pod-unschedulable",
        ref,
        f"not scheduled: {counts}{of}"
        + (f": {detail}" if detail != read.detail else f": {asked}" if asked else "")
        + (f" (it is for {target} alone)" if target else "")
        + (", a node for it was asked for" if coming else ""),
        Severity.INFO if coming else Severity.WARNING,
        "unschedulable for over 60 s (10 min once an autoscaler adds a node for it)",
        since=since,
        source=SinceSource.CONDITION,
        evidence=evidence,
        young=view.young(since, SCHEDULE_GRACE),
        facts={
            **view.pod_facts(pod),
            "cause": cause,
            "causes": causes,
            "nodes": read.nodes,
            "detail": detail,
            "quota": quota,
            "asked": f"it is for {target} alone" if target else asked if too_much else "",
        },
    )


def _of_node(read: Scheduling, spec: PodSpec, view: ClusterView) -> Scheduling:
    """What the scheduler says of the one node that a DaemonSet's pod is for. Causes that this node
    does not show are left out where another cause remains: they are those of other nodes."""
    node = view.node(meant_for(spec))
    if node is None:
        return read._replace(nodes=0)
    away = set[str]()
    if untolerated(spec, node) is None:
        away.add("taint")
    if not node.spec.unschedulable:
        away.add("cordoned")
    if ready_status(node) == "True":
        away.add("node-not-ready")
    kept = tuple(each for each in read.causes if each[0] not in away)
    lead = bool(kept) and kept[0] == read.causes[0]
    return read._replace(
        causes=kept or read.causes, nodes=0, detail=read.detail if lead or not kept else ""
    )


def _control_plane(spec: PodSpec, view: ClusterView) -> int:
    """How many nodes keep the pod away by the taint of the control plane."""
    found = (untolerated(spec, node) for node in view.store.all("Node", Node))
    return sum(taint is not None and taint.key in CONTROL_PLANE for taint in found)


NOT_SCHEDULED = timedelta(minutes=2)
"""A working scheduler reports on a pod within this time."""
_NODE_ASKED = ("TriggeredScaleUp", "Nominated")
"""Events of the cluster autoscaler and of Karpenter when they add a node for this pod."""


_POOL = "karpenter.sh/nodepool"
_CLAIM = re.compile(r"nodeclaim/([\w.-]+)")
_KIND = re.compile(r"sufficient (\w+\.[\w-]+) capacity")


def _no_machine(pod: Pod, view: ClusterView) -> EventFact | None:
    """The newest event in which Karpenter says that the provider has no machine left for this pod:
    of a node claim that was meant for it, or of the node pool that it selects; None for none."""
    pool = pod.spec.node_selector.get(_POOL, "")
    meant = {
        found[1]
        for e in view.events_of(pod)
        if e.reason == "Nominated" and (found := _CLAIM.search(e.message)) is not None
    }
    if not pool and not meant:
        return None
    said = [
        e
        for e in view.events.reasons("InsufficientCapacityError")
        if view.recent(e.last, RECENT)
        and (e.about.name in meant or (pool and e.about.name.rpartition("-")[0] == pool))
    ]
    return max(said, key=lambda e: (e.last, e.uid), default=None)


_RESOURCES = {
    "insufficient-cpu": "cpu",
    "insufficient-memory": "memory",
    "insufficient-storage": "ephemeral-storage",
}
_IN_BYTES = ("memory", "ephemeral-storage")


def _asked(pod: Pod, cause: str, detail: str, view: ClusterView) -> tuple[str, bool]:
    """What the pod asks for beside what the largest node has, in words, and whether it is more."""
    resource = _RESOURCES.get(cause) or (detail if cause == "insufficient-other" else "")
    requests = [
        text for c in pod.spec.containers if (text := c.resources.requests.get(resource, ""))
    ]
    numbers = [quantity.parse(text) or 0 for text in requests]
    if not requests:
        return "", False
    largest = view.largest(resource)
    size = quantity.parse(largest) or 0
    total = sum(numbers)
    spoken = requests[0] if len(requests) == 1 else _amount(total, resource)
    read = _amount(size, resource) if resource in _IN_BYTES else largest
    has = f"the largest node has {read}" if largest else "no node has any"
    return f"it asks for {spoken}, {has}", total > size


def _amount(value: float, resource: str) -> str:
    return quantity.size_text(value) if resource in _IN_BYTES else f"{value:g}"


def _wanted(pod: Pod, cause: str, view: ClusterView, none_found: bool) -> str:
    """The rule of the pod that decides: the claim, the selector, the term, the port; "" where it
    has none."""
    spec = pod.spec
    if cause == "volume-unbound":
        return unbound_of(spec, pod.metadata.namespace, view, none_found)
    if cause == "affinity":
        return no_node(spec, view)
    if cause == "anti-affinity" and spec.affinity is not None:
        terms = spec.affinity.pod_anti_affinity
        return _against(terms.required[0]) if terms is not None and terms.required else ""
    if cause == "topology-spread":
        hard = [
            c for c in spec.topology_spread_constraints if c.when_unsatisfiable != "ScheduleAnyway"
        ]
        return f"by {hard[0].topology_key}, maxSkew {hard[0].max_skew}" if hard else ""
    if cause == "host-port":
        ports = sorted({p.host_port for c in spec.containers for p in c.ports if p.host_port})
        return ", ".join(map(str, ports))
    return ""


def _taints(spec: PodSpec, view: ClusterView) -> str:
    """The taints that keep the pod away, for schedulers that give their number alone (1.35)."""
    found = {
        f"{taint.key}={taint.value}" if taint.value else taint.key
        for node in view.store.all("Node", Node)
        if (taint := untolerated(spec, node)) is not None
    }
    return ", ".join(sorted(found)[:3])


def _against(term: Mapping[str, Any]) -> str:
    """`pods with app=web, one for each kubernetes.io/hostname`."""
    selector = term.get("labelSelector")
    texts = label_texts(selector) if isinstance(selector, dict) else []
    said = ", ".join(texts) or "the labels of its rule"
    return f"pods with {said}, one for each {term.get('topologyKey') or 'node'}"

"""DaemonSets that are short of pods, or have none on a node."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.conditions import condition_of
from cluster.kube.managed_fields import last_write
from cluster.kube.nodes import is_control_plane, is_virtual, ready_status
from cluster.kube.objects import DaemonSet, Node, Pod, Ref
from cluster.kube.pods import is_finished, is_ready
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.create_failures import create_failure
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, from_events, make
from triage.facts.messages.scheduler import scheduling, scheduling_text
from triage.facts.messages.wording import first_two
from triage.facts.placement import eligible, meant_for, untolerated
from triage.facts.windows import EDGE, READY_GRACE


@object_detector("DaemonSet")
def short(row: DaemonSet, view: ClusterView) -> Iterator[Finding]:
    """Fewer ready pods than nodes want it, for longer than a start takes, or a Ready node without a
    pod. Nodes that are not Ready have a finding of their own."""
    desired, ready = row.status.desired_number_scheduled, row.status.number_ready
    if not view.older(row.metadata.creation_timestamp, READY_GRACE):
        return
    ref, pods = ref_of(row), [p for p in view.pods_of(ref_of(row)) if not is_finished(p)]
    failed = [
        e
        for e in view.events.about(ref)
        if e.reason == "FailedCreate" and view.within(e.last, EDGE)
    ]
    if failed and ready < desired:
        read = create_failure(failed[-1].message)
        yield make(
            "create-failed",
            ref,
            f"pods cannot be created: {read.text}",
            Severity.WARNING,
            "the controller is short of pods it may not create",
            **from_events(failed),
            facts={"cause": read.cause, "detail": read.detail},
        )
    bad: list[tuple[datetime, str, str]] = []
    for pod in pods if ready < desired else ():
        if is_ready(pod) or pod.metadata.deletion_timestamp is not None:
            continue
        condition = condition_of(pod.status.conditions, "Ready")
        since = (
            condition.last_transition_time if condition else None
        ) or pod.metadata.creation_timestamp
        node = pod.spec.node_name
        if since is not None and view.older(since, READY_GRACE):
            if not node:
                bad.append((since, meant_for(pod.spec), _no_room(pod)))
            elif view.node_ready(node):
                bad.append((since, node, ""))
    if bad:
        room = next((why for _, _, why in bad if why), "")
        nodes = tuple(sorted({n for _, n, _ in bad if n}))
        on = f" on {first_two(nodes)}" if room and nodes else ""
        yield _short(
            row,
            f"{ready} of {desired} pods ready" + (f": no room{on} ({room})" if room else ""),
            Severity.WARNING,
            min(t for t, _, _ in bad),
            nodes,
            "room" if room else "",
            view,
        )
    elif not failed:
        yield from _missed(row, pods, view)


def _missed(row: DaemonSet, pods: list[Pod], view: ClusterView) -> Iterator[Finding]:
    """Ready nodes without a pod: it is not made though the node fits, or a taint or the selector
    keeps it away from a node where most others have one."""
    covered = {p.spec.node_name or meant_for(p.spec) for p in pods}
    free = [
        n
        for n in view.store.all("Node", Node)
        if n.metadata.name not in covered
        and ready_status(n) == "True"
        and not is_virtual(n)
        and view.older(n.metadata.creation_timestamp, READY_GRACE)
    ]
    newest = max((t for p in pods if (t := p.metadata.creation_timestamp)), default=None)
    if not free or not pods or not view.older(newest, READY_GRACE) or not view.readable("Pod"):
        return
    template = row.spec.template.spec
    fitting = tuple(sorted(n.metadata.name for n in free if eligible(template, n)))
    if fitting and row.status.desired_number_scheduled > len(covered):
        yield _short(
            row,
            f"has no pod on {first_two(fitting)}, though nothing keeps it away there",
            Severity.WARNING,
            None,
            fitting,
            "not-made",
            view,
        )
        return
    if len(free) * 2 > len(covered):
        return  # it is meant for a part of the nodes
    needed = view.role(row) in _NEEDED
    for node in free:
        taint = untolerated(template, node)
        edit = last_write(node.metadata, "f:spec", "f:taints") if taint is not None else None
        created, edited = node.metadata.creation_timestamp, edit.time if edit else None
        late = edited is not None and created is not None and edited - created > READY_GRACE
        fresh = late and view.within(edited, _TAINTED)
        name = node.metadata.name
        if name in fitting or is_control_plane(node) or not (needed or fresh or taint is None):
            continue
        by = f", set by {edit.manager}" if fresh and edit is not None and edit.manager else ""
        why = (
            f"it does not tolerate the taint {taint.key}:{taint.effect}{by}"
            if taint is not None
            else "the labels of the node do not fit its selector"
        )
        yield _short(
            row,
            f"does not run on {name}: {why}",
            Severity.WARNING if fresh else Severity.INFO,
            edited if late else None,
            (name,),
            "taint" if taint is not None else "selector",
            view,
        )


_NEEDED = frozenset({"cni", "proxy", "storage", "log-shipper"})
"""Roles that each node needs: where one of them is kept away, pods there lack something."""
_TAINTED = timedelta(days=1)
"""A taint that was set on a node of some age within this time is news."""


def _short(
    row: DaemonSet,
    claim: str,
    severity: Severity,
    since: datetime | None,
    nodes: tuple[str, ...],
    why: str,
    view: ClusterView,
) -> Finding:
    ref = ref_of(row)
    ready, desired = row.status.number_ready, row.status.desired_number_scheduled
    return make(
        "daemonset-short",
        ref,
        claim,
        severity,
        "short of pods on Ready nodes for over 5 min (a note where an old taint or the selector "
        "keeps them away)",
        since=since,
        source=SinceSource.CONDITION if since is not None else SinceSource.FIRST_SEEN,
        facts={
            "ready": ready,
            "desired": desired,
            "role": view.role(row),
            "nodes": nodes,
            "why": why,
        },
        evidence=[field_evidence(ref, "status.numberReady", f"{ready} of {desired}")],
        related=[Ref("Node", "", n) for n in nodes[:10]],
        detail=nodes[0] if why in ("taint", "selector") else "",
    )


def _no_room(pod: Pod) -> str:
    """Why the scheduler does not place it, in words; "" where it says nothing."""
    said = condition_of(pod.status.conditions, "PodScheduled")
    if said is None or said.status != "False":
        return ""
    read = scheduling(said.message, bound=True)
    cause = read.causes[0][0]
    return scheduling_text(cause, read.detail) if cause != "affinity" else ""

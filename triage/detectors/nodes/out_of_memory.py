"""Nodes that ran out of memory as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cluster.kube.nodes import ready_status
from cluster.kube.objects import Node
from cluster.kube.pods import is_finished, statuses
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.messages.kubelet import RUNTIMES, oom_victim
from triage.facts.windows import INCIDENT, RECENT, TOGETHER


def _no_limit_owners(node: Node, view: ClusterView) -> tuple[str, ...]:
    owners: dict[str, None] = {}
    for pod in view.store.pods_on(node.metadata.name).values():
        if not is_finished(pod) and any(
            "memory" not in c.resources.limits for c in pod.spec.containers
        ):
            owner = view.owner(pod)
            if owner.kind not in ("DaemonSet", "Node"):
                owners[str(owner)] = None
    return tuple(sorted(owners))


def _container_oom_near(node: Node, view: ClusterView, at: datetime) -> bool:
    """Whether a container of the node was killed at its own limit around a moment."""
    for pod in view.store.pods_on(node.metadata.name).values():
        for status in statuses(pod):
            for end in (status.state.terminated, status.last_state.terminated):
                if (
                    end is not None
                    and end.reason == "OOMKilled"
                    and end.finished_at
                    and abs(end.finished_at - at) <= TOGETHER
                ):
                    return True
    return False


@object_detector("Node")
def out_of_memory(node: Node, view: ClusterView) -> Iterator[Finding]:
    """SystemOOM: only when the whole node ran out. OOMKilling of node-problem-detector covers
    containers too: those do not count."""
    seen: list[EventFact] = []
    for event in view.events.about(ref_of(node)):
        if not view.within(event.last, INCIDENT):
            continue
        if event.reason == "SystemOOM":
            seen.append(event)
        elif event.reason == "OOMKilling":
            victim = oom_victim(event.message)
            own = "memory cgroup" in event.message.lower() or _container_oom_near(
                node, view, event.last
            )
            if victim in RUNTIMES or victim == "kubelet" or not own:
                seen.append(event)
    if not seen:
        return
    last = max(e.last for e in seen)
    first = min(e.first for e in seen)
    victims = tuple(dict.fromkeys(v for v in (oom_victim(e.message) for e in seen) if v))
    count = sum(e.count for e in seen)
    is_ready = ready_status(node) == "True"
    fresh = view.within(last, RECENT)
    severity = Severity.CRITICAL if not is_ready else Severity.WARNING if fresh else Severity.INFO
    killed = f", killed {', '.join(victims)}" if victims else ""
    yield make(
        "node-system-oom",
        ref_of(node),
        f"the node ran out of memory {count} time{'s' if count > 1 else ''}{killed}",
        severity,
        "critical while the node is not Ready, a warning within an hour, then a note",
        since=first,
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in seen[-4:]],
        active=fresh or not is_ready,
        facts={
            **view.node_facts(node, first),
            "count": count,
            "victims": victims,
            "victim_runtime": any(v in RUNTIMES for v in victims),
            "victim_kubelet": "kubelet" in victims,
            "no_limit_owners": _no_limit_owners(node, view),
            "recovered": is_ready,
        },
    )

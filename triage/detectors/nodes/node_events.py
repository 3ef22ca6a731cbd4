"""Events of a node about its own trouble: memory and disk that are reclaimed, and what
node-problem-detector reports."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cluster.kube.objects import Node
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import from_events, make
from triage.facts.messages.kubelet import runtime_away
from triage.facts.windows import EDGE

_BAD_EVENTS = frozenset(
    {
        "TaskHung",
        "KernelOops",
        "Ext4Error",
        "IOError",
        "MemoryReadError",
        "ReadonlyFilesystem",
        "FilesystemIsReadOnly",
        "CorruptDockerOverlay2",
        "DockerHung",
        "KernelDeadlock",
        "XfsHasShutDown",
        "UnregisterNetDevice",
        "ConntrackFull",
        "NTPIsDown",
        "KubeletUnhealthy",
        "DockerUnhealthy",
        "ContainerdUnhealthy",
        "FrequentKubeletRestart",
        "FrequentDockerRestart",
        "FrequentContainerdRestart",
        "ContainerRuntimeUnhealthy",
        "CIDRNotAvailable",
        "IPSpaceExhausted",
        "InsufficientFreeIPs",
    }
)
_NOTHING_ELIGIBLE = re.compile(r"found \d+ bytes eligible to free")
"""pkg/kubelet/images/image_gc_manager.go: images are removed, and the disk stays as full."""


def _pressure_ended(node: Node, resource: str, events: Sequence[EventFact]) -> bool:
    """Whether the kubelet has taken the condition of the resource back after its last event."""
    type_ = {"memory": "MemoryPressure", "pids": "PIDPressure"}.get(resource, "DiskPressure")
    last = max(e.last for e in events)
    return any(
        c.type == type_
        and c.status == "False"
        and c.last_transition_time is not None
        and c.last_transition_time > last
        for c in node.status.conditions
    )


@object_detector("Node")
def reclaim(node: Node, view: ClusterView) -> Iterator[Finding]:
    """EvictionThresholdMet and failing garbage collection, within half an hour."""
    by_resource: dict[str, list[EventFact]] = {}
    failed: list[EventFact] = []
    for event in view.events.about(ref_of(node)):
        if event.reason == "EvictionThresholdMet" and view.within(event.last, EDGE):
            by_resource.setdefault(
                event.message.rpartition("reclaim ")[2].strip() or "?", []
            ).append(event)
        elif event.reason == "FreeDiskSpaceFailed" or (
            event.reason in ("ImageGCFailed", "ContainerGCFailed")
            and event.count > 1
            and not runtime_away(event.message)
        ):
            # One failed collection at the start of a kubelet is usual ("non-existent label
            # docker-images").
            failed.extend([event] if view.within(event.last, EDGE) else [])
    for resource, group in sorted(by_resource.items()):
        count = sum(e.count for e in group)
        over = _pressure_ended(node, resource, group)
        claim = f"the kubelet reclaims {resource} by evicting pods"
        if over:
            claim = f"the kubelet reclaimed {resource} by evicting pods, and has enough again"
        yield make(
            "node-eviction-threshold",
            ref_of(node),
            claim,
            Severity.INFO if over else Severity.WARNING,
            "an eviction threshold was met within 30 min; a note once its pressure has ended",
            **from_events(group),
            active=not over,
            detail=resource,
            facts={**view.node_facts(node), "resource": resource, "count": count},
        )
    if failed:
        nothing = any(_NOTHING_ELIGIBLE.search(e.message) for e in failed)
        yield make(
            "node-disk-reclaim-failed",
            ref_of(node),
            "the kubelet cannot free disk space"
            + (": no image is left to remove" if nothing else ""),
            Severity.WARNING,
            "garbage collection failed within 30 min",
            **from_events(failed),
            facts={
                **view.node_facts(node),
                "count": sum(e.count for e in failed),
                "no_image_left": nothing,
            },
        )


@object_detector("Node")
def problems(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Events of node-problem-detector and its like, within half an hour."""
    groups: dict[str, list[EventFact]] = {}
    for event in view.events.about(ref_of(node)):
        if event.reason in _BAD_EVENTS and view.within(event.last, EDGE):
            groups.setdefault(event.reason, []).append(event)
    for reason, group in sorted(groups.items()):
        if any(c.type == reason and c.status == "True" for c in node.status.conditions):
            continue
        yield make(
            "node-problem",
            ref_of(node),
            f"{reason}: {group[-1].message}",
            Severity.WARNING,
            "a problem event within 30 min",
            **from_events(group),
            detail=f"event/{reason}",
            facts={**view.node_facts(node), "type": reason, "reason": reason},
        )

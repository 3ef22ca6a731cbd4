"""What fills the disk of a node, where its kubelet was asked for it."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube import quantity
from cluster.kube.objects import Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex
from triage.facts.measurements import DiskUsage, PodDisk

LARGE = 1 / 3
"""Share of what is used that one kind of content holds before it is said to fill the disk."""
FEW_INODES = 0.1
"""Share of free inodes below which they are what is short, while bytes are left."""
ROOM = 0.15
"""Share of free bytes with which a disk is not short of them (imagefs.available of the kubelet)."""
_WORDS = {
    "logs": "container logs",
    "files": "writable layers and emptyDir volumes of pods",
    "images": "images",
    "inodes": "files of pods, which take its inodes,",
    "other": "something outside of pods and images",
}


@cluster_detector
def disks(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """The largest part of the disk of each node that was asked, and the pod that holds most of
    it."""
    sample = view.sources.disks
    if sample is None:
        return
    for usage in sample.values:
        node = view.node(usage.node)
        used = usage.capacity_bytes - usage.available_bytes
        if node is None or used <= 0:
            continue
        largest, held = _largest(usage, used)
        share = held / used
        if largest != "inodes" and share < LARGE:
            continue
        top, amount = _top(usage, largest)
        size = f"{quantity.size_text(held)} of the {quantity.size_text(used)} in use"
        parts = [f"{_WORDS[largest]} fill the disk"]
        if largest != "inodes":
            parts = [f"{_WORDS[largest]} hold{'s' if largest == 'other' else ''} {size}"]
        if top is not None:
            mass = f"{amount:,} inodes" if largest == "inodes" else quantity.size_text(amount)
            parts.append(f"most by {top.pod.namespace}/{top.pod.name} ({mass})")
        claim = ", ".join(parts)
        yield make(
            "node-disk-used",
            Ref("Node", "", usage.node),
            claim,
            Severity.WARNING,
            "a third of a disk that is short of room",
            since=sample.at,
            evidence=[sample.evidence(claim)],
            facts={
                **view.node_facts(node),
                "largest": largest,
                "share": round(share, 3),
                "bytes": held,
                "top": f"{top.pod.namespace}/{top.pod.name}" if top is not None else "",
                "top_bytes": amount if largest != "inodes" else 0,
            },
            related=[top.pod] if top is not None else [],
        )


def _largest(usage: DiskUsage, used: int) -> tuple[str, int]:
    """The kind of content that holds most, and its bytes."""
    short_of_bytes = usage.available_bytes < ROOM * usage.capacity_bytes
    if not short_of_bytes and usage.inodes_free is not None and usage.inodes_free < FEW_INODES:
        return "inodes", 0
    held = {
        "logs": sum(pod.logs_bytes for pod in usage.pods),
        "files": sum(pod.files_bytes for pod in usage.pods),
        "images": usage.images_bytes,
    }
    held["other"] = max(0, used - sum(held.values()))
    largest = max(held, key=lambda name: held[name])
    return largest, held[largest]


def _top(usage: DiskUsage, largest: str) -> tuple[PodDisk | None, int]:
    """The pod that holds most of that content, and how much; None where pods hold none of it."""

    def amount(pod: PodDisk) -> int:
        by_kind = {"logs": pod.logs_bytes, "files": pod.files_bytes, "inodes": pod.inodes}
        return by_kind.get(largest, 0)

    top = max(usage.pods, key=lambda pod: (amount(pod), pod.pod), default=None)
    return (top, amount(top)) if top is not None and amount(top) else (None, 0)

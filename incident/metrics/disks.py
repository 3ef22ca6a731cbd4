"""Reads what fills the disk of a node, after a report has said that the node is short of it.

At most six nodes at once, each again after a minute, within a time and a size limit. A refusal is
asked again after ten minutes. A report never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cluster.api import reads as reading
from cluster.errors import ClusterError
from cluster.kube.objects import Ref
from cluster.live.live_cluster import LiveCluster
from incident.metrics.documents import number, part, parts
from incident.metrics.metrics import DENIED_FOR
from triage.facts.finding import Finding, Report
from triage.facts.measurements import DiskUsage, PodDisk, Sample

AT_ONCE = 6
"""Nodes that are asked at the same time, and at most in one reading."""
TIMEOUT = 4.0
"""Seconds for one node: the kubelet walks no files for it, but a full disk makes it slow."""
AGAIN = timedelta(seconds=60)
"""Time after which a node is asked again."""
_DISK = frozenset({"ephemeral-storage", "inodes", "nodefs", "imagefs"})
"""Resources of the kubelet's eviction that are a disk."""


class DisksReader:
    """The disks read so far, of nodes that are short of room now."""

    def __init__(self, live: LiveCluster, clock: Callable[[], datetime]) -> None:
        self._live, self._clock = live, clock
        self._asked: dict[str, datetime] = {}
        self._known: dict[str, DiskUsage] = {}
        self._denied: datetime | None = None
        self._at = clock()

    @property
    def sample(self) -> Sample[DiskUsage] | None:
        """Those that are known; None while nothing was read."""
        values = tuple(self._known[name] for name in sorted(self._known))
        return Sample(self._at, 0.0, values) if values else None

    def unread(self, report: Report) -> tuple[str, ...]:
        """The nodes to ask now. Forgets those that are no longer short of disk."""
        now = self._clock()
        if self._denied is not None and now - self._denied < DENIED_FOR:
            return ()
        short = {
            name
            for finding in report.findings
            if (name := short_of_disk(finding)) and self._live.store.get("Node", "", name)
        }
        self._known = {name: self._known[name] for name in self._known if name in short}
        self._asked = {name: self._asked[name] for name in self._asked if name in short}
        never = datetime.min.replace(tzinfo=now.tzinfo)
        due = sorted(short, key=lambda name: (self._asked.get(name, never), name))
        return tuple(n for n in due if now - self._asked.get(n, never) >= AGAIN)[:AT_ONCE]

    async def read(self, nodes: tuple[str, ...]) -> bool:
        """Ask these nodes; returns whether something new is known. Never raises because of the
        cluster."""
        before = dict(self._known)
        found = await asyncio.gather(*(self._one(node) for node in nodes))
        self._at = self._clock()
        self._asked |= dict.fromkeys(nodes, self._at)
        self._known |= {one.node: one for one in found if one is not None}
        return before != self._known

    async def _one(self, node: str) -> DiskUsage | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                stats = await reading.node_stats(self._live.api, node, timeout=TIMEOUT)
        except (ClusterError, TimeoutError) as error:
            if getattr(error, "status", 0) in (401, 403):
                self._denied = self._clock()
            return None
        return disk_usage(node, stats)


def short_of_disk(finding: Finding) -> str:
    """The node that a finding says is short of disk, "" for none."""
    facts = finding.facts
    if finding.rule == "node-pressure":
        return finding.object.name if facts.get("pressure") == "disk" else ""
    if finding.rule == "node-disk-reclaim-failed":
        return finding.object.name
    if finding.rule == "node-eviction-threshold":
        return finding.object.name if facts.get("resource") in _DISK else ""
    if facts.get("cause") == "no-space" and finding.active:
        return str(facts.get("node") or "")
    return ""


def disk_usage(node: str, stats: Mapping[str, Any]) -> DiskUsage | None:
    """The fuller file system of a node: that of the kubelet (logs, volumes, and mostly the rest),
    or one apart for images and writable layers. None where the kubelet does not say."""
    itself = part(stats, "node")
    root, images = part(itself, "fs"), part(part(itself, "runtime"), "imageFs")
    pods = parts(stats, "pods")
    apart = bool(_count(images, "capacityBytes")) and any(
        _count(root, name) != _count(images, name) for name in ("capacityBytes", "inodes")
    )
    fuller = images if apart and _free(images) < _free(root) else root
    capacity = _count(fuller, "capacityBytes")
    if not capacity or "availableBytes" not in fuller:
        return None
    root_is_short = fuller is root
    held = tuple(
        _pod(pod, logs=root_is_short, volumes=root_is_short, layers=not apart or not root_is_short)
        for pod in pods
    )
    inodes = _count(fuller, "inodes")
    layers = sum(_layers(pod) for pod in pods)
    return DiskUsage(
        node=node,
        capacity_bytes=capacity,
        available_bytes=_count(fuller, "availableBytes"),
        # the runtime counts writable layers among its snapshots
        images_bytes=0 if apart and root_is_short else max(0, _count(images, "usedBytes") - layers),
        pods=tuple(sorted(held, key=lambda p: (-p.bytes, p.pod))),
        inodes_free=_count(fuller, "inodesFree") / inodes if inodes else None,
    )


def _pod(pod: Mapping[str, Any], *, logs: bool, volumes: bool, layers: bool) -> PodDisk:
    """What lies on the file system that is short: logs, emptyDir volumes, writable layers."""
    ref = part(pod, "podRef")
    written = _layers(pod)
    logged = sum(_count(part(each, "logs"), "usedBytes") for each in parts(pod, "containers"))
    # the sum of all three, without volumes in memory (pkg/kubelet/server/stats)
    ephemeral = part(pod, "ephemeral-storage")
    kept = max(0, _count(ephemeral, "usedBytes") - written - logged)
    return PodDisk(
        Ref("Pod", str(ref.get("namespace", "")), str(ref.get("name", ""))),
        logs_bytes=logged if logs else 0,
        files_bytes=(kept if volumes else 0) + (written if layers else 0),
        inodes=_count(ephemeral, "inodesUsed"),
    )


def _layers(pod: Mapping[str, Any]) -> int:
    """Bytes of the writable layers of a pod."""
    return sum(_count(part(each, "rootfs"), "usedBytes") for each in parts(pod, "containers"))


def _free(system: Mapping[str, Any]) -> float:
    """Share of a file system that is free, the lesser of bytes and inodes."""
    shares = [
        _count(system, free) / _count(system, all_)
        for free, all_ in (("availableBytes", "capacityBytes"), ("inodesFree", "inodes"))
        if _count(system, all_)
    ]
    return min(shares, default=1.0)


def _count(value: Mapping[str, Any], name: str) -> int:
    """Bytes or inodes, 0 where the kubelet does not say."""
    return int(number(value, name) or 0)

"""Which detectors look at which kind, and which look at the findings of the whole cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from triage.detectors import config, containers, daemonsets, nodes, pods, together, workloads
from triage.finding import Finding
from triage.index import Index
from triage.view import View

Detector = Callable[[Any, View], Iterator[Finding]]
"""Looks at one object (a row of its kind) and what belongs to it."""
ClusterDetector = Callable[[View, Index], Iterator[Finding]]
"""Looks at the findings and at counters; its cost may grow with the findings, not with the cluster."""

OBJECT_DETECTORS: dict[str, tuple[Detector, ...]] = {
    "Pod": (pods.detect, containers.detect),
    "Node": (nodes.detect,),
    "Deployment": (workloads.detect,),
    "StatefulSet": (workloads.detect,),
    "ReplicaSet": (workloads.create_failed,),
    "DaemonSet": (daemonsets.detect,),
}

CLUSTER_DETECTORS: tuple[ClusterDetector, ...] = (*together.DETECTORS, *config.DETECTORS)

"""Which detectors look at which kind, and which look at the findings of the whole cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from triage.detectors import (
    batch,
    bulk,
    config,
    containers,
    control_plane,
    daemonsets,
    exposure,
    lost,
    nodes,
    pods,
    pods_together,
    scaling,
    services,
    storage,
    system,
    together,
    unattended,
    workloads,
)
from triage.finding import Finding
from triage.index import Index
from triage.view import View

Detector = Callable[[Any, View], Iterator[Finding]]
"""Looks at one object (a row of its kind) and what belongs to it."""
ClusterDetector = Callable[[View, Index], Iterator[Finding]]
"""Looks at the findings and at counters; its cost may grow with the findings, not with the
cluster."""

OBJECT_DETECTORS: dict[str, tuple[Detector, ...]] = {
    "Pod": (pods.detect, containers.detect, unattended.ended_for_good),
    "Node": (nodes.detect,),
    "Deployment": (workloads.detect, system.serving, unattended.generation),
    "StatefulSet": (
        workloads.detect,
        system.serving,
        unattended.generation,
        unattended.governing_service,
    ),
    "ReplicaSet": (workloads.create_failed,),
    "DaemonSet": (daemonsets.detect, system.serving, unattended.generation),
    "Job": (batch.job,),
    "CronJob": (batch.cronjob,),
    "Service": (services.service, exposure.exposed, unattended.endpoints),
    "Ingress": (services.ingress,),
    "HorizontalPodAutoscaler": (scaling.autoscaler,),
    "PodDisruptionBudget": (scaling.budget,),
    "ResourceQuota": (scaling.quota,),
    "PersistentVolumeClaim": (storage.claim,),
    "PersistentVolume": (storage.volume,),
    "VolumeAttachment": (storage.attachment,),
}

CLUSTER_DETECTORS: tuple[ClusterDetector, ...] = (
    *together.DETECTORS,
    *pods_together.DETECTORS,
    *config.DETECTORS,
    *control_plane.CLUSTER_DETECTORS,
    *lost.CLUSTER_DETECTORS,
    services.webhooks,
    bulk.rejected,
)
"""In this order: later ones may look at what earlier ones found."""

"""Which detectors look at which kind, and which look at the findings of the whole cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from triage.detectors.control_plane import cluster_services as system
from triage.detectors.control_plane import control_plane
from triage.detectors.data import configuration as config
from triage.detectors.data import data_loss as lost
from triage.detectors.data import storage
from triage.detectors.network import exposure, services
from triage.detectors.nodes import node_correlation as together
from triage.detectors.nodes import nodes
from triage.detectors.pods import bulk, containers, pods
from triage.detectors.pods import pod_correlation as pods_together
from triage.detectors.workloads import batch, daemonsets, scaling, workloads
from triage.detectors.workloads import unreconciled as unattended
from triage.facts.cluster_view import View
from triage.facts.finding import Finding
from triage.facts.finding_index import Index

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

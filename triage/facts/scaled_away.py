"""Workloads without a replica: who scaled them to 0, and when."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from cluster.kube import durations
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, Ref, Service, StatefulSet
from cluster.kube.selectors import service_selects
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.windows import TOGETHER

FORGOTTEN = timedelta(days=1)
"""A workload that has been at zero for longer is meant to be."""
_KEPT = re.compile(
    r"original-?replicas|previous-(?:scale|replicas)|(?:replicas|state)-before|idled-at|sleep",
    re.IGNORECASE,
)
"""Annotations in which automatic scalers keep the number to return to: kube-downscaler, the idling
of OpenShift, Okteto, vCluster."""
_SCALERS = re.compile(
    r"autoscal|downscal|keda|knative|kube-green|kube-controller-manager|pykube|sleep|snorlax|sablier"
    r"|idl(?:er|ing)"
)
"""Field managers that scale to zero and back by themselves."""


_TO_ZERO = re.compile(r"^Scaled down replica set \S+ to 0(?: from (\d+))?")
"""What the controller of Deployments says (pkg/controller/deployment/sync.go, 1.28 to 1.35)."""


class ScaledAway(NamedTuple):
    """A workload that was scaled to zero: when, by which manager ("" when none is recorded), and
    both in words. `sign` says that an automatic scaler did it, "" for none. Without managedFields
    the time is that of the controller's event."""

    ref: Ref
    at: datetime | None
    by: str
    text: str
    sign: str


def scaled_away(workload: Deployment | StatefulSet, view: ClusterView) -> ScaledAway | None:
    """None while it wants replicas."""
    if workload.spec.replicas:
        return None
    edit = last_write(workload.metadata, "f:spec", "f:replicas")
    ref = ref_of(workload)
    told, before = _told(ref, view)
    at = edit.time if edit else told
    if edit is not None and not (at and told and abs(told - at) <= TOGETHER):
        before = ""  # of an earlier rollout
    manager = edit.manager if edit else ""
    kept = next((key for key in sorted(workload.metadata.annotations) if _KEPT.search(key)), "")
    sign = f"annotation {kept}" if kept else manager if _SCALERS.search(manager.lower()) else ""
    if edit is None and not sign and (scaler := _scaler(ref, view)):
        sign = f"HorizontalPodAutoscaler {scaler}"
    by = f" from {before}" if before else ""
    by += f" by {manager}" if manager else ""
    when = f" at {durations.utc_clock(at, view.now)}" if at else ""
    automatic = f" (automatically: {sign})" if sign and sign != manager else ""
    return ScaledAway(ref, at, manager, f"{ref} was scaled to 0{by}{when}{automatic}", sign)


def _told(ref: Ref, view: ClusterView) -> tuple[datetime | None, str]:
    """When its controller removed the last pods, and how many replicas it had, "" for unknown."""
    found: list[tuple[datetime, str]] = []
    for event in view.events.about(ref):
        if event.reason == "ScalingReplicaSet" and (words := _TO_ZERO.match(event.message)):
            found.append((event.last, words[1] or ""))
        elif event.reason == "SuccessfulDelete" and ref.kind == "StatefulSet":
            found.append((event.last, ""))
    return max(found, default=(None, ""))


def _scaler(ref: Ref, view: ClusterView) -> str:
    """The autoscaler of a workload that may take its last pod: KEDA's, or with a minimum of 0."""
    for row in view.store.in_namespace("HorizontalPodAutoscaler", ref.namespace).values():
        target, name = row.spec.scale_target_ref, str(row.metadata.name)
        if (target.kind, target.name) == (ref.kind, ref.name) and (
            name.startswith("keda-hpa-") or row.spec.min_replicas == 0
        ):
            return name
    return ""


def behind(service: Service, view: ClusterView) -> list[Deployment | StatefulSet]:
    """The workloads whose pods the Service would select, if they had any."""
    return [
        workload
        for kind in ("Deployment", "StatefulSet")
        for workload in view.store.in_namespace(kind, service.metadata.namespace).values()
        if service_selects(service.spec.selector, workload.spec.template.metadata.labels)
    ]

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


class ScaledAway(NamedTuple):
    """A workload that was scaled to zero: when, by which manager ("" when none is recorded), and
    both in words. `sign` says that an automatic scaler did it, "" for none."""

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
    ref, at = ref_of(workload), edit.time if edit else None
    manager = edit.manager if edit else ""
    kept = next((key for key in sorted(workload.metadata.annotations) if _KEPT.search(key)), "")
    sign = f"annotation {kept}" if kept else manager if _SCALERS.search(manager.lower()) else ""
    by = f" by {manager}" if manager else ""
    when = f" at {durations.utc_clock(at, view.now)}" if at else ""
    automatic = f" (automatically: {sign})" if kept else ""
    return ScaledAway(ref, at, manager, f"{ref} was scaled to 0{by}{when}{automatic}", sign)


def behind(service: Service, view: ClusterView) -> list[Deployment | StatefulSet]:
    """The workloads whose pods the Service would select, if they had any."""
    return [
        workload
        for kind in ("Deployment", "StatefulSet")
        for workload in view.store.in_namespace(kind, service.metadata.namespace).values()
        if service_selects(service.spec.selector, workload.spec.template.metadata.labels)
    ]

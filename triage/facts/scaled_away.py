"""Workloads without a replica: who scaled them to 0, and when."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, Ref, Service, StatefulSet
from cluster.kube.selectors import service_selects
from triage.facts import quantity
from triage.facts.cluster_view import ClusterView, ref_of

FORGOTTEN = timedelta(days=1)
"""A workload that has been at zero for longer is meant to be."""
_BY_RULE = re.compile(
    r"autoscal|downscal|keda|knative|kube-green|kube-controller-manager|sleep|snorlax|^stanch$"
)


class ScaledAway(NamedTuple):
    """A workload that was scaled to zero: when, by which manager ("" when none is recorded), and
    both in words."""

    ref: Ref
    at: datetime | None
    by: str
    text: str


def scaled_away(workload: Deployment | StatefulSet, view: ClusterView) -> ScaledAway | None:
    """None while it wants replicas."""
    if workload.spec.replicas:
        return None
    edit = last_write(workload.metadata, "f:spec", "f:replicas")
    ref, at = ref_of(workload), edit.time if edit else None
    manager = edit.manager if edit else ""
    by = f" by {manager}" if manager else ""
    when = f" at {quantity.moment_text(at, view.now)}" if at else ""
    return ScaledAway(ref, at, manager, f"{ref} was scaled to 0{by}{when}")


def by_rule(manager: str) -> bool:
    """Whether it scales by a rule, or is the responder's own: neither is news."""
    return _BY_RULE.search(manager) is not None


def behind(service: Service, view: ClusterView) -> list[Deployment | StatefulSet]:
    """The workloads whose pods the Service would select, if they had any."""
    return [
        workload
        for kind in ("Deployment", "StatefulSet")
        for workload in view.store.in_namespace(kind, service.metadata.namespace).values()
        if service_selects(service.spec.selector, workload.spec.template.metadata.labels)
    ]

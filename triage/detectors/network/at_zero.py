"""Workloads behind a Service that are scaled to zero: when, by which manager, and whether that is
meant."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

from cluster.kube.managed_fields import last_write
from cluster.kube.objects import Deployment, Ref, Service, StatefulSet
from cluster.kube.selectors import service_selects
from triage.facts import quantity, roles
from triage.facts.addresses import resolve
from triage.facts.cluster_view import ClusterView, ref_of
from triage.logs.address import Address

Scaled = Deployment | StatefulSet

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


class AtZero(NamedTuple):
    """A workload that was scaled to zero: when, by which manager, and both in words. `sign` says
    that an automatic scaler did it, "" for none."""

    ref: Ref
    at: datetime | None
    by: str
    text: str
    sign: str


def workloads_behind(row: Service, view: ClusterView) -> list[Scaled]:
    """The workloads whose pods the Service would select, if they had any."""
    return [
        workload
        for kind in ("Deployment", "StatefulSet")
        for workload in view.store.in_namespace(kind, row.metadata.namespace).values()
        if service_selects(row.spec.selector, workload.spec.template.metadata.labels)
    ]


def role_of(workloads: list[Scaled], view: ClusterView) -> str:
    """The role that the pods of the first would have; "" for none."""
    for row in workloads[:1]:
        template, kind = row.spec.template, type(row).__name__
        labels, namespace = template.metadata.labels, row.metadata.namespace
        return roles.role(namespace, labels, template.spec, kind, view.store)
    return ""


def at_zero(workload: Scaled, view: ClusterView) -> AtZero:
    """Who scaled a workload to zero, and when."""
    edit = last_write(workload.metadata, "f:spec", "f:replicas")
    ref, at = ref_of(workload), edit.time if edit else None
    manager = edit.manager if edit else ""
    kept = next((key for key in sorted(workload.metadata.annotations) if _KEPT.search(key)), "")
    sign = f"annotation {kept}" if kept else manager if _SCALERS.search(manager.lower()) else ""
    by = f" by {manager}" if manager else ""
    when = f" at {quantity.moment_text(at, view.now)}" if at else ""
    automatic = f" (automatically: {sign})" if kept else ""
    return AtZero(ref, at, manager, f"{ref} was scaled to 0{by}{when}{automatic}", sign)


def callers_of(service: Ref, view: ClusterView) -> list[str]:
    """The workloads with replicas whose variables name a Service."""
    found = set()
    for kind in ("Deployment", "StatefulSet"):
        for row in view.store.rows(kind).values():
            if row.spec.replicas == 0:
                continue
            texts = (
                text
                for container in row.spec.template.spec.containers
                for variable in container.env
                for text in variable.value.split()
            )
            hosts = {text.partition(":")[0] for text in texts}
            if any(
                resolve(Address(host, 0), row.metadata.namespace, view).service == service
                for host in hosts
                if not host.isdecimal()
            ):
                found.add(str(ref_of(row)))
    return sorted(found)

"""Columns of the tables by kind, with typed values, so that 9 sorts before 10 and an hour before a
day."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.kube.event_times import last_time, times_observed
from cluster.kube.kinds import is_namespaced
from cluster.kube.managed_fields import data_keys, last_write
from cluster.kube.selectors import selector_text
from cluster.live.store import Store
from incident.tables import cells, pod_status

Value = str | int | bool | datetime | tuple[int, int] | None


class Type(enum.Enum):
    TEXT = "text"
    NUMBER = "number"
    AGE = "age"
    """A point in time, shown as an age and compared as a duration (`age<1h` is younger than an
    hour)."""
    TIME = "time"
    """A point in time, shown in UTC and compared as a duration."""
    SHARE = "share"
    """(k, n), shown as k/n; true when k equals n."""
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Column:
    """`value` reads one typed value from an object. `width` is in cells, 0 takes the rest. `order`:
    narrow screens keep columns with a lower number longer."""

    name: str
    type: Type
    width: int
    value: Callable[[Any, Store], Value]
    order: int = 5
    worst_first: bool = False
    """Sorting by it begins with the largest value (restarts, newest Event)."""


def text(name: str, width: int, value: Callable[[Any], str], order: int = 5) -> Column:
    return Column(name, Type.TEXT, width, lambda o, _: value(o), order)


def number(name: str, width: int, value: Callable[[Any], int | None], order: int = 5) -> Column:
    return Column(name, Type.NUMBER, width, lambda o, _: value(o), order, worst_first=True)


def share(name: str, value: Callable[[Any], tuple[int, int]]) -> Column:
    return Column(name, Type.SHARE, max(6, len(name) + 1), lambda o, _: value(o), 2)


NAMESPACE = text("namespace", 14, lambda o: o.metadata.namespace, 1)
NAME = text("name", 0, lambda o: o.metadata.name, 0)
AGE = Column("age", Type.AGE, 5, lambda o, _: o.metadata.creation_timestamp, 3)


def _workload(*more: Column) -> tuple[Column, ...]:
    return (
        NAMESPACE,
        NAME,
        share("ready", lambda o: (o.status.ready_replicas, o.spec.replicas)),
        number("updated", 8, lambda o: o.status.updated_replicas, 4),
        number("available", 10, lambda o: o.status.available_replicas, 4),
        AGE,
        *more,
    )


_KEYS = (
    NAMESPACE,
    NAME,
    number("keys", 6, lambda o: len(data_keys(o.metadata) or ()), 2),
    text("key names", 44, lambda o: ", ".join(sorted(data_keys(o.metadata) or ())), 3),
    Column("changed", Type.AGE, 8, lambda o, _: cells.changed(o.metadata), 2),
    text("by", 22, lambda o: write.manager if (write := last_write(o.metadata)) else "", 4),
    AGE,
)
_WEBHOOKS = (
    NAME,
    number("webhooks", 9, lambda o: len(o.webhooks), 2),
    text("on failure", 12, lambda o: ",".join(sorted({w.failure_policy for w in o.webhooks})), 2),
    text("calls", 44, cells.called, 3),
    AGE,
)

_ROUTE = (
    NAMESPACE,
    NAME,
    text("hosts", 36, lambda o: ",".join(o.spec.hostnames) or "*", 2),
    text("gateways", 24, lambda o: ",".join(p.name for p in o.spec.parent_refs), 3),
    AGE,
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "Pod": (
        NAMESPACE,
        NAME,
        Column("ready", Type.SHARE, 6, cells.pod_ready, 2),
        Column("status", Type.TEXT, 17, cells.pod_status_words, 1),
        number("restarts", 9, pod_status.restarts, 2),
        AGE,
        text("node", 12, lambda o: o.spec.node_name, 2),
        text("ip", 15, lambda o: o.status.pod_ip, 6),
        text("owner", 28, lambda o: cells.owner(o.metadata), 7),
        text("image", 30, lambda o: ",".join(c.image for c in o.spec.containers), 8),
    ),
    "Node": (
        NAME,
        text("status", 24, cells.node_status, 1),
        Column("ready", Type.FLAG, 6, lambda o, _: cells.node_ready(o), 9),
        text("roles", 14, cells.roles, 6),
        AGE,
        Column("pods", Type.NUMBER, 5, lambda o, s: len(s.pods_on(o.metadata.name)), 4, True),
        text("version", 12, lambda o: o.status.node_info.kubelet_version, 4),
        text("address", 15, cells.address, 5),
        text("runtime", 22, lambda o: o.status.node_info.container_runtime_version, 7),
        text("zone", 14, lambda o: o.metadata.labels.get("topology.kubernetes.io/zone", ""), 6),
    ),
    "Event": (
        Column("last", Type.TIME, 19, lambda o, _: last_time(o), 0, worst_first=True),
        text("type", 8, lambda o: o.type, 3),
        text("reason", 20, lambda o: o.reason, 1),
        number("count", 6, times_observed, 3),
        text("namespace", 14, lambda o: o.metadata.namespace, 4),
        text("object", 30, lambda o: f"{o.involved_object.kind}/{o.involved_object.name}", 2),
        text("message", 0, lambda o: o.message, 1),
    ),
    "Deployment": _workload(text("image", 40, cells.images, 6)),
    "StatefulSet": _workload(text("image", 40, cells.images, 6)),
    "ReplicaSet": (
        NAMESPACE,
        NAME,
        share("ready", lambda o: (o.status.ready_replicas, o.spec.replicas)),
        AGE,
        text("owner", 30, lambda o: cells.owner(o.metadata), 5),
        text("image", 40, cells.images, 7),
    ),
    "DaemonSet": (
        NAMESPACE,
        NAME,
        share("ready", lambda o: (o.status.number_ready, o.status.desired_number_scheduled)),
        number("updated", 8, lambda o: o.status.updated_number_scheduled, 4),
        number("misplaced", 10, lambda o: o.status.number_misscheduled, 5),
        AGE,
        text("image", 40, cells.images, 6),
    ),
    "Job": (
        NAMESPACE,
        NAME,
        text("status", 10, cells.job_status, 1),
        share("done", lambda o: (o.status.succeeded, o.spec.completions or 1)),
        number("active", 7, lambda o: o.status.active, 4),
        number("failed", 7, lambda o: o.status.failed, 3),
        AGE,
        text("owner", 30, lambda o: cells.owner(o.metadata), 6),
    ),
    "CronJob": (
        NAMESPACE,
        NAME,
        text("schedule", 16, lambda o: o.spec.schedule, 2),
        text("concurrency", 12, lambda o: o.spec.concurrency_policy, 3),
        Column("suspended", Type.FLAG, 10, lambda o, _: o.spec.suspend, 4),
        number("active", 7, lambda o: len(o.status.active), 2),
        Column("last", Type.AGE, 5, lambda o, _: o.status.last_schedule_time, 3),
        AGE,
    ),
    "Service": (
        NAMESPACE,
        NAME,
        text("type", 13, lambda o: o.spec.type, 2),
        text("address", 16, lambda o: o.spec.cluster_ip, 3),
        text("external", 24, cells.external, 4),
        text("ports", 24, cells.ports, 3),
        AGE,
        text("selector", 30, lambda o: cells.pairs(o.spec.selector), 6),
    ),
    "EndpointSlice": (
        NAMESPACE,
        NAME,
        share("ready", cells.endpoints_ready),
        text("service", 30, lambda o: o.metadata.labels.get("kubernetes.io/service-name", ""), 2),
        text("ports", 20, lambda o: ",".join(f"{p.port}/{p.protocol}" for p in o.ports), 4),
        AGE,
    ),
    "Ingress": (
        NAMESPACE,
        NAME,
        text("class", 14, lambda o: o.spec.ingress_class_name, 4),
        text("hosts", 36, lambda o: ",".join(r.host or "*" for r in o.spec.rules), 2),
        text("address", 18, cells.balancer, 3),
        AGE,
    ),
    "IngressClass": (NAME, text("controller", 40, lambda o: o.spec.controller, 2), AGE),
    "Gateway": (
        NAMESPACE,
        NAME,
        text("class", 20, lambda o: o.spec.gateway_class_name, 2),
        number("listeners", 10, lambda o: len(o.spec.listeners), 3),
        AGE,
    ),
    "HTTPRoute": _ROUTE,
    "GRPCRoute": _ROUTE,
    "TLSRoute": _ROUTE,
    "Certificate": (
        NAMESPACE,
        NAME,
        text("ready", 8, cells.certificate_ready, 1),
        text("secret", 30, lambda o: o.spec.secret_name, 2),
        text("issuer", 24, lambda o: o.spec.issuer_ref.name, 3),
        AGE,
    ),
    "Issuer": (NAMESPACE, NAME, text("ready", 8, cells.certificate_ready, 1), AGE),
    "ClusterIssuer": (NAME, text("ready", 8, cells.certificate_ready, 1), AGE),
    "Challenge": (
        NAMESPACE,
        NAME,
        text("state", 10, lambda o: o.status.state, 1),
        text("dns name", 36, lambda o: o.spec.dns_name, 2),
        AGE,
    ),
    "APIService": (
        NAME,
        text("available", 30, cells.available, 1),
        text("service", 40, cells.backend, 2),
        AGE,
    ),
    "NetworkPolicy": (
        NAMESPACE,
        NAME,
        text("selects", 34, lambda o: selector_text(o.spec.pod_selector), 2),
        text("types", 16, lambda o: ",".join(o.spec.policy_types), 3),
        number("ingress", 8, lambda o: cells.rules(o, "Ingress", o.spec.ingress), 4),
        number("egress", 7, lambda o: cells.rules(o, "Egress", o.spec.egress), 4),
        AGE,
    ),
    "PersistentVolumeClaim": (
        NAMESPACE,
        NAME,
        text("status", 10, lambda o: o.status.phase, 1),
        text("volume", 42, lambda o: o.spec.volume_name, 3),
        text("class", 16, lambda o: o.spec.storage_class_name or "", 4),
        AGE,
    ),
    "PersistentVolume": (
        NAME,
        text("status", 10, lambda o: o.status.phase, 1),
        text("claim", 36, cells.claim, 2),
        text("class", 16, lambda o: o.spec.storage_class_name, 4),
        text("driver", 24, lambda o: o.spec.csi.driver if o.spec.csi else "", 5),
        AGE,
    ),
    "VolumeAttachment": (
        text("volume", 0, lambda o: o.spec.source.persistent_volume_name or o.metadata.name, 0),
        text("node", 20, lambda o: o.spec.node_name, 1),
        Column("attached", Type.FLAG, 9, lambda o, _: o.status.attached, 1),
        text("problem", 44, cells.attachment_problem, 2),
        text("attacher", 24, lambda o: o.spec.attacher, 4),
        AGE,
    ),
    "HorizontalPodAutoscaler": (
        NAMESPACE,
        NAME,
        text("target", 32, cells.scaled, 3),
        number("now", 5, lambda o: o.status.current_replicas, 2),
        number("wanted", 7, lambda o: o.status.desired_replicas, 2),
        number("min", 5, lambda o: o.spec.min_replicas, 4),
        number("max", 5, lambda o: o.spec.max_replicas, 2),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAMESPACE,
        NAME,
        share("healthy", lambda o: (o.status.current_healthy, o.status.expected_pods)),
        number("allowed", 8, lambda o: o.status.disruptions_allowed, 2),
        text("min", 6, lambda o: cells.bound(o.spec.min_available), 4),
        text("max away", 9, lambda o: cells.bound(o.spec.max_unavailable), 4),
        AGE,
    ),
    "Lease": (
        NAMESPACE,
        NAME,
        Column("renewed", Type.AGE, 8, lambda o, _: o.spec.renew_time, 1),
        number("seconds", 8, lambda o: o.spec.lease_duration_seconds, 3),
        text("holder", 40, lambda o: o.spec.holder_identity, 2),
        AGE,
    ),
    "Namespace": (NAME, text("status", 12, lambda o: o.status.phase, 1), AGE),
    "ResourceQuota": (
        NAMESPACE,
        NAME,
        text("used", 60, cells.used, 1),
        AGE,
    ),
    "Secret": _KEYS,
    "ConfigMap": _KEYS,
    "ValidatingWebhookConfiguration": _WEBHOOKS,
    "MutatingWebhookConfiguration": _WEBHOOKS,
}
"""Columns of each kind that has more than the default ones."""


def columns(kind: str) -> tuple[Column, ...]:
    """The columns of a kind. Default: namespace (where the kind has one), name, age."""
    default = (NAMESPACE, NAME, AGE) if is_namespaced(kind) else (NAME, AGE)
    return COLUMNS.get(kind, default)

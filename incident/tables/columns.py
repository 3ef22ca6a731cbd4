"""Columns of the tables by kind, with typed values, so that 9 sorts before 10 and an hour before a
day."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.kube import objects as k
from cluster.kube.conditions import condition_of
from cluster.kube.event_times import last_time, times_observed
from cluster.kube.kinds import is_namespaced
from cluster.kube.managed_fields import data_keys, last_write
from cluster.kube.owners import controller_of
from cluster.kube.selectors import selector_text
from cluster.live.store import Store
from incident.tables import pod_status

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


def owner(meta: k.LeanMeta) -> str:
    """`ReplicaSet/catalog-7c9d`: the controller, else the first owner."""
    found = controller_of(meta)
    return f"{found.kind}/{found.name}" if found is not None else ""


def node_status(node: k.Node) -> str:
    """`Ready`, `NotReady`, `NotReady,silent` or `Unknown`, then other conditions:
    `Ready,MemoryPressure,SchedulingDisabled`."""
    ready = condition_of(node.status.conditions, "Ready")
    words = ["Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"]
    if pod_status.is_silent(node):
        words.append("silent")
    words += [
        c.type for c in node.status.conditions if c.type.endswith("Pressure") and c.status == "True"
    ]
    if node.spec.unschedulable:
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_of(pod: k.Pod, store: Store) -> k.Node | None:
    node: k.Node | None = store.get("Node", "", pod.spec.node_name)
    return node


def _node_ready(node: k.Node) -> bool:
    ready = condition_of(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def _roles(node: k.Node) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = (each for each in node.metadata.labels if each.startswith(prefix))
    return ",".join(sorted(each.removeprefix(prefix) for each in roles))


def _address(node: k.Node) -> str:
    return next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")


def _ports(service: k.Service) -> str:
    return ",".join(
        f"{p.port}{f':{p.node_port}' if p.node_port else ''}/{p.protocol}"
        for p in service.spec.ports
    )


def _balancer(o: k.Service | k.Ingress) -> str:
    return ",".join(i.ip or i.hostname for i in o.status.load_balancer.ingress)


def _external(service: k.Service) -> str:
    return service.spec.external_name or _balancer(service)


def _endpoints_ready(group: k.EndpointSlice) -> tuple[int, int]:
    ready = sum(each.conditions.ready is not False for each in group.endpoints)
    return ready, len(group.endpoints)


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _claim(volume: k.PersistentVolume) -> str:
    claim = volume.spec.claim_ref
    return f"{claim.namespace}/{claim.name}" if claim else ""


def _attachment_problem(attachment: k.VolumeAttachment) -> str:
    status = attachment.status
    return (status.attach_error or status.detach_error or k.VolumeError()).message


def _scaled(autoscaler: k.HorizontalPodAutoscaler) -> str:
    target = autoscaler.spec.scale_target_ref
    return f"{target.kind}/{target.name}"


def _bound(value: int | str | None) -> str:
    return "" if value is None else str(value)


def _used(quota: k.ResourceQuota) -> str:
    used = quota.status.used
    return ", ".join(
        f"{key} {used.get(key, '?')}/{v}" for key, v in sorted(quota.status.hard.items())
    )


def _available(item: k.APIService) -> str:
    found = condition_of(item.status.conditions, "Available")
    return f"{found.status} ({found.reason})" if found is not None and found.reason else "?"


def _ready(item: k.Certificate | k.Issuer) -> str:
    found = condition_of(item.status.conditions, "Ready")
    return found.status if found is not None else "?"


def _backend(item: k.APIService) -> str:
    service = item.spec.service
    return f"{service.namespace}/{service.name}" if service is not None else "local"


def _job_status(job: k.Job) -> str:
    for type_ in ("Complete", "Failed", "Suspended"):
        found = condition_of(job.status.conditions, type_)
        if found is not None and found.status == "True":
            return type_
    return "Running" if job.status.active else "Waiting"


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


def _images(o: Any) -> str:
    return ",".join(c.image for c in o.spec.template.spec.containers)


def _changed(meta: k.ObjectMeta) -> datetime | None:
    write = last_write(meta)
    return write.time if write is not None else meta.creation_timestamp


def _rules(policy: k.NetworkPolicy, direction: str, rules: Sequence[object]) -> int | None:
    """Rules of a direction; None where the policy says nothing of it, while 0 denies all."""
    return len(rules) if direction in policy.spec.policy_types else None


def _called(config: Any) -> str:
    """The Services and addresses that a webhook configuration calls."""
    clients = [each.client_config for each in config.webhooks]
    found = {
        f"{each.service.namespace}/{each.service.name}" if each.service else each.url
        for each in clients
    }
    return ",".join(sorted(found))


_KEYS = (
    NAMESPACE,
    NAME,
    number("keys", 6, lambda o: len(data_keys(o.metadata) or ()), 2),
    text("key names", 44, lambda o: ", ".join(sorted(data_keys(o.metadata) or ())), 3),
    Column("changed", Type.AGE, 8, lambda o, _: _changed(o.metadata), 2),
    text("by", 22, lambda o: write.manager if (write := last_write(o.metadata)) else "", 4),
    AGE,
)
_WEBHOOKS = (
    NAME,
    number("webhooks", 9, lambda o: len(o.webhooks), 2),
    text("on failure", 12, lambda o: ",".join(sorted({w.failure_policy for w in o.webhooks})), 2),
    text("calls", 44, _called, 3),
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
        Column("ready", Type.SHARE, 6, lambda o, s: pod_status.shown_ready(o, _node_of(o, s)), 2),
        Column("status", Type.TEXT, 17, lambda o, s: pod_status.shown_status(o, _node_of(o, s)), 1),
        number("restarts", 9, pod_status.restarts, 2),
        AGE,
        text("node", 12, lambda o: o.spec.node_name, 2),
        text("ip", 15, lambda o: o.status.pod_ip, 6),
        text("owner", 28, lambda o: owner(o.metadata), 7),
        text("image", 30, lambda o: ",".join(c.image for c in o.spec.containers), 8),
    ),
    "Node": (
        NAME,
        text("status", 24, node_status, 1),
        Column("ready", Type.FLAG, 6, lambda o, _: _node_ready(o), 9),
        text("roles", 14, _roles, 6),
        AGE,
        Column("pods", Type.NUMBER, 5, lambda o, s: len(s.pods_on(o.metadata.name)), 4, True),
        text("version", 12, lambda o: o.status.node_info.kubelet_version, 4),
        text("address", 15, _address, 5),
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
    "Deployment": _workload(text("image", 40, _images, 6)),
    "StatefulSet": _workload(text("image", 40, _images, 6)),
    "ReplicaSet": (
        NAMESPACE,
        NAME,
        share("ready", lambda o: (o.status.ready_replicas, o.spec.replicas)),
        AGE,
        text("owner", 30, lambda o: owner(o.metadata), 5),
        text("image", 40, _images, 7),
    ),
    "DaemonSet": (
        NAMESPACE,
        NAME,
        share("ready", lambda o: (o.status.number_ready, o.status.desired_number_scheduled)),
        number("updated", 8, lambda o: o.status.updated_number_scheduled, 4),
        number("misplaced", 10, lambda o: o.status.number_misscheduled, 5),
        AGE,
        text("image", 40, _images, 6),
    ),
    "Job": (
        NAMESPACE,
        NAME,
        text("status", 10, _job_status, 1),
        share("done", lambda o: (o.status.succeeded, o.spec.completions or 1)),
        number("active", 7, lambda o: o.status.active, 4),
        number("failed", 7, lambda o: o.status.failed, 3),
        AGE,
        text("owner", 30, lambda o: owner(o.metadata), 6),
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
        text("external", 24, _external, 4),
        text("ports", 24, _ports, 3),
        AGE,
        text("selector", 30, lambda o: _pairs(o.spec.selector), 6),
    ),
    "EndpointSlice": (
        NAMESPACE,
        NAME,
        share("ready", _endpoints_ready),
        text("service", 30, lambda o: o.metadata.labels.get("kubernetes.io/service-name", ""), 2),
        text("ports", 20, lambda o: ",".join(f"{p.port}/{p.protocol}" for p in o.ports), 4),
        AGE,
    ),
    "Ingress": (
        NAMESPACE,
        NAME,
        text("class", 14, lambda o: o.spec.ingress_class_name, 4),
        text("hosts", 36, lambda o: ",".join(r.host or "*" for r in o.spec.rules), 2),
        text("address", 18, _balancer, 3),
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
        text("ready", 8, _ready, 1),
        text("secret", 30, lambda o: o.spec.secret_name, 2),
        text("issuer", 24, lambda o: o.spec.issuer_ref.name, 3),
        AGE,
    ),
    "Issuer": (NAMESPACE, NAME, text("ready", 8, _ready, 1), AGE),
    "ClusterIssuer": (NAME, text("ready", 8, _ready, 1), AGE),
    "Challenge": (
        NAMESPACE,
        NAME,
        text("state", 10, lambda o: o.status.state, 1),
        text("dns name", 36, lambda o: o.spec.dns_name, 2),
        AGE,
    ),
    "APIService": (
        NAME,
        text("available", 30, _available, 1),
        text("service", 40, _backend, 2),
        AGE,
    ),
    "NetworkPolicy": (
        NAMESPACE,
        NAME,
        text("selects", 34, lambda o: selector_text(o.spec.pod_selector), 2),
        text("types", 16, lambda o: ",".join(o.spec.policy_types), 3),
        number("ingress", 8, lambda o: _rules(o, "Ingress", o.spec.ingress), 4),
        number("egress", 7, lambda o: _rules(o, "Egress", o.spec.egress), 4),
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
        text("claim", 36, _claim, 2),
        text("class", 16, lambda o: o.spec.storage_class_name, 4),
        text("driver", 24, lambda o: o.spec.csi.driver if o.spec.csi else "", 5),
        AGE,
    ),
    "VolumeAttachment": (
        text("volume", 0, lambda o: o.spec.source.persistent_volume_name or o.metadata.name, 0),
        text("node", 20, lambda o: o.spec.node_name, 1),
        Column("attached", Type.FLAG, 9, lambda o, _: o.status.attached, 1),
        text("problem", 44, _attachment_problem, 2),
        text("attacher", 24, lambda o: o.spec.attacher, 4),
        AGE,
    ),
    "HorizontalPodAutoscaler": (
        NAMESPACE,
        NAME,
        text("target", 32, _scaled, 3),
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
        text("min", 6, lambda o: _bound(o.spec.min_available), 4),
        text("max away", 9, lambda o: _bound(o.spec.max_unavailable), 4),
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
        text("used", 60, _used, 1),
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

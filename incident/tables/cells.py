"""Cells of tables: what an object says in a column that is more than one of its fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cluster.kube import objects as k
from cluster.kube.conditions import condition_of, is_true
from cluster.kube.managed_fields import last_write
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from incident.tables import pod_status


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


def pod_ready(pod: k.Pod, store: Store) -> tuple[int, int]:
    """(containers that are ready, containers)."""
    return pod_status.shown_ready(pod, _node_of(pod, store))


def pod_status_words(pod: k.Pod, store: Store) -> str:
    """The status as kubectl prints it, or that its node is silent."""
    return pod_status.shown_status(pod, _node_of(pod, store))


def node_ready(node: k.Node) -> bool:
    return is_true(node.status.conditions, "Ready")


def roles(node: k.Node) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = (each for each in node.metadata.labels if each.startswith(prefix))
    return ",".join(sorted(each.removeprefix(prefix) for each in roles))


def address(node: k.Node) -> str:
    return next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")


def ports(service: k.Service) -> str:
    return ",".join(
        f"{p.port}{f':{p.node_port}' if p.node_port else ''}/{p.protocol}"
        for p in service.spec.ports
    )


def balancer(o: k.Service | k.Ingress) -> str:
    return ",".join(i.ip or i.hostname for i in o.status.load_balancer.ingress)


def external(service: k.Service) -> str:
    return service.spec.external_name or balancer(service)


def endpoints_ready(group: k.EndpointSlice) -> tuple[int, int]:
    ready = sum(each.conditions.ready is not False for each in group.endpoints)
    return ready, len(group.endpoints)


def pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def claim(volume: k.PersistentVolume) -> str:
    claim = volume.spec.claim_ref
    return f"{claim.namespace}/{claim.name}" if claim else ""


def attachment_problem(attachment: k.VolumeAttachment) -> str:
    status = attachment.status
    return (status.attach_error or status.detach_error or k.VolumeError()).message


def scaled(autoscaler: k.HorizontalPodAutoscaler) -> str:
    target = autoscaler.spec.scale_target_ref
    return f"{target.kind}/{target.name}"


def bound(value: int | str | None) -> str:
    return "" if value is None else str(value)


def used(quota: k.ResourceQuota) -> str:
    used = quota.status.used
    return ", ".join(
        f"{key} {used.get(key, '?')}/{v}" for key, v in sorted(quota.status.hard.items())
    )


def available(item: k.APIService) -> str:
    found = condition_of(item.status.conditions, "Available")
    return f"{found.status} ({found.reason})" if found is not None and found.reason else "?"


def certificate_ready(item: k.Certificate | k.Issuer) -> str:
    found = condition_of(item.status.conditions, "Ready")
    return found.status if found is not None else "?"


def backend(item: k.APIService) -> str:
    service = item.spec.service
    return f"{service.namespace}/{service.name}" if service is not None else "local"


def job_status(job: k.Job) -> str:
    for type_ in ("Complete", "Failed", "Suspended"):
        found = condition_of(job.status.conditions, type_)
        if found is not None and found.status == "True":
            return type_
    return "Running" if job.status.active else "Waiting"


def images(o: Any) -> str:
    return ",".join(c.image for c in o.spec.template.spec.containers)


def changed(meta: k.ObjectMeta) -> datetime | None:
    write = last_write(meta)
    return write.time if write is not None else meta.creation_timestamp


def rules(policy: k.NetworkPolicy, direction: str, rules: Sequence[object]) -> int | None:
    """Rules of a direction; None where the policy says nothing of it, while 0 denies all."""
    return len(rules) if direction in policy.spec.policy_types else None


def called(config: Any) -> str:
    """The Services and addresses that a webhook configuration calls."""
    clients = [each.client_config for each in config.webhooks]
    found = {
        f"{each.service.namespace}/{each.service.name}" if each.service else each.url
        for each in clients
    }
    return ",".join(sorted(found))

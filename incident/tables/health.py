"""Whether a row of a table is well, broken or finished. Broken rows come first, and `!ready` shows
them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from cluster.kube import objects as k
from cluster.kube.conditions import is_true
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from incident.tables import pod_status


class Health(enum.IntEnum):
    """Rows are sorted in this order."""

    BROKEN = 0
    WELL = 1
    FINISHED = 2
    """It has done its work, or has none: neither ready nor broken."""


def health(item: Any, store: Store) -> Health:
    """The health by the object's own status; an object without a status is well."""
    judge: Judge | None = _JUDGES.get(type(item))
    if judge is not None:
        return judge(item, store)
    if item.metadata.deletion_timestamp is not None:
        return Health.BROKEN
    return _by_conditions(item)


def _pod(pod: k.Pod, store: Store) -> Health:
    if pod.status.phase == "Succeeded":
        return Health.FINISHED
    if pod.status.phase == "Failed":
        owner = controller_of(pod.metadata)
        job = store.get(*owner) if owner is not None and owner.kind == "Job" else None
        return (
            _job(job, store)
            if isinstance(job, k.Job) and is_true(job.status.conditions, "Complete")
            else Health.BROKEN
        )
    for condition in pod.status.conditions:
        if condition.type == "Ready":
            return Health.WELL if condition.status == "True" else Health.BROKEN
    have, of = pod_status.ready(pod)
    return Health.WELL if have >= of > 0 else Health.BROKEN


def _node(node: k.Node, _: Store) -> Health:
    ready = is_true(node.status.conditions, "Ready")
    ill = any(c.type != "Ready" and c.status == "True" for c in node.status.conditions)
    return Health.WELL if ready and not ill else Health.BROKEN  # cordoned: on purpose


def _replicas(item: Any, _: Store) -> Health:
    if not item.spec.replicas:
        return Health.FINISHED
    return Health.WELL if item.status.ready_replicas >= item.spec.replicas else Health.BROKEN


def _daemon_set(item: k.DaemonSet, _: Store) -> Health:
    wanted = item.status.desired_number_scheduled
    if not wanted:
        return Health.FINISHED
    return Health.WELL if item.status.number_ready >= wanted else Health.BROKEN


def _job(job: k.Job, _: Store) -> Health:
    if is_true(job.status.conditions, "Complete") or is_true(job.status.conditions, "Suspended"):
        return Health.FINISHED
    return (
        Health.BROKEN
        if is_true(job.status.conditions, "Failed") or job.status.failed
        else Health.WELL
    )


def _cron_job(item: k.CronJob, _: Store) -> Health:
    return Health.FINISHED if item.spec.suspend else Health.WELL


def _claim(item: k.PersistentVolumeClaim, _: Store) -> Health:
    return Health.WELL if item.status.phase == "Bound" else Health.BROKEN


def _volume(item: k.PersistentVolume, _: Store) -> Health:
    return Health.BROKEN if item.status.phase in ("Failed", "Released") else Health.WELL


def _namespace(item: k.Namespace, _: Store) -> Health:
    return Health.BROKEN if item.status.phase == "Terminating" else Health.WELL


def _slice(item: k.EndpointSlice, _: Store) -> Health:
    whole = all(each.conditions.ready is not False for each in item.endpoints)
    return Health.WELL if whole else Health.BROKEN


def _attachment(item: k.VolumeAttachment, _: Store) -> Health:
    return Health.WELL if item.status.attached else Health.BROKEN


def _budget(item: k.PodDisruptionBudget, _: Store) -> Health:
    whole = item.status.current_healthy >= item.status.expected_pods
    return Health.WELL if whole else Health.BROKEN


def _event(item: k.Event, _: Store) -> Health:
    return Health.BROKEN if item.type == "Warning" else Health.WELL


def _by_conditions(item: Any) -> Health:
    conditions = getattr(getattr(item, "status", None), "conditions", ())
    bad = any(
        c.type in ("Ready", "Available", "Healthy", "ScalingActive", "Accepted", "Programmed")
        and c.status == "False"
        for c in conditions
    )
    return Health.BROKEN if bad else Health.WELL


Judge = Callable[[Any, Store], Health]
_JUDGES: dict[type, Judge] = {
    k.Pod: _pod,
    k.Node: _node,
    k.Deployment: _replicas,
    k.StatefulSet: _replicas,
    k.ReplicaSet: _replicas,
    k.DaemonSet: _daemon_set,
    k.Job: _job,
    k.CronJob: _cron_job,
    k.PersistentVolumeClaim: _claim,
    k.PersistentVolume: _volume,
    k.Namespace: _namespace,
    k.EndpointSlice: _slice,
    k.VolumeAttachment: _attachment,
    k.PodDisruptionBudget: _budget,
    k.Event: _event,
}

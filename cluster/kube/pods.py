"""Facts about one pod: ready, finished, its containers and their statuses."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import Container, ContainerStatus, LeanMeta, Pod, PodSpec


def is_ready(pod: Pod) -> bool:
    """Whether it serves: its Ready condition is True."""
    # A loop, because every pod asks for it and a generator takes three times as long.
    for condition in pod.status.conditions:
        if condition.type == "Ready":
            return condition.status == "True"
    return False


_QUEUES = (
    "kueue.x-k8s.io/queue-name",
    "scheduling.volcano.sh/queue-name",
    "yunikorn.apache.org/queue",
)


def queue_of(meta: LeanMeta) -> str:
    """The queue that holds back a Job or pod until there is room for it, by its labels and
    annotations; "" for none."""
    places = (meta.labels, meta.annotations)
    return next((p[key] for p in places for key in _QUEUES if p.get(key)), "")


def is_finished(pod: Pod) -> bool:
    """Whether all its containers have ended and none starts again."""
    return pod.status.phase in ("Succeeded", "Failed")


def has_ended(pod: Pod) -> bool:
    """Whether no kubelet has anything to end: finished, on no node, or all containers ended."""
    ended = [status.state.terminated is not None for status in statuses(pod)]
    return is_finished(pod) or not pod.spec.node_name or (bool(ended) and all(ended))


def statuses(pod: Pod) -> Iterator[ContainerStatus]:
    """Init containers first, then the main ones."""
    yield from pod.status.init_container_statuses
    yield from pod.status.container_statuses


def containers(spec: PodSpec) -> Iterator[Container]:
    """Init containers first, then the main ones."""
    yield from spec.init_containers
    yield from spec.containers

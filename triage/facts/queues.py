"""Queues that hold back Jobs and pods until there is room for them: Kueue and its like."""

from __future__ import annotations

from cluster.kube.objects import LeanMeta

_LABELS = (
    "kueue.x-k8s.io/queue-name",
    "scheduling.volcano.sh/queue-name",
    "yunikorn.apache.org/queue",
)


def queue_of(meta: LeanMeta) -> str:
    """The queue that admits an object, by its labels and annotations; "" for none."""
    places = (meta.labels, meta.annotations)
    return next((p[key] for p in places for key in _LABELS if p.get(key)), "")

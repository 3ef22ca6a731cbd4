"""The memory limit of a container or a pod, and a kill at it before the program runs."""

from __future__ import annotations

import re

from cluster.kube import quantity
from cluster.kube.objects import PodSpec
from cluster.kube.pods import containers

_KILLED = re.compile(r"oom[- ]killed", re.IGNORECASE)


def kills_at_start(message: str) -> bool:
    """Whether a runtime says that the first process of a container or a sandbox was killed for
    memory (runc, `container init was OOM-killed (memory limit too low?)`)."""
    return _KILLED.search(message) is not None


def limit_of(spec: PodSpec, container: str) -> str:
    """The memory limit of a container as it is written, "" for none."""
    found = (c.resources.limits.get("memory", "") for c in containers(spec) if c.name == container)
    return next(found, "")


def pod_limit(spec: PodSpec) -> str:
    """The memory limit of the pod: the sum of its containers', "" where one has none (Kubernetes,
    resource management: the cgroup of a pod)."""
    limits = [c.resources.limits.get("memory", "") for c in spec.containers]
    if len(limits) == 1 or not all(limits):
        return limits[0] if len(limits) == 1 else ""
    return quantity.size_text(sum(quantity.parse(text) or 0 for text in limits))


def at_start(limit: str, many: bool = False) -> str:
    """`killed for memory as it starts (limit 5Mi)`."""
    who = "they start" if many else "it starts"
    return f"killed for memory as {who}" + (f" (limit {limit})" if limit else "")

"""The status of a pod in one word, as `kubectl get pods` computes it (kubernetes
pkg/printers/internalversion/printers.go, printPod)."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.kube.conditions import condition_of, is_true
from cluster.kube.objects import (
    Condition,
    ContainerStateTerminated,
    ContainerStatus,
    Node,
    Pod,
)

NODE_SILENT = "node silent"


def status(pod: Pod) -> str:
    """`Running`, `CrashLoopBackOff`, `Init:1/2`, `Terminating`, …"""
    state = pod.status
    word = state.reason or state.phase or "Unknown"
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in state.conditions):
        word = "SchedulingGated"
    initializing = _initializing(state.init_container_statuses, len(pod.spec.init_containers))
    initialized = is_true(state.conditions, "Initialized")
    if initializing:
        word = initializing
    if not initializing or initialized:
        word = _running(pod, word)
    if pod.metadata.deletion_timestamp is not None:
        if state.reason == "NodeLost":
            return "Unknown"
        if state.phase not in ("Failed", "Succeeded"):
            return "Terminating"
    return word


def shown_status(pod: Pod, node: Node | None) -> str:
    """The status, or, of a running pod, that its node is silent."""
    word = status(pod)
    return NODE_SILENT if word == "Running" and is_silent(node) else word


def shown_ready(pod: Pod, node: Node | None) -> tuple[int, int]:
    """(containers that are ready, containers). On a silent node none is known to be."""
    have, of = ready(pod)
    return (0 if is_silent(node) else have), of


def is_silent(node: Node | None) -> bool:
    """Whether the kubelet stopped reporting, so that the states of its pods are the last known
    ones (node lifecycle controller: Ready is Unknown)."""
    return silence(node) is not None


def silence(node: Node | None) -> Condition | None:
    """The condition that says so."""
    conditions = node.status.conditions if node is not None else ()
    return condition_of(conditions, "Ready", "Unknown")


def _initializing(statuses: Sequence[ContainerStatus], total: int) -> str:
    """The status of the first unfinished init container, "" when all are done. A running sidecar
    counts as done."""
    for index, each in enumerate(statuses):
        ended, waiting = each.state.terminated, each.state.waiting
        if (ended is not None and ended.exit_code == 0) or (
            each.state.running is not None and each.ready
        ):
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        if waiting is not None and waiting.reason and waiting.reason != "PodInitializing":
            return f"Init:{waiting.reason}"
        return f"Init:{index}/{max(total, len(statuses))}"
    return ""


def _running(pod: Pod, word: str) -> str:
    running = False
    for each in reversed(pod.status.container_statuses):
        ended, waiting = each.state.terminated, each.state.waiting
        if waiting is not None and waiting.reason:
            word = waiting.reason
        elif ended is not None:
            word = _ended(ended)
        elif each.ready and each.state.running is not None:
            running = True
    if word == "Completed" and running:
        ready = is_true(pod.status.conditions, "Ready")
        return "Running" if ready else "NotReady"
    return word


def _ended(ended: ContainerStateTerminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def ready(pod: Pod) -> tuple[int, int]:
    """(containers that are ready, containers)."""
    return sum(1 for each in pod.status.container_statuses if each.ready), max(
        len(pod.spec.containers), len(pod.status.container_statuses)
    )


def restarts(pod: Pod) -> int:
    """Restarts of all containers, including init containers while they run."""
    return sum(each.restart_count for each in pod.status.container_statuses) or sum(
        each.restart_count for each in pod.status.init_container_statuses
    )

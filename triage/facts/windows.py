"""Time windows: grace before something counts as abnormal, and how long a past event is still
news."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from cluster.kube.objects import Container, ContainerProbe, PodSpec

NOTE_AFTER = timedelta(seconds=15)
"""A fault with a known cause within its grace is a note ("young: 40 s") from this age."""
SCHEDULE_GRACE = timedelta(seconds=60)
"""A pod may wait this long for a node."""
SCALE_UP_GRACE = timedelta(minutes=10)
"""... and this long once an autoscaler was asked for a node (usual: 2 to 4 min)."""
START_GRACE = timedelta(minutes=3)
"""Containers may take this long to be created without a reason being known."""
PULL_GRACE = timedelta(minutes=10)
"""... and this long while the kubelet says that it is pulling."""
INIT_GRACE = timedelta(minutes=10)
"""An init container may run, and a sidecar may start, for this long."""
READY_GRACE = timedelta(minutes=5)
"""A pod that was never ready may take this long to become so; probes may allow more."""
UNREADY_GRACE = timedelta(seconds=45)
"""A pod that was ready before may be unready for this long."""
RETRY_GRACE = timedelta(seconds=60)
"""Mounts and sandboxes fail once and succeed a moment later in healthy clusters."""
TERMINATION_GRACE = timedelta(minutes=2)
"""Beyond the pod's own grace period."""
LEASE_STALE = timedelta(seconds=40)
"""node-monitor-grace-period of the node lifecycle controller; leases are renewed every 10 s."""
ROLLOUT_GRACE = timedelta(minutes=5)
"""A workload may be short for this long after its pod template or its scale changed."""

EDGE = timedelta(minutes=30)
"""A crash, an OOM kill or an eviction that is over is a warning for this long ..."""
SETTLED = timedelta(minutes=10)
"""... and has recovered when it is ready and has run for this long: twice the longest delay between
two restarts of a container."""
RECENT = timedelta(minutes=60)
"""... and worth a line (info) for this long; then it is history."""
TOGETHER = timedelta(minutes=2)
"""Things that happen within this time happened together (story 000: restarts on one node)."""
INCIDENT = timedelta(hours=2)
"""How far back several nodes or pods that fail one after another still make one incident."""
CHANGES = timedelta(days=14)
"""How far back changes are listed."""
JOINING = timedelta(minutes=3)
"""A node that joins may take this long to become Ready."""
NEW_NODE = timedelta(hours=1)
"""A node counts as new for this long."""
STANDING = timedelta(days=1)
"""What has lasted for longer is known already."""


def startup_budget(probe: ContainerProbe | None) -> timedelta:
    """How long a startup probe may fail before the kubelet restarts the container
    (Kubernetes, Protect slow starting containers with startup probes)."""
    if probe is None:
        return timedelta()
    failures = (probe.failure_threshold or 3) * (probe.period_seconds or 10)
    return timedelta(seconds=probe.initial_delay_seconds + failures)


def start_allowance(spec: PodSpec) -> timedelta:
    """How long a pod may take to become ready: a startup probe is asked to its end before readiness
    is, which may fail for twice its own threshold."""
    allowed = READY_GRACE
    for container in spec.containers:
        begin, ready = startup_budget(container.startup_probe), container.readiness_probe
        if ready is not None:
            seconds = 2 * (ready.period_seconds or 10) * (ready.failure_threshold or 3)
            begin += timedelta(seconds=seconds)
        allowed = max(allowed, begin)
    return allowed


def startup_allows(containers: Iterable[Container], usual: timedelta) -> str:
    """`its startup probe allows 40 min`: the longest budget, "" where none is longer than `usual`
    and so explains why a pod is still young."""
    longest = max((startup_budget(each.startup_probe) for each in containers), default=usual)
    return f"its startup probe allows {longest // _MINUTE} min" if longest > usual else ""


_MINUTE = timedelta(minutes=1)

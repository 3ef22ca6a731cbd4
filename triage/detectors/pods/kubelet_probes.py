"""Why a kubelet's probe fails: which probe, on which port, with which answer, and whether the
container can answer there at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from cluster.kube.conditions import condition_of
from cluster.kube.objects import Container, ContainerProbe, Pod
from cluster.kube.owners import controller_of
from cluster.kube.pods import containers, is_ready
from triage.facts.cluster_view import ClusterView
from triage.facts.events import EventFact
from triage.facts.messages.container_probes import (
    probe_answer,
    probe_cause,
    probe_port,
    probe_protocol,
    probe_status,
)
from triage.facts.messages.wording import quoted

_KINDS = {"readiness": "readiness", "liveness": "liveness", "startup": "startup"}


class ProbeTrouble(msgspec.Struct, frozen=True):
    """How probes of a pod fail now. `kind` is readiness, liveness, startup or ""; `cause` as
    `probe_cause`; `text` continues a sentence."""

    kind: str = ""
    cause: str = ""
    text: str = ""
    undeclared: bool = False
    """The port that is asked is one that no container of the pod declares."""


def failures(
    pod: Pod, view: ClusterView, within: timedelta = timedelta(minutes=30)
) -> list[EventFact]:
    """Recent events about probes of this pod that failed, oldest first."""
    return [
        e
        for e in view.events_of(pod)
        if e.reason in ("Unhealthy", "ProbeError") and view.now - e.last < within
    ]


def trouble(pod: Pod, failed: Sequence[EventFact]) -> ProbeTrouble:
    """What the last of these failures says, held against the containers of the pod."""
    if not failed:
        return ProbeTrouble()
    event = failed[-1]
    cause = probe_cause(event.message)
    kind = _KINDS.get(event.message.partition(" ")[0].lower(), "")
    container, probe = _asked(pod, event, kind)
    name = f"its {kind} probe" if kind else "its probe"
    target = probe.target if probe is not None else None
    port = target.port if target is not None else probe_port(event.message)
    undeclared = _undeclared(pod, port)
    where = f" on port {port}" if port else ""
    after = f" after {probe.timeout_seconds} s" if probe and probe.timeout_seconds else ""
    text = {
        "refused": f"{name} fails: connection refused{where}",
        "timeout": f"{name} fails: timeout{after}{where}",
        "status": f"{name} fails: status {probe_status(event.message)}{where}",
        "protocol": f"{name}{where} speaks {probe_protocol(event.message)}",
        "port": f"{name} names port {port}, which container {container} does not have",
    }.get(cause, f"{name} fails: {quoted(probe_answer(event.message))}")
    if undeclared and cause in ("refused", "timeout"):
        text += f", which no container declares (declared: {_declared(pod)})"
    return ProbeTrouble(kind, cause, text, undeclared)


def not_passed(pod: Pod) -> ProbeTrouble:
    """The probe that keeps a running container from being ready, from the status alone: events end
    within the hour and may be forbidden. The kubelet sets `started` when the startup probe passes,
    and `ready` when the readiness probe passes."""
    specs = {c.name: c for c in pod.spec.containers}
    for status in pod.status.container_statuses:
        container = specs.get(status.name)
        if status.ready or status.state.running is None or container is None:
            continue
        kind = "startup" if status.started is False else "readiness"
        probe = _probe(container, kind)
        if probe is None:
            continue
        port = probe.target.port if probe.target is not None else 0
        undeclared = _undeclared(pod, port)
        text = f"its {kind} probe does not pass" + (f" on port {port}" if port else "")
        if undeclared:
            text += f", which no container declares (declared: {_declared(pod)})"
        return ProbeTrouble(kind, "unseen", text, undeclared)
    return ProbeTrouble()


def _undeclared(pod: Pod, port: int | str | None) -> bool:
    """Whether the containers declare ports, and this is none of them."""
    ports = [p for c in pod.spec.containers for p in c.ports]
    if isinstance(port, str):
        return bool(ports) and port not in {p.name for p in ports}
    return bool(ports and port) and port not in {p.container_port for p in ports}


def _declared(pod: Pod) -> str:
    return ", ".join(
        map(str, sorted({p.container_port for c in pod.spec.containers for p in c.ports}))
    )


def _asked(pod: Pod, event: EventFact, kind: str) -> tuple[str, ContainerProbe | None]:
    """The container and its probe that an event is about."""
    named = event.field_path.partition("{")[2].rstrip("}")
    every = [c for c in containers(pod.spec) if not named or c.name == named]
    for container in every:
        probe = _probe(container, kind)
        if probe is not None:
            return container.name, probe
    return (every[0].name if every else named), None


def _probe(container: Container, kind: str) -> ContainerProbe | None:
    return {
        "readiness": container.readiness_probe,
        "liveness": container.liveness_probe,
        "startup": container.startup_probe,
    }.get(kind)


def impatience(pod: Pod, kind: str, view: ClusterView) -> str:
    """`it allows 15 s to start, its peers took up to 40 s`, where a liveness or startup probe ends
    containers before its ready peers were ready; else ""."""
    probes = [p for c in pod.spec.containers if (p := _probe(c, kind)) is not None]
    owner = controller_of(pod.metadata)
    if not probes or owner is None:
        return ""
    allowed = max(
        p.initial_delay_seconds + (p.period_seconds or 10) * (p.failure_threshold or 3)
        for p in probes
    )
    took: list[float] = []
    for peer in view.pods_of(owner):
        ready = condition_of(peer.status.conditions, "Ready")
        running = [s.state.running for s in peer.status.container_statuses if s.state.running]
        if (
            not is_ready(peer)
            or ready is None
            or ready.last_transition_time is None
            or any(s.restart_count for s in peer.status.container_statuses)
        ):
            continue
        took += [
            (ready.last_transition_time - r.started_at).total_seconds()
            for r in running
            if r.started_at is not None
        ]
    longest = max(took, default=0.0)
    if longest <= allowed:
        return ""
    return f"it allows {allowed} s to start, its peers took up to {longest:.0f} s"

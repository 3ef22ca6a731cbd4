"""Events of a node: out of memory, reclaiming, problems, reboots, flapping, restarts of many owners
at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cluster.kube.objects import Node, Pod, Ref
from triage.detectors.registry import object_detector
from triage.facts import quantity
from triage.facts.cluster_view import (
    ClusterView,
    at_start,
    is_finished,
    ready_status,
    ref_of,
    statuses,
)
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, field_evidence, from_events, make
from triage.facts.messages.kubelet import RUNTIMES, oom_victim, runtime_away
from triage.facts.messages.wording import first_owners
from triage.facts.reboots import powered_on, reboots_around
from triage.facts.windows import EDGE, INCIDENT, JOINING, RECENT, TOGETHER

_BAD_EVENTS = frozenset(
    {
        "TaskHung",
        "KernelOops",
        "Ext4Error",
        "IOError",
        "MemoryReadError",
        "ReadonlyFilesystem",
        "FilesystemIsReadOnly",
        "CorruptDockerOverlay2",
        "DockerHung",
        "KernelDeadlock",
        "XfsHasShutDown",
        "UnregisterNetDevice",
        "ConntrackFull",
        "NTPIsDown",
        "KubeletUnhealthy",
        "DockerUnhealthy",
        "ContainerdUnhealthy",
        "FrequentKubeletRestart",
        "FrequentDockerRestart",
        "FrequentContainerdRestart",
        "ContainerRuntimeUnhealthy",
        "CIDRNotAvailable",
        "IPSpaceExhausted",
        "InsufficientFreeIPs",
    }
)


def _no_limit_owners(node: Node, view: ClusterView) -> tuple[str, ...]:
    owners: dict[str, None] = {}
    for pod in view.store.pods_on(node.metadata.name).values():
        if not is_finished(pod) and any(
            "memory" not in c.resources.limits for c in pod.spec.containers
        ):
            owner = view.owner(pod)
            if owner.kind not in ("DaemonSet", "Node"):
                owners[str(owner)] = None
    return tuple(sorted(owners))


def _container_oom_near(node: Node, view: ClusterView, at: datetime) -> bool:
    """Whether a container of the node was killed at its own limit around a moment."""
    for pod in view.store.pods_on(node.metadata.name).values():
        for status in statuses(pod):
            for end in (status.state.terminated, status.last_state.terminated):
                if (
                    end is not None
                    and end.reason == "OOMKilled"
                    and end.finished_at
                    and abs(end.finished_at - at) <= TOGETHER
                ):
                    return True
    return False


@object_detector("Node")
def out_of_memory(node: Node, view: ClusterView) -> Iterator[Finding]:
    """SystemOOM: only when the whole node ran out. OOMKilling of node-problem-detector covers
    containers too: those do not count."""
    seen: list[EventFact] = []
    for event in view.events.about(ref_of(node)):
        if not view.within(event.last, INCIDENT):
            continue
        if event.reason == "SystemOOM":
            seen.append(event)
        elif event.reason == "OOMKilling":
            victim = oom_victim(event.message)
            own = "memory cgroup" in event.message.lower() or _container_oom_near(
                node, view, event.last
            )
            if victim in RUNTIMES or victim == "kubelet" or not own:
                seen.append(event)
    if not seen:
        return
    last = max(e.last for e in seen)
    first = min(e.first for e in seen)
    victims = tuple(dict.fromkeys(v for v in (oom_victim(e.message) for e in seen) if v))
    count = sum(e.count for e in seen)
    is_ready = ready_status(node) == "True"
    fresh = view.within(last, RECENT)
    severity = Severity.CRITICAL if not is_ready else Severity.WARNING if fresh else Severity.INFO
    killed = f", killed {', '.join(victims)}" if victims else ""
    yield make(
        "node-system-oom",
        ref_of(node),
        f"the node ran out of memory {count} time{'s' if count > 1 else ''}{killed}",
        severity,
        "critical while the node is not Ready, a warning within an hour, then a note",
        since=first,
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in seen[-4:]],
        active=fresh or not is_ready,
        facts={
            **view.node_facts(node, first),
            "count": count,
            "victims": victims,
            "victim_runtime": any(v in RUNTIMES for v in victims),
            "victim_kubelet": "kubelet" in victims,
            "no_limit_owners": _no_limit_owners(node, view),
            "recovered": is_ready,
        },
    )


_NOTHING_ELIGIBLE = re.compile(r"found \d+ bytes eligible to free")
"""pkg/kubelet/images/image_gc_manager.go: images are removed, and the disk stays as full."""


def _pressure_ended(node: Node, resource: str, events: Sequence[EventFact]) -> bool:
    """Whether the kubelet has taken the condition of the resource back after its last event."""
    type_ = {"memory": "MemoryPressure", "pids": "PIDPressure"}.get(resource, "DiskPressure")
    last = max(e.last for e in events)
    return any(
        c.type == type_
        and c.status == "False"
        and c.last_transition_time is not None
        and c.last_transition_time > last
        for c in node.status.conditions
    )


@object_detector("Node")
def reclaim(node: Node, view: ClusterView) -> Iterator[Finding]:
    """EvictionThresholdMet and failing garbage collection, within half an hour."""
    by_resource: dict[str, list[EventFact]] = {}
    failed: list[EventFact] = []
    for event in view.events.about(ref_of(node)):
        if event.reason == "EvictionThresholdMet" and view.within(event.last, EDGE):
            by_resource.setdefault(
                event.message.rpartition("reclaim ")[2].strip() or "?", []
            ).append(event)
        elif event.reason == "FreeDiskSpaceFailed" or (
            event.reason in ("ImageGCFailed", "ContainerGCFailed")
            and event.count > 1
            and not runtime_away(event.message)
        ):
            # One failed collection at the start of a kubelet is usual ("non-existent label
            # docker-images").
            failed.extend([event] if view.within(event.last, EDGE) else [])
    for resource, group in sorted(by_resource.items()):
        count = sum(e.count for e in group)
        over = _pressure_ended(node, resource, group)
        claim = f"the kubelet reclaims {resource} by evicting pods"
        if over:
            claim = f"the kubelet reclaimed {resource} by evicting pods, and has enough again"
        yield make(
            "node-eviction-threshold",
            ref_of(node),
            claim,
            Severity.INFO if over else Severity.WARNING,
            "an eviction threshold was met within 30 min; a note once its pressure has ended",
            **from_events(group),
            active=not over,
            detail=resource,
            facts={**view.node_facts(node), "resource": resource, "count": count},
        )
    if failed:
        nothing = any(_NOTHING_ELIGIBLE.search(e.message) for e in failed)
        yield make(
            "node-disk-reclaim-failed",
            ref_of(node),
            "the kubelet cannot free disk space"
            + (": no image is left to remove" if nothing else ""),
            Severity.WARNING,
            "garbage collection failed within 30 min",
            **from_events(failed),
            facts={
                **view.node_facts(node),
                "count": sum(e.count for e in failed),
                "no_image_left": nothing,
            },
        )


@object_detector("Node")
def problems(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Events of node-problem-detector and its like, within half an hour."""
    groups: dict[str, list[EventFact]] = {}
    for event in view.events.about(ref_of(node)):
        if event.reason in _BAD_EVENTS and view.within(event.last, EDGE):
            groups.setdefault(event.reason, []).append(event)
    for reason, group in sorted(groups.items()):
        if any(c.type == reason and c.status == "True" for c in node.status.conditions):
            continue
        yield make(
            "node-problem",
            ref_of(node),
            f"{reason}: {group[-1].message}",
            Severity.WARNING,
            "a problem event within 30 min",
            **from_events(group),
            detail=f"event/{reason}",
            facts={**view.node_facts(node), "type": reason, "reason": reason},
        )


_AT_START = timedelta(minutes=3)
"""A kubelet that starts on a cordoned node says so within this time."""


def _cordons(about: list[EventFact], reboot: datetime) -> list[EventFact]:
    """Signs that a node was cordoned when it went down: a cordon in the hour before, or said by the
    kubelet as it started; or its end afterwards, where no later cordon explains that."""
    before = [
        e
        for e in about
        if e.reason in ("NodeNotSchedulable", "NodeShutdown", "Drain", "Cordon")
        and -_AT_START <= reboot - e.last <= RECENT
    ]
    later = any(e.reason == "NodeNotSchedulable" and e.last > reboot + _AT_START for e in about)
    ended = [e for e in about if e.reason == "NodeSchedulable" and e.last >= reboot]
    return before or ([] if later else ended)


@object_detector("Node")
def rebooted(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Rebooted (kubelet, boot id changed). Planned when the node is or was just cordoned: a note
    then."""
    created = node.metadata.creation_timestamp
    about = view.events.about(ref_of(node))
    seen = [e for e in about if e.reason == "Rebooted" and view.within(e.last, INCIDENT)]
    seen = [e for e in seen if created is None or e.last - created > JOINING]
    if not seen:
        return
    last = seen[-1]
    cordons = _cordons(about, last.last)
    together = powered_on(last.last, view)
    alone = view.store.count("Node") == 1
    planned = node.spec.unschedulable or bool(cordons) or together
    boot = last.message.rpartition("boot id:")[2].strip() or node.status.node_info.boot_id
    fresh = view.within(last.last, RECENT)
    yield make(
        "node-rebooted",
        ref_of(node),
        f"rebooted {quantity.span_text(view.now - last.last)} ago"
        + (
            (", the only node" if alone else ", with the other nodes")
            if together
            else ", after a cordon"
            if planned
            else ""
        ),
        Severity.INFO if planned or not fresh else Severity.WARNING,
        "a reboot without a cordon within an hour is a warning",
        since=last.last,
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in (*cordons[-1:], *seen[-2:])],
        active=False,
        facts={**view.node_facts(node, last.first), "planned": planned, "boot_id": boot},
    )


@object_detector("Node")
def flapping(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Ready changed often (kubernetes-mixin: more than twice in 15 min), or once and it is over (a
    note)."""
    created = node.metadata.creation_timestamp
    down: list[datetime] = []
    up: list[datetime] = []
    evidence: list[EventFact] = []
    count = 0
    for event in view.events.about(ref_of(node)):
        if event.reason not in ("NodeNotReady", "NodeReady") or not view.within(event.last, RECENT):
            continue
        times = [
            t
            for t in event.times
            if view.now - t <= RECENT and (created is None or t - created > JOINING)
        ]
        if not times:
            continue
        (down if event.reason == "NodeNotReady" else up).extend(times)
        within = event.count if view.now - event.first <= RECENT else len(times)
        count += max(within, len(times))
        evidence.append(event)
    if not down:
        return
    if count >= 4:
        yield make(
            "node-flapping",
            ref_of(node),
            f"its readiness changed {count} times within an hour",
            Severity.WARNING
            if ready_status(node) != "True" or view.within(max(*down, *up), EDGE)
            else Severity.INFO,
            "four or more changes of Ready within an hour (a note after half an hour of peace)",
            since=min(down),
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for e in evidence[-3:]],
            facts={**view.node_facts(node, min(down)), "transitions": count},
        )
    elif ready_status(node) == "True" and view.within(max(down), RECENT):
        back = [t for t in up if t >= max(down)]
        seconds = int((min(back) - max(down)).total_seconds()) if back else None
        yield make(
            "node-recovered",
            ref_of(node),
            f"was not ready {quantity.span_text(view.now - max(down))} ago, and is Ready again",
            Severity.INFO,
            "one change of readiness that is over is a note",
            since=max(down),
            source=SinceSource.EVENT,
            active=False,
            evidence=[event_evidence(e) for e in evidence[-2:]],
            facts={**view.node_facts(node, max(down)), "down_seconds": seconds},
        )


@object_detector("Node")
def restarts_together(node: Node, view: ClusterView) -> Iterator[Finding]:
    """Containers of three or more owners ended on this node within two minutes, not at their own
    limit (story 000)."""
    found: list[tuple[datetime, Ref, int, Pod]] = []
    own_limit = 0
    for pod in view.store.pods_on(node.metadata.name).values():
        for status in statuses(pod):
            end = status.last_state.terminated or status.state.terminated
            if end is None or end.finished_at is None or not view.within(end.finished_at, INCIDENT):
                continue
            if end.exit_code == 0 and end is status.state.terminated:
                continue  # It completed: an init container, or finished work.
            if at_start(pod, end.finished_at):
                continue
            owner = view.owner(pod)
            if (
                owner.kind in ("Job", "CronJob")
                or pod.metadata.deletion_timestamp is not None
                or pod.status.reason == "Evicted"
            ):
                continue
            ran = end.finished_at - end.started_at if end.started_at else None
            looping = (
                status.state.waiting is not None
                and status.state.waiting.reason == "CrashLoopBackOff"
            )
            if end.reason != "OOMKilled" and (
                looping
                or (status.restart_count >= 3 and ran is not None and ran < timedelta(minutes=10))
            ):
                continue  # It crashes repeatedly, so this end is a coincidence.
            if end.reason == "OOMKilled":
                own_limit += 1
            else:
                found.append((end.finished_at, owner, end.exit_code, pod))
    if len({owner for _, owner, _, _ in found}) < 3:
        return
    found.sort(key=lambda item: (item[0], item[1]))
    best: list[tuple[datetime, Ref, int, Pod]] = []
    start = 0
    for index in range(len(found)):
        while found[index][0] - found[start][0] > TOGETHER:
            start += 1
        if len({o for _, o, _, _ in found[start : index + 1]}) > len({o for _, o, _, _ in best}):
            best = found[start : index + 1]
    owners = {owner for _, owner, _, _ in best}
    if len(owners) < 3:
        return
    at = best[0][0]
    reboots = reboots_around(node.metadata.name, at, view)
    planned = bool(reboots) and (node.spec.unschedulable or powered_on(at, view))
    # A reboot looks the same in the pods. Its event tells it apart, but only when events of that
    # time still exist.
    witnesses = {ref_of(node), *(ref_of(p) for _, _, _, p in best)}
    events_known = any(
        abs(e.last - at) <= timedelta(minutes=10)
        for ref in sorted(witnesses)
        for e in view.events.about(ref)
    )
    codes = tuple(str(code) for code in sorted({code for _, _, code, _ in best}))
    fresh = view.within(at, RECENT)
    yield make(
        "restarts-together-on-node",
        ref_of(node),
        f"{len(best)} containers of {first_owners((o.namespace, o.name) for o in owners)} ended "
        f"within two minutes (exit {', '.join(codes)})",
        Severity.WARNING if fresh and not planned else Severity.INFO,
        "three or more owners within two minutes, within an hour",
        since=at,
        source=SinceSource.STATUS,
        related=[ref_of(p) for _, _, _, p in best[:20]],
        active=fresh,
        evidence=[
            field_evidence(ref_of(p), "status.containerStatuses", f"ended with exit {code}", t)
            for t, _, code, p in best[:6]
        ],
        facts={
            **view.node_facts(node, at),
            "owners": len(owners),
            "containers": len(best),
            "exit_codes": codes,
            "own_limit": own_limit,
            "rebooted": bool(reboots) if reboots or events_known else None,
        },
    )

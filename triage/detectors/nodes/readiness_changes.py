"""Reboots of a node, and its changes between Ready and not Ready."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.nodes import ready_status
from cluster.kube.objects import Node
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.reboots import powered_on
from triage.facts.windows import EDGE, INCIDENT, JOINING, RECENT

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
        f"rebooted {durations.words(view.now - last.last)} ago"
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
            f"was not ready {durations.words(view.now - max(down))} ago, and is Ready again",
            Severity.INFO,
            "one change of readiness that is over is a note",
            since=max(down),
            source=SinceSource.EVENT,
            active=False,
            evidence=[event_evidence(e) for e in evidence[-2:]],
            facts={**view.node_facts(node, max(down)), "down_seconds": seconds},
        )

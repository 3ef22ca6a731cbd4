"""Containers of several owners that ended on one node at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.pods import statuses
from triage.detectors.registry import object_detector
from triage.facts.cluster_view import ClusterView, at_start, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.messages.wording import first_owners
from triage.facts.reboots import powered_on, reboots_around
from triage.facts.windows import INCIDENT, RECENT, TOGETHER


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

"""Workloads whose pods the scheduler removed for pods of higher priority. Only events show
it: the pods are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cluster.kube.objects import Pod, Ref
from cluster.kube.owners import controller_of
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.windows import EDGE

_BY = re.compile(r"^Preempted by (?:a )?(?:pod )?(\S+)")
"""`Preempted by pod UID on node N` since 1.28, `Preempted by NAMESPACE/NAME on node N` before."""


@cluster_detector
def preempted(view: ClusterView, _index: FindingIndex) -> Iterator[Finding]:
    """Within half an hour: a warning while a replacement waits for a node, else a note. Pods of
    negative priority hold room for others, and are removed by intent."""
    found: dict[Ref, list[EventFact]] = {}
    for event in view.events.reasons("Preempted"):
        owner = _owner(event.about, view)
        if owner is not None and view.within(event.last, EDGE):
            found.setdefault(owner, []).append(event)
    if not found:
        return
    takers = {p.metadata.uid: p for p in view.store.all("Pod", Pod)}
    for ref, events in sorted(found.items()):
        pods = view.pods_of(ref)
        waiting = [p for p in pods if not p.spec.node_name and p.status.phase == "Pending"]
        told = _BY.match(events[0].message)
        by, rank = _taker(told[1] if told else "", takers, view)
        holds = any(p.spec.priority < 0 for p in pods)
        yield make(
            "pod-preempted",
            ref,
            f"was preempted by {by or 'a pod'} of higher priority{rank}: "
            f"{len(events)} of its pods removed, {len(waiting)} waiting for a node",
            Severity.WARNING if waiting and not holds else Severity.INFO,
            "a warning while a replacement waits for a node",
            since=min(e.first for e in events),
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for e in events[:2]],
            facts={
                "namespace": ref.namespace,
                "node": "",
                "owner": ref.name,
                "owner_kind": ref.kind,
                "role": "",
                "by": by,
                "waiting": len(waiting),
            },
            active=bool(waiting),
            related=[ref_of(p) for p in waiting[:10]],
        )


def _owner(pod: Ref, view: ClusterView) -> Ref | None:
    """The workload of a pod that may be gone, by the name that its controller gave it."""
    row = view.store.get(*pod)
    if isinstance(row, Pod):
        return view.owner(row)
    prefix = pod.name.rpartition("-")[0]
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job"):
        row = view.store.get(kind, pod.namespace, prefix)
        if row is not None:
            above = controller_of(row.metadata)
            return above if above is not None and view.store.get(*above) else ref_of(row)
    return None


def _taker(named: str, pods: dict[str, Pod], view: ClusterView) -> tuple[str, str]:
    """(`namespace/name` of the workload that took the room, ` (priority N)`), empty if unknown."""
    namespace, _, name = named.partition("/")
    pod = pods.get(named) or view.store.get("Pod", namespace, name)
    if not isinstance(pod, Pod):
        return "", ""
    owner = view.owner(pod)
    return f"{owner.namespace}/{owner.name}", f" ({pod.spec.priority})"

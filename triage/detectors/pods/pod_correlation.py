"""Pods seen together: trouble on new nodes only, on one node only, or everywhere at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.nodes import ready_status
from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_ready
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, event_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import first_owners
from triage.facts.windows import NEW_NODE, RECENT

_TROUBLE = (
    "pod-sandbox-failed",
    "pod-not-starting",
    "pod-not-ready",
    "pod-crash-looping",
    "pod-container-create-failed",
    "pod-volume-failed",
    "pod-image-pull-failed",
)

_OWN = frozenset({"pod-not-ready", "pod-crash-looping", "pod-image-pull-failed"})
"""Faults that mostly come from the pod itself: they point at a node only when the pod's siblings
are well on other nodes."""


def _troubled(view: ClusterView, index: FindingIndex) -> Iterator[tuple[str, Finding]]:
    """(node, finding) of every pod whose fault may come from its node."""
    well: dict[Ref, set[str]] = {}
    for rule in _TROUBLE:
        for finding in index.rule(rule):
            name = str(finding.facts.get("node") or "")
            if not name:
                continue
            if rule in _OWN:
                pod = view.store.get(*finding.object)
                owner = controller_of(pod.metadata) if isinstance(pod, Pod) else None
                if owner is None:
                    continue
                if owner not in well:
                    well[owner] = {p.spec.node_name for p in view.pods_of(owner) if is_ready(p)}
                if not well[owner] - {name}:
                    continue
            yield name, finding


@cluster_detector
def new_nodes(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Faults only on nodes that joined within the day, or that run another kubelet version, while
    older nodes are fine (story 003 #6)."""
    bad: dict[str, datetime] = {}
    for finding in (*index.rule("node-not-ready"), *index.rule("node-network-unavailable")):
        if finding.since is not None:
            bad[finding.object.name] = finding.since
    pods: dict[str, list[datetime]] = {}
    for name, finding in _troubled(view, index):
        if finding.since is not None:
            pods.setdefault(name, []).append(finding.since)
    for name, times in pods.items():
        if len(times) >= 2:
            bad[name] = min(bad.get(name, times[0]), *times)
    nodes = {n.metadata.name: n for n in view.store.all("Node", Node)}
    failing = [nodes[n] for n in bad if n in nodes]
    if not failing or len(failing) == len(nodes):
        return
    versions = Counter(n.status.node_info.kubelet_version for n in nodes.values())
    usual = versions.most_common(1)[0][0]
    own = {n.status.node_info.kubelet_version for n in failing}
    first = min(bad[n.metadata.name] for n in failing)
    created = [n.metadata.creation_timestamp for n in failing if n.metadata.creation_timestamp]
    joined = min(created) if len(created) == len(failing) and created else None
    young = joined is not None and first - joined <= timedelta(hours=24)
    others = [n for n in nodes.values() if n.metadata.name not in bad]
    if young and joined is not None:
        later = [
            n
            for n in others
            if n.metadata.creation_timestamp and n.metadata.creation_timestamp >= joined
        ]
    else:
        later = others
    by_age = young and len(later) * 2 <= len(failing) and len(others) > len(later)
    same_version = len(own) == 1 and usual not in own
    with_version = [n for n in others if n.status.node_info.kubelet_version in own]
    by_version = same_version and len(with_version) * 2 <= len(failing)
    if not by_age and not by_version:
        return
    kind = "kubelet version" if by_version else "creation"
    cohort = len(failing) + (len(with_version) if by_version else len(later))
    version = ", ".join(sorted(own))
    since_text = f"that joined since {durations.utc_clock(joined, view.now)}" if joined else ""
    text = f"with kubelet {version}" if by_version else since_text
    one = len(failing) == 1
    which = f"{len(failing)} of {cohort} nodes {text}"
    if cohort == 1:
        which = f"{failing[0].metadata.name}, the only node {text},"
    why = _why_alike([ref_of(node) for node in failing], index)
    yield make(
        "failures-on-new-nodes",
        CLUSTER,
        f"{which} fail{'s' if one else ''}{why}, "
        f"{len(others)} older {'are' if len(others) != 1 else 'is'} fine",
        Severity.WARNING,
        "trouble on new nodes only",
        since=first,
        source=SinceSource.CONDITION,
        related=[ref_of(n) for n in failing[:20]],
        evidence=[
            Evidence(
                f"Node {n.metadata.name}",
                f"kubelet {n.status.node_info.kubelet_version}"
                + (
                    f", created {durations.utc_clock(born, view.now)}"
                    if (born := n.metadata.creation_timestamp)
                    else ""
                ),
                n.metadata.creation_timestamp,
            )
            for n in failing[:4]
        ],
        facts={
            "nodes": len(failing),
            "new_total": cohort,
            "version": version,
            "version_differs": usual not in own,
            "by": kind,
        },
    )


def _why_alike(nodes: list[Ref], index: FindingIndex) -> str:
    """`: the network plugin is not ready`, where all these nodes say the same of themselves."""
    said = {
        next((f.claim for f in index.about(node) if f.rule == "node-not-ready"), "").partition(
            ": "
        )[2]
        for node in nodes
    }
    return f": {said.pop()}" if len(said) == 1 and said != {""} else ""


@cluster_detector
def stuck_on_node(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Pods of several owners that do not start or do not end on one node while other nodes work
    (story 003: the runtime hangs)."""
    creating: dict[str, list[Finding]] = {}
    ending: dict[str, list[Finding]] = {}
    for finding in index.rule("pod-not-starting"):
        creating.setdefault(str(finding.facts["node"]), []).append(finding)
    for finding in index.rule("pod-sandbox-failed"):
        if finding.facts.get("cause") in ("timeout", "name-reserved", "other"):
            creating.setdefault(str(finding.facts["node"]), []).append(finding)
    for finding in index.rule("pod-stuck-terminating"):
        ending.setdefault(str(finding.facts["node"]), []).append(finding)
    busy = {n for n in {*creating, *ending} if n}
    if not busy or len(busy) * 2 > max(view.store.count("Node"), 1):
        return
    for name in sorted(busy):
        group = [*creating.get(name, []), *ending.get(name, [])]
        owners = {
            (f.facts.get("owner_kind"), f.object.namespace, f.facts.get("owner") or f.object.name)
            for f in group
        }
        names = ((space, str(owner)) for _, space, owner in owners)
        node = view.node(name)
        telling = bool(ending.get(name)) or any(
            f.rule == "pod-sandbox-failed" for f in creating.get(name, [])
        )
        if len(busy) > 1 and not telling:
            continue  # On several nodes, without a sign of their runtimes.
        if len(group) < 2 or len(owners) < 2 or node is None:
            continue
        ready = ready_status(node) == "True"
        if ready_status(node) == "Unknown":
            continue  # A silent kubelet starts and ends nothing, and has its own finding.
        since = min((f.since for f in group if f.since), default=None)
        c, t = len(creating.get(name, [])), len(ending.get(name, []))
        parts = [f"{c} do not start" if c else "", f"{t} do not end" if t else ""]
        yield make(
            "pods-stuck-on-node",
            Ref("Node", "", name),
            f"pods of {first_owners(names)} hang on it: {', '.join(p for p in parts if p)}",
            Severity.WARNING,
            "several owners on one node",
            since=since,
            source=SinceSource.EVENT,
            related=[f.object for f in group[:20]],
            evidence=[e for f in group[:4] for e in f.evidence[:1]],
            facts={
                **view.node_facts(node, since),
                "creating": c,
                "terminating": t,
                "owners": len(owners),
                "node_ready": ready,
            },
        )


@cluster_detector
def sandboxes(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """SandboxChanged (Normal!) for pods of at least three owners of one node within the hour: its
    runtime restarted, or the node did."""
    by_node: dict[str, list[tuple[EventFact, Ref]]] = {}
    for event in view.events.reasons("SandboxChanged"):
        if not view.recent(event.last, RECENT):
            continue
        pod = view.store.get("Pod", event.about.namespace, event.about.name)
        if pod is None and view.readable("Pod"):
            continue  # The fault of a deleted pod ended with it.
        node = pod.spec.node_name if isinstance(pod, Pod) else event.host
        owner = view.owner(pod) if isinstance(pod, Pod) else event.about
        if node:
            by_node.setdefault(node, []).append((event, owner))
    rebooted = {f.object.name: f for f in index.rule("node-rebooted")}
    for name, group in sorted(by_node.items()):
        row = view.node(name)
        owners = {o for _, o in group}
        if row is None or len(owners) < 3:
            continue
        planned = name in rebooted and bool(rebooted[name].facts.get("planned"))
        young = (
            row.metadata.creation_timestamp is not None
            and view.now - row.metadata.creation_timestamp < NEW_NODE
        )
        since = min(e.first for e, _ in group)
        yield make(
            "sandboxes-recreated-on-node",
            Ref("Node", "", name),
            f"{len(group)} pods of {first_owners((o.namespace, o.name) for o in owners)} got a "
            "new sandbox",
            Severity.INFO if planned or young else Severity.WARNING,
            "a runtime restart without a cordon within the hour",
            since=since,
            source=SinceSource.EVENT,
            evidence=[event_evidence(e) for e, _ in group[:3]],
            active=False,
            related=[e.about for e, _ in group[:20]],
            facts={
                **view.node_facts(row, since),
                "pods": len({e.about for e, _ in group}),
                "owners": len(owners),
                "rebooted": name in rebooted,
            },
        )


@cluster_detector
def not_ready_together(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Pods of many owners, namespaces and nodes that had been ready became unready within two
    minutes: a shared dependency failed."""
    findings = sorted(
        (f for f in index.rule("pod-not-ready") if f.since and f.facts.get("was_ready")),
        key=lambda f: (f.since or view.now, f.id),
    )
    best: list[Finding] = []
    start = 0
    for end in range(len(findings)):
        while (findings[end].since or view.now) - (findings[start].since or view.now) > timedelta(
            minutes=2
        ):
            start += 1
        if end + 1 - start > len(best):
            best = findings[start : end + 1]
    owners = {(f.object.namespace, str(f.facts.get("owner") or f.object.name)) for f in best}
    namespaces = {f.object.namespace for f in best}
    nodes = {f.facts.get("node") for f in best}
    if len(owners) < 4 or len(namespaces) < 2 or len(nodes) < 3:
        return
    yield make(
        "not-ready-together",
        CLUSTER,
        f"pods of {first_owners(owners)} in {len(namespaces)} namespaces on {len(nodes)} nodes "
        "became unready within two minutes",
        Severity.CRITICAL,
        "four owners, two namespaces and three nodes at once",
        since=best[0].since,
        source=SinceSource.CONDITION,
        related=[f.object for f in best[:300]],
        evidence=[e for f in best[:4] for e in f.evidence[:1]],
        facts={"owners": len(owners), "namespaces": len(namespaces), "nodes": len(nodes)},
    )

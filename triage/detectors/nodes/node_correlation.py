"""Nodes seen together: silent at once, with Leases that are not renewed, with another kubelet
version, and with probes that time out on one node only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.nodes import (
    INSTANCE_TYPE,
    POOL,
    is_virtual,
    label,
    ready_status,
)
from cluster.kube.objects import Lease, Node, Pod, Ref
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, event_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.container_probes import probe_cause
from triage.facts.messages.wording import first_owners
from triage.facts.windows import EDGE, LEASE_STALE, RECENT

AT_ONCE = timedelta(seconds=90)


@cluster_detector
def unknown_together(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Many nodes of several pools silent within 90 s: the fault is the control plane or the path to
    it, not the nodes (story 003 #5). Nodes that came back count too, by their NodeNotReady events.
    At least three nodes and a third of the cluster."""
    moments: dict[str, datetime] = {}
    for finding in index.rule("node-not-ready"):
        if (
            finding.facts.get("status") == "Unknown"
            and finding.facts.get("cause") == "kubelet-silent"
            and finding.since
        ):
            moments[finding.object.name] = finding.since
    unknown_now = len(moments)
    recovered: dict[str, list[datetime]] = {}
    for rule in ("node-recovered", "node-flapping"):
        for finding in index.rule(rule):
            for event in view.events.about(finding.object):
                if event.reason == "NodeNotReady":
                    recovered.setdefault(finding.object.name, []).extend(
                        t for t in event.times if view.recent(t, RECENT)
                    )
    points = sorted(
        [(t, n) for n, t in moments.items()] + [(t, n) for n, ts in recovered.items() for t in ts]
    )
    total = view.store.count("Node")
    bursts = [b for b in _bursts(points) if len({n for _, n in b}) >= max(3, (total + 2) // 3)]
    if not bursts:
        return
    best = max(bursts, key=lambda b: (len({n for _, n in b}), -b[0][0].timestamp()))
    names = sorted({n for _, n in best})
    nodes = [n for n in map(view.node, names) if n is not None]
    ooms = {f.object.name for f in index.rule("node-system-oom")} | {
        f.object.name for f in index.rule("node-rebooted")
    }
    if len(ooms & set(names)) * 2 > len(names):
        return
    pools = {label(n.metadata, POOL) or label(n.metadata, INSTANCE_TYPE) for n in nodes}
    back = sum(1 for n in nodes if ready_status(n) == "True")
    span = int((best[-1][0] - best[0][0]).total_seconds())
    yield make(
        "nodes-unknown-together",
        CLUSTER,
        f"{len(names)} of {total} nodes stopped reporting within {max(span, 1)} s"
        + (f", {back} are back" if back else ""),
        Severity.CRITICAL
        if unknown_now
        else Severity.WARNING
        if view.within(max(t for b in bursts for t, _ in b), EDGE)
        else Severity.INFO,
        "a third of the nodes at once (critical while any is silent, a note half an hour after)",
        since=bursts[0][0][0],
        source=SinceSource.CONDITION,
        related=[Ref("Node", "", n) for n in sorted({n for b in bursts for _, n in b})[:50]],
        evidence=[Evidence(f"Node {n} Ready", "NodeNotReady", t) for t, n in best[:6]],
        facts={
            "nodes": len(names),
            "total": total,
            "within_seconds": span,
            "pools": len(pools),
            "recovered": back,
            "all": len(names) == total,
            "bursts": len(bursts),
            "burstable": view.burstable_control_plane(),
        },
    )


def _bursts(points: list[tuple[datetime, str]]) -> list[list[tuple[datetime, str]]]:
    """Runs of moments, in order, each within 90 s of its first."""
    runs: list[list[tuple[datetime, str]]] = []
    for point in points:
        if runs and point[0] - runs[-1][0][0] <= AT_ONCE:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


@cluster_detector
def leases_stale(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Leases of single nodes against the newest Lease of all, so that a clock that differs does no
    harm; all of them against the time.

    All stale while every node is Ready may be a cluster without kubelets or a frozen picture: a
    note.
    """
    rows = [
        r
        for r in view.store.in_namespace("Lease", "kube-node-lease").values()
        if isinstance(r, Lease) and r.spec.renew_time
    ]
    nodes = {n.metadata.name: n for n in view.store.all("Node", Node)}
    rows = [r for r in rows if r.metadata.name in nodes]
    if not rows:
        return
    newest = max(r.spec.renew_time for r in rows if r.spec.renew_time)
    late = (newest - r.spec.renew_time for r in rows if r.spec.renew_time)
    if any(LEASE_STALE / 2 < lag < 3 * LEASE_STALE for lag in late):
        view.wake(view.now + timedelta(seconds=1))  # renewals are no news, and it may turn stale
    stale = [r for r in rows if r.spec.renew_time and newest - r.spec.renew_time > LEASE_STALE]
    if stale and len(stale) * 2 < len(rows):
        for row in sorted(stale, key=lambda r: r.metadata.name):
            node = nodes[row.metadata.name]
            status = ready_status(node)
            renewed = row.spec.renew_time
            assert renewed is not None
            seconds = int((newest - renewed).total_seconds())
            yield make(
                "node-lease-stale",
                ref_of(row),
                f"its Lease has not been renewed for {durations.words(seconds)} while the "
                "others were",
                Severity.WARNING if status == "True" and seconds >= 90 else Severity.INFO,
                "a node that counts as Ready and is silent for 90 s is a warning",
                since=renewed,
                source=SinceSource.STATUS,
                evidence=[
                    Evidence(
                        f"Lease kube-node-lease/{row.metadata.name} spec.renewTime",
                        durations.utc_clock(renewed, view.now, seconds=True),
                        renewed,
                    )
                ],
                facts={**view.node_facts(node), "seconds": seconds, "ready": status},
            )
        return
    old = [r for r in rows if r.spec.renew_time and not view.recent(r.spec.renew_time, LEASE_STALE)]
    if len(old) * 2 < len(rows) or len(rows) < 2:
        return
    silent = [f for f in index.rule("node-not-ready") if f.facts.get("status") == "Unknown"]
    if not silent:
        return
    since = max(r.spec.renew_time for r in old if r.spec.renew_time)
    yield make(
        "leases-stale-together",
        CLUSTER,
        f"{len(old)} of {len(rows)} node Leases are not renewed",
        Severity.WARNING,
        "half of the Leases are stale and nodes are Unknown",
        since=since,
        source=SinceSource.STATUS,
        evidence=[
            Evidence(
                f"Lease kube-node-lease/{r.metadata.name} spec.renewTime",
                str(r.spec.renew_time),
                r.spec.renew_time,
            )
            for r in old[:4]
        ],
        facts={"nodes": len(old), "total": len(rows)},
    )


@cluster_detector
def version_outliers(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Nodes whose kubelet version fewer than a quarter of the nodes have (a note), at most ten of
    them."""
    nodes = sorted(
        (n for n in view.store.all("Node", Node) if not is_virtual(n)),
        key=lambda n: n.metadata.name,
    )
    versions = Counter(
        n.status.node_info.kubelet_version for n in nodes if n.status.node_info.kubelet_version
    )
    if len(versions) < 2:
        return
    majority = min(versions, key=lambda v: (-versions[v], v))
    rare = [n for n in nodes if 0 < versions[n.status.node_info.kubelet_version] * 4 < len(nodes)]
    for node in rare[:10]:
        version = node.status.node_info.kubelet_version
        skew = _minor(version) - _minor(majority)
        created = node.metadata.creation_timestamp
        yield make(
            "node-version-outlier",
            ref_of(node),
            f"kubelet {version}, most nodes have {majority}",
            Severity.INFO,
            "another version is a note",
            since=created,
            source=SinceSource.CREATION,
            evidence=[
                Evidence(
                    f"Node {node.metadata.name} status.nodeInfo.kubeletVersion", version, created
                )
            ],
            facts={
                **view.node_facts(node, created),
                "majority": majority,
                "skew_minor": skew,
                "count": versions[version],
            },
        )


def _minor(version: str) -> int:
    parts = version.lstrip("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdecimal() else 0


SLOW_OWNERS = 3


@cluster_detector
def probes_time_out(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Liveness, readiness or startup probes of three or more owners time out on one node within
    half an hour, and hardly elsewhere: the node is slow or its network is, not the workloads."""
    slow: dict[str, dict[Ref, list[EventFact]]] = {}
    pods: dict[str, set[Ref]] = {}
    for event in view.events.reasons("Unhealthy", "ProbeError"):
        if not view.recent(event.last, EDGE) or probe_cause(event.message) != "timeout":
            continue
        pod = view.store.get("Pod", event.about.namespace, event.about.name)
        if not isinstance(pod, Pod) or not pod.spec.node_name:
            continue
        owner = view.owner(pod)
        slow.setdefault(pod.spec.node_name, {}).setdefault(owner, []).append(event)
        pods.setdefault(pod.spec.node_name, set()).add(event.about)
    total = sum(len(group) for group in pods.values())
    killed = {f.object for f in index.rule("pod-liveness-killed")}
    for name, owners in sorted(slow.items()):
        node = view.node(name)
        if node is None or len(owners) < SLOW_OWNERS or len(pods[name]) * 2 <= total:
            continue
        events = sorted((e for group in owners.values() for e in group), key=lambda e: e.first)
        restarted = len(pods[name] & killed)
        were = "pod was" if restarted == 1 else "pods were"
        since = events[0].first
        yield make(
            "probes-time-out-on-node",
            Ref("Node", "", name),
            f"probes of {len(pods[name])} pods of "
            f"{first_owners((o.namespace, o.name) for o in owners)} time out on it"
            + (f", {restarted} {were} restarted for it" if restarted else ""),
            Severity.CRITICAL if restarted >= SLOW_OWNERS else Severity.WARNING,
            "three or more owners on one node within 30 min (critical when as many were killed)",
            since=since,
            source=SinceSource.EVENT,
            related=sorted(pods[name])[:50],
            evidence=[event_evidence(e) for e in events[-4:]],
            facts={
                **view.node_facts(node, since),
                "owners": len(owners),
                "pods": len(pods[name]),
                "killed": restarted,
            },
        )

"""Nodes and pods seen together: many nodes at once, one node after another, new nodes only, one
node only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube.objects import Lease, Node, Pod, Ref
from triage.detectors.registry import cluster_detector
from triage.facts import quantity
from triage.facts.cluster_view import (
    INSTANCE_TYPE,
    POOL,
    ClusterView,
    burstable,
    is_finished,
    is_virtual,
    label,
    ready_status,
    ref_of,
)
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, event_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.container_probes import probe_cause
from triage.facts.messages.kubelet import RUNTIMES
from triage.facts.messages.wording import first_owners
from triage.facts.windows import EDGE, INCIDENT, LEASE_STALE, RECENT

AT_ONCE = timedelta(seconds=90)


def _downs(index: FindingIndex) -> dict[str, list[Finding]]:
    """Findings that a node failed, by node name."""
    found: dict[str, list[Finding]] = {}
    for rule in (
        "node-not-ready",
        "node-system-oom",
        "node-rebooted",
        "node-recovered",
        "node-flapping",
    ):
        for finding in index.rule(rule):
            if rule == "node-rebooted" and finding.facts.get("planned"):
                continue
            if rule == "node-not-ready" and (
                finding.facts.get("maintained")
                or finding.facts.get("cause")
                in ("network-plugin", "never-reported", "shutting-down")
            ):
                continue  # It has not come up yet, or is stopped on purpose.
            found.setdefault(finding.object.name, []).append(finding)
    return found


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
            "burstable": burstable(view),
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
                f"its Lease has not been renewed for {quantity.span_text(seconds)} while the "
                "others were",
                Severity.WARNING if status == "True" and seconds >= 90 else Severity.INFO,
                "a node that counts as Ready and is silent for 90 s is a warning",
                since=renewed,
                source=SinceSource.STATUS,
                evidence=[
                    Evidence(
                        f"Lease kube-node-lease/{row.metadata.name} spec.renewTime",
                        quantity.moment_text(renewed, view.now, seconds=True),
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


_ARRIVAL = timedelta(minutes=60)
"""An owner whose pod came to a node within this time before its failure may be the cause."""


def _present(node: str, at: datetime, view: ClusterView) -> dict[Ref, datetime]:
    """Owners that ran on a node around a moment, failed and leaving pods too, with when the last of
    their pods came."""
    found: dict[Ref, datetime] = {}
    for pod in view.store.pods_on(node).values():
        created = pod.metadata.creation_timestamp
        owner = view.owner(pod)
        if (
            owner.kind in ("DaemonSet", "Node", "Pod")
            or created is None
            or created > at + timedelta(minutes=5)
        ):
            continue
        found[owner] = max(created, found.get(owner, created))
    return found


def _assigned(view: ClusterView) -> dict[str, set[tuple[Ref, datetime]]]:
    """Owners by node, from `Successfully assigned ns/pod to node` events; the owner is taken from
    the pod's name when it is gone."""
    found: dict[str, set[tuple[Ref, datetime]]] = {}
    for event in view.events.reasons("Scheduled"):
        node = event.message.rpartition(" to ")[2].strip()
        pod = view.store.get("Pod", event.about.namespace, event.about.name)
        owner = view.owner(pod) if isinstance(pod, Pod) else _guess(event.about, view)
        if node and owner is not None and owner.kind not in ("DaemonSet", "Node", "Pod"):
            found.setdefault(node, set()).add((owner, event.last))
    return found


def _guess(ref: Ref, view: ClusterView) -> Ref | None:
    """The Deployment or StatefulSet that a pod which is gone belonged to, by the names controllers
    give."""
    parts = ref.name.split("-")
    for cut, kind in ((2, "Deployment"), (1, "StatefulSet")):
        name = "-".join(parts[:-cut])
        if name and view.store.get(kind, ref.namespace, name) is not None:
            return Ref(kind, ref.namespace, name)
    return None


@cluster_detector
def in_turn(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Two or more nodes failed one after another within two hours; owners that were on each of them
    are suspects (stories 002 and 004)."""
    if any(True for _ in unknown_together(view, index)):
        return
    downs = _downs(index)
    moments: list[tuple[datetime, str]] = []
    for name, findings in downs.items():
        times = [
            f.since for f in findings if f.since is not None and view.recent(f.since, INCIDENT)
        ]
        if times and any(
            f.rule in ("node-not-ready", "node-system-oom", "node-rebooted") for f in findings
        ):
            moments.append((min(times), name))
    if len(moments) < 2:
        return
    moments.sort()
    span = int((moments[-1][0] - moments[0][0]).total_seconds())
    names = [n for _, n in moments]
    total = view.store.count("Node")
    oom = sum(1 for n in names if any(f.rule == "node-system-oom" for f in downs[n]))
    reboots = sum(1 for n in names if any(f.rule == "node-rebooted" for f in downs[n]))
    if span < 60 and not oom:
        return  # They failed, or were powered on, at once and not in turn.
    planned = [n for n in names if (node := view.node(n)) is not None and node.spec.unschedulable]
    if len(planned) == len(names) and not oom:
        return
    assigned = _assigned(view)
    on_failed: Counter[Ref] = Counter()
    arrived: Counter[Ref] = Counter()
    for at, name in moments:
        owners = _present(name, at, view)
        for owner, moment in assigned.get(name, set()):
            if moment <= at + timedelta(minutes=5):
                owners[owner] = max(moment, owners.get(owner, moment))
        on_failed.update(owners.keys())
        arrived.update(o for o, moment in owners.items() if at - moment <= _ARRIVAL)
    least = max(2, (len(names) + 1) // 2)
    candidates = [(o, k) for o, k in on_failed.items() if k >= least]
    healthy = [
        n.metadata.name for n in view.store.all("Node", Node) if n.metadata.name not in downs
    ]
    ranked: list[tuple[float, int, int, bool, Ref]] = []
    for owner, k in candidates:
        elsewhere = sum(
            1
            for n in healthy
            if any(
                view.owner(p) == owner and not is_finished(p)
                for p in view.store.pods_on(n).values()
            )
        )
        unlimited = _unlimited(owner, view, "cpu" if reboots > oom else "memory")
        # An owner that came to a node shortly before its failure, has no limit and runs nowhere
        # else is more suspect than an older one.
        weight = k + 0.5 * arrived[owner] + unlimited - 2 * elsewhere / max(len(healthy), 1)
        ranked.append((-weight, k, elsewhere, unlimited, owner))
    ranked.sort(key=lambda r: (r[0], r[4]))
    # An owner that runs everywhere, or that has limits and was always there, explains nothing.
    ranked = [
        r for r in ranked if r[2] * 2 <= len(healthy) and (r[3] or arrived[r[4]] >= 2 or not r[2])
    ]
    suspect = ranked[0] if ranked else None
    ooms = [f for n in names for f in downs[n] if f.rule == "node-system-oom"]
    victims = tuple(sorted({v for f in ooms for v in _texts(f.facts.get("victims"))}))
    who = f"; {suspect[4]} was on {suspect[1]} of them" if suspect else ""
    still = sum(1 for n in names if any(f.rule == "node-not-ready" for f in downs[n]))
    yield make(
        "nodes-failing-in-turn",
        CLUSTER,
        f"{len(names)} of {total} nodes failed within {quantity.span_text(span)}{who}",
        Severity.INFO
        if not still and not view.within(moments[-1][0], RECENT)
        else Severity.CRITICAL
        if still or len(names) >= 3
        else Severity.WARNING,
        "nodes that fail one after another (critical while one is down, or from three on; a note "
        "when the last is back and an hour has passed)",
        since=moments[0][0],
        source=SinceSource.CONDITION,
        related=[*(Ref("Node", "", n) for n in names[:20]), *([suspect[4]] if suspect else [])],
        evidence=[Evidence(f"Node {n}", downs[n][0].claim, t) for t, n in moments[:6]],
        facts={
            "nodes": len(names),
            "span_seconds": span,
            "suspect": str(suspect[4]) if suspect else "",
            "suspect_on": suspect[1] if suspect else 0,
            "suspect_elsewhere": suspect[2] if suspect else 0,
            "suspect_no_limits": bool(suspect and suspect[3]),
            "suspect_arrived": arrived[suspect[4]] if suspect else 0,
            "victims": victims,
            "victim_runtime": any(v in RUNTIMES for v in victims),
            "victim_kubelet": "kubelet" in victims,
            "oom": oom,
            "reboots": reboots,
            "owners_tried": len(on_failed),
        },
    )


def _texts(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _unlimited(owner: Ref, view: ClusterView, resource: str) -> bool:
    row = view.store.get(*owner)
    template = getattr(getattr(row, "spec", None), "template", None)
    if template is None:
        return False
    return any(resource not in c.resources.limits for c in template.spec.containers)


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
        since = events[0].first
        yield make(
            "probes-time-out-on-node",
            Ref("Node", "", name),
            f"probes of {len(pods[name])} pods of "
            f"{first_owners((o.namespace, o.name) for o in owners)} time out on it"
            + (f", {restarted} pods were restarted for it" if restarted else ""),
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

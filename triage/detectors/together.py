"""Nodes and pods seen together: many nodes at once, one node after another, new nodes only, one node only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.objects import Lease, Node, Pod, Ref
from triage import messages, quantity
from triage.events import Fact as EventFact
from triage.finding import Evidence, Finding, Severity, SinceSource
from triage.index import Index
from triage.make import CLUSTER, event_evidence, make
from triage.view import INSTANCE_TYPE, POOL, View, burstable, is_finished, label, ready_status
from triage.windows import INCIDENT, LEASE_STALE, NEW_NODE, RECENT

AT_ONCE = timedelta(seconds=90)


def _downs(index: Index) -> dict[str, list[Finding]]:
    """Findings that a node failed, by node name."""
    found: dict[str, list[Finding]] = {}
    for rule in ("node-not-ready", "node-system-oom", "node-rebooted", "node-recovered", "node-flapping"):
        for finding in index.rule(rule):
            if rule == "node-rebooted" and finding.facts.get("planned"):
                continue
            if rule == "node-not-ready" and finding.facts.get("cause") in ("network-plugin", "never-reported", "shutting-down"):
                continue  # it has not come up yet, or goes down by intent
            found.setdefault(finding.object.name, []).append(finding)
    return found


def unknown_together(view: View, index: Index) -> Iterator[Finding]:
    """Many nodes of several pools silent within 90 s: the control plane or its way to them, not the nodes (story 003 #5).

    Nodes that came back count as well, by their NodeNotReady events. At least three nodes and a third of the cluster.
    """
    moments: dict[str, datetime] = {}
    for finding in index.rule("node-not-ready"):
        if finding.facts.get("status") == "Unknown" and finding.facts.get("cause") == "kubelet-silent" and finding.since:
            moments[finding.object.name] = finding.since
    unknown_now = len(moments)
    recovered: dict[str, list[datetime]] = {}
    for rule in ("node-recovered", "node-flapping"):
        for finding in index.rule(rule):
            for event in view.events.about(finding.object):
                if event.reason == "NodeNotReady":
                    recovered.setdefault(finding.object.name, []).extend(t for t in event.times if view.now - t <= RECENT)
    points = sorted([(t, n) for n, t in moments.items()] + [(t, n) for n, ts in recovered.items() for t in ts])
    total = view.store.count("Node")
    bursts = [b for b in _bursts(points) if len({n for _, n in b}) >= max(3, (total + 2) // 3)]
    if not bursts:
        return
    best = max(bursts, key=lambda b: (len({n for _, n in b}), -b[0][0].timestamp()))
    names = sorted({n for _, n in best})
    nodes = [n for n in map(view.node, names) if n is not None]
    ooms = {f.object.name for f in index.rule("node-system-oom")} | {f.object.name for f in index.rule("node-rebooted")}
    if len(ooms & set(names)) * 2 > len(names):
        return
    pools = {label(n.metadata, POOL) or label(n.metadata, INSTANCE_TYPE) for n in nodes}
    back = sum(1 for n in nodes if ready_status(n) == "True")
    span = int((best[-1][0] - best[0][0]).total_seconds())
    yield make(
        "nodes-unknown-together",
        CLUSTER,
        f"{len(names)} of {total} nodes stopped reporting within {max(span, 1)} s" + (f", {back} are back" if back else ""),
        Severity.CRITICAL if unknown_now else Severity.WARNING,
        "a third of the nodes at once (critical while any is silent)",
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


def leases_stale(view: View, index: Index) -> Iterator[Finding]:
    """Leases of single nodes against the newest Lease of all, so that a clock that differs does no harm; all of them against the time.

    All stale while every node is Ready may be a cluster without kubelets or a frozen picture: a note.
    """
    rows = [r for r in view.store.in_namespace("Lease", "kube-node-lease").values() if isinstance(r, Lease) and r.spec.renew_time]
    nodes = {n.metadata.name: n for n in view.store.all("Node", Node)}
    rows = [r for r in rows if r.metadata.name in nodes]
    if not rows:
        return
    newest = max(r.spec.renew_time for r in rows if r.spec.renew_time)
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
                Ref("Node", "", row.metadata.name),
                f"its Lease was renewed {quantity.span_text(seconds)} before the others'",
                Severity.WARNING if status == "True" else Severity.INFO,
                "a node that counts as Ready and is silent is a warning",
                since=renewed,
                source=SinceSource.STATUS,
                evidence=[Evidence(f"Lease kube-node-lease/{row.metadata.name} spec.renewTime", renewed.isoformat(), renewed)],
                facts={**view.node_facts(node), "seconds": seconds, "ready": status},
            )
        return
    old = [r for r in rows if r.spec.renew_time and view.now - r.spec.renew_time > LEASE_STALE]
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
            Evidence(f"Lease kube-node-lease/{r.metadata.name} spec.renewTime", str(r.spec.renew_time), r.spec.renew_time) for r in old[:4]
        ],
        facts={"nodes": len(old), "total": len(rows)},
    )


_ARRIVAL = timedelta(minutes=60)
"""An owner that came to a node this short before it failed follows the failures."""


def _present(node: str, at: datetime, view: View) -> dict[Ref, datetime]:
    """Owners that ran on a node around a moment, failed and leaving pods too, with when the last of their pods came."""
    found: dict[Ref, datetime] = {}
    for pod in view.store.pods_on(node).values():
        created = pod.metadata.creation_timestamp
        owner = view.owner(pod)
        if owner.kind in ("DaemonSet", "Node", "Pod") or created is None or created > at + timedelta(minutes=5):
            continue
        found[owner] = max(created, found.get(owner, created))
    return found


def _assigned(view: View) -> dict[str, set[tuple[Ref, datetime]]]:
    """Owners by node, from `Successfully assigned ns/pod to node` events; the owner is told from the pod's name when it is gone."""
    found: dict[str, set[tuple[Ref, datetime]]] = {}
    for event in view.events.reasons("Scheduled"):
        node = event.message.rpartition(" to ")[2].strip()
        pod = view.store.get("Pod", event.about.namespace, event.about.name)
        owner = view.owner(pod) if isinstance(pod, Pod) else _guess(event.about, view)
        if node and owner is not None and owner.kind not in ("DaemonSet", "Node", "Pod"):
            found.setdefault(node, set()).add((owner, event.last))
    return found


def _guess(ref: Ref, view: View) -> Ref | None:
    """The Deployment or StatefulSet that a pod which is gone belonged to, by the names controllers give."""
    parts = ref.name.split("-")
    for cut, kind in ((2, "Deployment"), (1, "StatefulSet")):
        name = "-".join(parts[:-cut])
        if name and view.store.get(kind, ref.namespace, name) is not None:
            return Ref(kind, ref.namespace, name)
    return None


def in_turn(view: View, index: Index) -> Iterator[Finding]:
    """Two or more nodes failed one after another within two hours; owners that were on each of them are suspects (stories 002 and 004)."""
    if any(True for _ in unknown_together(view, index)):
        return
    downs = _downs(index)
    moments: list[tuple[datetime, str]] = []
    for name, findings in downs.items():
        times = [f.since for f in findings if f.since is not None and view.now - f.since <= INCIDENT]
        if times and any(f.rule in ("node-not-ready", "node-system-oom", "node-rebooted") for f in findings):
            moments.append((min(times), name))
    if len(moments) < 2:
        return
    moments.sort()
    span = int((moments[-1][0] - moments[0][0]).total_seconds())
    names = [n for _, n in moments]
    total = view.store.count("Node")
    oom = sum(1 for n in names if any(f.rule == "node-system-oom" for f in downs[n]))
    reboots = sum(1 for n in names if any(f.rule == "node-rebooted" for f in downs[n]))
    if span < 60 and not oom and not reboots:
        return
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
    healthy = [n.metadata.name for n in view.store.all("Node", Node) if n.metadata.name not in downs]
    ranked: list[tuple[float, int, int, bool, Ref]] = []
    for owner, k in candidates:
        elsewhere = sum(1 for n in healthy if any(view.owner(p) == owner and not is_finished(p) for p in view.store.pods_on(n).values()))
        unlimited = _unlimited(owner, view, "cpu" if reboots > oom else "memory")
        # who came to a node shortly before it failed, has no limit and is nowhere else is more of a suspect than who was just there
        weight = k + 0.5 * arrived[owner] + unlimited - 2 * elsewhere / max(len(healthy), 1)
        ranked.append((-weight, k, elsewhere, unlimited, owner))
    ranked.sort(key=lambda r: (r[0], r[4]))
    # an owner that is everywhere, or that has limits and was always there, explains nothing
    ranked = [r for r in ranked if r[2] * 2 <= len(healthy) and (r[3] or arrived[r[4]] >= 2 or not r[2])]
    suspect = ranked[0] if ranked else None
    ooms = [f for n in names for f in downs[n] if f.rule == "node-system-oom"]
    victims = tuple(sorted({v for f in ooms for v in _texts(f.facts.get("victims"))}))
    who = f"; {suspect[4]} was on {suspect[1]} of them" if suspect else ""
    still = sum(1 for n in names if any(f.rule == "node-not-ready" for f in downs[n]))
    yield make(
        "nodes-failing-in-turn",
        CLUSTER,
        f"{len(names)} of {total} nodes failed within {quantity.span_text(span)}{who}",
        Severity.CRITICAL if still or len(names) >= 3 else Severity.WARNING,
        "nodes that fail one after another (critical while one is down, or from three on)",
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
            "victim_runtime": any(v in messages.RUNTIMES for v in victims),
            "victim_kubelet": "kubelet" in victims,
            "oom": oom,
            "reboots": reboots,
            "owners_tried": len(on_failed),
        },
    )


def _texts(value: object) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _unlimited(owner: Ref, view: View, resource: str) -> bool:
    row = view.store.get(*owner)
    template = getattr(getattr(row, "spec", None), "template", None)
    if template is None:
        return False
    return any(resource not in c.resources.limits for c in template.spec.containers)


_TROUBLE = frozenset(
    {
        "pod-sandbox-failed",
        "pod-not-starting",
        "pod-not-ready",
        "pod-crash-looping",
        "pod-container-create-failed",
        "pod-volume-failed",
        "pod-image-pull-failed",
    }
)


def new_nodes(view: View, index: Index) -> Iterator[Finding]:
    """Trouble only on nodes that joined within the day, or that run another kubelet version; the older ones are fine (story 003 #6)."""
    bad: dict[str, datetime] = {}
    for finding in (*index.rule("node-not-ready"), *index.rule("node-network-unavailable")):
        if finding.since is not None:
            bad[finding.object.name] = finding.since
    pods: Counter[str] = Counter()
    for rule in _TROUBLE:
        for finding in index.rule(rule):
            name = str(finding.facts.get("node") or "")
            if name:
                pods[name] += 1
                if finding.since is not None and pods[name] >= 2:
                    bad[name] = min(bad.get(name, finding.since), finding.since)
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
        later = [n for n in others if n.metadata.creation_timestamp and n.metadata.creation_timestamp >= joined]
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
    text = f"with kubelet {version}" if by_version else f"that joined since {joined.isoformat(timespec='seconds') if joined else '?'}"
    one = len(failing) == 1
    yield make(
        "failures-on-new-nodes",
        CLUSTER,
        f"{len(failing)} of {cohort} node{'s' if cohort > 1 else ''} {text} fail{'s' if one and cohort == 1 else ''}, "
        f"{len(others)} older {'are' if len(others) != 1 else 'is'} fine",
        Severity.WARNING,
        "trouble on new nodes only",
        since=first,
        source=SinceSource.CONDITION,
        related=[Ref("Node", "", n.metadata.name) for n in failing[:20]],
        evidence=[
            Evidence(
                f"Node {n.metadata.name}",
                f"created {n.metadata.creation_timestamp}, kubelet {n.status.node_info.kubelet_version}",
                n.metadata.creation_timestamp,
            )
            for n in failing[:4]
        ],
        facts={"nodes": len(failing), "new_total": cohort, "version": version, "version_differs": usual not in own, "by": kind},
    )


def stuck_on_node(view: View, index: Index) -> Iterator[Finding]:
    """Pods of several owners that do not start or do not end on one node while other nodes work (story 003: the runtime hangs)."""
    creating: dict[str, list[Finding]] = {}
    ending: dict[str, list[Finding]] = {}
    for finding in index.rule("pod-not-starting"):
        creating.setdefault(str(finding.facts["node"]), []).append(finding)
    for finding in index.rule("pod-sandbox-failed"):
        if finding.facts.get("cause") in ("timeout", "name-reserved", "other"):
            creating.setdefault(str(finding.facts["node"]), []).append(finding)
    for finding in index.rule("pod-stuck-terminating"):
        if not finding.facts.get("finalizers"):
            ending.setdefault(str(finding.facts["node"]), []).append(finding)
    busy = {n for n in {*creating, *ending} if n}
    if not busy or len(busy) * 2 > max(view.store.count("Node"), 1):
        return
    for name in sorted(busy):
        group = [*creating.get(name, []), *ending.get(name, [])]
        owners = {(f.facts.get("owner_kind"), f.object.namespace, f.facts.get("owner") or f.object.name) for f in group}
        node = view.node(name)
        telling = bool(ending.get(name)) or any(f.rule == "pod-sandbox-failed" for f in creating.get(name, []))
        if len(busy) > 1 and not telling:
            continue  # on several nodes, and nothing points at their runtimes
        if len(group) < 2 or len(owners) < 2 or node is None:
            continue
        ready = ready_status(node) == "True"
        if ready_status(node) == "Unknown":
            continue  # a silent kubelet starts and ends nothing: that is said already
        since = min((f.since for f in group if f.since), default=None)
        c, t = len(creating.get(name, [])), len(ending.get(name, []))
        parts = [f"{c} do not start" if c else "", f"{t} do not end" if t else ""]
        yield make(
            "pods-stuck-on-node", Ref("Node", "", name), f"pods of {len(owners)} owners hang on it: {', '.join(p for p in parts if p)}",
            Severity.WARNING, "several owners on one node", since=since, source=SinceSource.EVENT, related=[f.object for f in group[:20]],
            evidence=[e for f in group[:4] for e in f.evidence[:1]],
            facts={**view.node_facts(node, since), "creating": c, "terminating": t, "owners": len(owners), "node_ready": ready},
        )  # fmt: skip


def sandboxes(view: View, index: Index) -> Iterator[Finding]:
    """SandboxChanged (Normal!) for pods of at least three owners of one node within the hour: its runtime restarted, or the node did."""
    by_node: dict[str, list[tuple[EventFact, Ref]]] = {}
    for event in view.events.reasons("SandboxChanged"):
        if view.now - event.last > RECENT:
            continue
        pod = view.store.get("Pod", event.about.namespace, event.about.name)
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
        young = row.metadata.creation_timestamp is not None and view.now - row.metadata.creation_timestamp < NEW_NODE
        since = min(e.first for e, _ in group)
        yield make(
            "sandboxes-recreated-on-node",
            Ref("Node", "", name),
            f"{len(group)} pods of {len(owners)} owners got a new sandbox",
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


def not_ready_together(view: View, index: Index) -> Iterator[Finding]:
    """Pods of many owners, namespaces and nodes that had been ready became unready within two minutes: something they share is gone."""
    findings = sorted(
        (f for f in index.rule("pod-not-ready") if f.since and f.facts.get("was_ready")), key=lambda f: (f.since or view.now, f.id)
    )
    best: list[Finding] = []
    start = 0
    for end in range(len(findings)):
        while (findings[end].since or view.now) - (findings[start].since or view.now) > timedelta(minutes=2):
            start += 1
        if end + 1 - start > len(best):
            best = findings[start : end + 1]
    owners = {(f.object.namespace, f.facts.get("owner")) for f in best}
    namespaces = {f.object.namespace for f in best}
    nodes = {f.facts.get("node") for f in best}
    if len(owners) < 4 or len(namespaces) < 2 or len(nodes) < 3:
        return
    yield make(
        "not-ready-together",
        CLUSTER,
        f"pods of {len(owners)} owners in {len(namespaces)} namespaces on {len(nodes)} nodes became unready within two minutes",
        Severity.CRITICAL,
        "four owners, two namespaces and three nodes at once",
        since=best[0].since,
        source=SinceSource.CONDITION,
        related=[f.object for f in best[:300]],
        evidence=[e for f in best[:4] for e in f.evidence[:1]],
        facts={"owners": len(owners), "namespaces": len(namespaces), "nodes": len(nodes)},
    )


def version_outliers(view: View, index: Index) -> Iterator[Finding]:
    """Nodes whose kubelet version fewer than a quarter of the nodes have (a note), at most ten of them."""
    nodes = sorted(view.store.all("Node", Node), key=lambda n: n.metadata.name)
    versions = Counter(n.status.node_info.kubelet_version for n in nodes if n.status.node_info.kubelet_version)
    if len(versions) < 2:
        return
    majority = min(versions, key=lambda v: (-versions[v], v))
    rare = [n for n in nodes if 0 < versions[n.status.node_info.kubelet_version] * 4 < len(nodes)]
    for node in rare[:10]:
        version = node.status.node_info.kubelet_version
        skew = _minor(version) - _minor(majority)
        created = node.metadata.creation_timestamp
        yield make(
            "node-version-outlier", Ref("Node", "", node.metadata.name), f"kubelet {version}, most nodes have {majority}", Severity.INFO,
            "another version is a note", since=created, source=SinceSource.CREATION,
            evidence=[Evidence(f"Node {node.metadata.name} status.nodeInfo.kubeletVersion", version, created)],
            facts={**view.node_facts(node, created), "majority": majority, "skew_minor": skew, "count": versions[version]},
        )  # fmt: skip


def _minor(version: str) -> int:
    parts = version.lstrip("v").split(".")
    return int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


DETECTORS = (unknown_together, leases_stale, in_turn, stuck_on_node, sandboxes, new_nodes, not_ready_together, version_outliers)

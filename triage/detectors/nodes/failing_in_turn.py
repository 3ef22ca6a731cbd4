"""Nodes that fail one after another, and the workload that was on each of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.objects import Node, Pod, Ref
from cluster.kube.pods import is_finished
from triage.detectors.nodes.node_correlation import unknown_together
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.kubelet import RUNTIMES
from triage.facts.windows import INCIDENT, RECENT


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
        f"{len(names)} of {total} nodes failed within {durations.words(span)}{who}",
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

"""Changes that follow from findings, events or a comparison of objects: image drift, reboots,
nodes of another version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace

from cluster.kube.objects import Node
from cluster.kube.owners import controller_of
from cluster.kube.pods import is_finished
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import ChangeFact
from triage.facts.finding_index import FindingIndex


def with_findings(
    changes: Iterable[ChangeFact], view: ClusterView, index: FindingIndex, horizon: datetime
) -> list[ChangeFact]:
    """The given changes and those that findings show, newest first."""
    given = list(changes)
    usual = _usual_version(view) if any(c.rule == "node-joined" for c in given) else ""
    found = [
        _joined(c, usual)
        if c.rule == "node-joined"
        else _drained(c, view)
        if c.rule == "node-cordoned"
        else c
        for c in given
    ]
    for finding in index.rule("daemonset-image-drift"):
        for ref in finding.related:
            pod = view.store.get(*ref) if ref.kind == "Pod" else None
            if pod is not None and finding.since is not None and finding.since >= horizon:
                image, node = str(finding.facts["image"]), pod.spec.node_name
                facts = MappingProxyType({"node": node, "image": image})
                what = f"{image} came up with {finding.facts['odd_digest']} on {node}"
                found.append(ChangeFact(finding.since, what, ref, "image-drift", "", facts))
    for finding in index.rule("node-rebooted"):
        if finding.since is not None and finding.since >= horizon:
            boot = MappingProxyType({"boot_id": finding.facts.get("boot_id")})
            found.append(
                ChangeFact(
                    finding.since,
                    f"node {finding.object.name} was rebooted",
                    finding.object,
                    "node-rebooted",
                    "",
                    boot,
                )
            )
    return sorted(found, key=lambda f: (-f.at.timestamp(), f.rule, f.object))


def _usual_version(view: ClusterView) -> str:
    """The kubelet version that most nodes run."""
    versions = Counter(n.status.node_info.kubelet_version for n in view.store.all("Node", Node))
    return versions.most_common(1)[0][0] if versions else ""


def _drained(change: ChangeFact, view: ClusterView) -> ChangeFact:
    """Whether only DaemonSets and static pods are left on a cordoned node."""
    if not change.facts.get("unschedulable"):
        return change
    pods = [p for p in view.store.pods_on(change.object.name).values() if not is_finished(p)]
    left = any(
        (owner := controller_of(p.metadata)) is None or owner.kind not in ("DaemonSet", "Node")
        for p in pods
    )
    if left or not view.readable("Pod"):
        return change
    return replace(
        change,
        what=f"{change.what} and drained",
        facts=MappingProxyType({**change.facts, "drained": True}),
    )


def _joined(change: ChangeFact, usual: str) -> ChangeFact:
    """Whether a node that joined runs another kubelet than most."""
    differs = bool(change.facts.get("kubelet")) and change.facts.get("kubelet") != usual
    return (
        replace(change, facts=MappingProxyType({**change.facts, "version_differs": differs}))
        if differs
        else change
    )

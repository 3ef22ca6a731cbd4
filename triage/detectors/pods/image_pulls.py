"""Pulls that fail for several owners: on one node alone, the node is what they share."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kube.objects import Node, Ref
from triage.cohorts.healthy import node_attributes
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.wording import first_owners
from triage.facts.windows import NEW_NODE

PULLS = 3
"""Failed pulls of several owners on one node that are no chance where there are other nodes."""
_OF_IMAGE = ("not-found", "invalid-name")
"""Causes that lie in the name of the image, on whatever node."""


@cluster_detector
def pulls_on_node(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Pulls of several owners that fail on one node and on no other, for a cause that does not lie
    in the name of the image."""
    failed = [
        f
        for f in index.rule("pod-image-pull-failed")
        if f.severity is not Severity.INFO and f.facts["cause"] not in _OF_IMAGE
    ]
    nodes = {str(f.facts["node"] or "") for f in failed}
    pods = {f.object for f in failed}
    owners = {(f.object.namespace, str(f.facts["owner"] or f.object.name)) for f in failed}
    node = view.node(min(nodes)) if len(nodes) == 1 else None
    if node is None or len(pods) < PULLS or len(owners) < 2 or view.store.count("Node") < 3:
        return
    since = min((f.since for f in failed if f.since is not None), default=None)
    differs = _differs(node, view)
    yield make(
        "pulls-failing-on-node",
        Ref("Node", "", node.metadata.name),
        f"{len(pods)} pods of {first_owners(owners)} cannot pull their images on it, and none "
        "fails to on another node"
        + (f" (it alone has {' and '.join(differs[:2])})" if differs else ""),
        Severity.WARNING,
        "three pods of two owners, all on one node of three or more",
        since=since,
        source=SinceSource.EVENT,
        related=sorted(pods)[:50],
        evidence=[e for f in failed[:3] for e in f.evidence[-1:]],
        facts={
            **view.node_facts(node, since),
            "pods": len(pods),
            "owners": len(owners),
            "differs": tuple(differs),
        },
    )


def _differs(node: Node, view: ClusterView) -> list[str]:
    """What this node has and no other one: attributes in which all others agree, as `kernel version
    6.8`; that it has just joined."""
    others = [
        node_attributes(each)
        for each in view.store.all("Node", Node)
        if each.metadata.name != node.metadata.name
    ]
    found = [
        f"{what} {value}"
        for what, value in sorted(node_attributes(node).items())
        if len(usual := {other.get(what) for other in others}) == 1 and usual != {value}
    ]
    born = node.metadata.creation_timestamp
    if born is not None and view.within(born, NEW_NODE):
        found.insert(0, "joined within the hour")
    return found

"""Images that cannot be pulled: why, and, where it fails for several owners on one node alone, that
the node is what they share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from cluster.kube import images
from cluster.kube.objects import ContainerStateWaiting, ContainerStatus, Node, Pod, Ref
from cluster.kube.pods import containers
from triage.cohorts.healthy import node_attributes
from triage.detectors.registry import cluster_detector
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import event_evidence, make
from triage.facts.finding_index import FindingIndex
from triage.facts.messages.kubelet import IMAGE_CAUSES, image_cause
from triage.facts.messages.wording import first_owners, quoted
from triage.facts.windows import NEW_NODE

PULL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
"""Reasons of the kubelet for which a container waits for its image."""
PULL_RETRY = timedelta(seconds=30)
"""The kubelet repeats a failed pull within this time."""
PULLS = 3
"""Failed pulls of several owners on one node from which the node is suspected, where there are
other nodes."""
_OF_REGISTRY = ("not-found", "invalid-name", "rate-limited")
"""Causes that the registry or the name of the image gives, on whatever node: the node did reach the
registry."""


def pull_failed(
    pod: Pod, status: ContainerStatus, view: ClusterView, evidence: list[Evidence]
) -> Finding:
    """A container that waits for its image: the image, the cause and the sentence of the registry.
    `evidence` shows that it waits."""
    state = status.state.waiting or ContainerStateWaiting()
    created = pod.metadata.creation_timestamp
    failed = [
        e
        for e in view.events_of(pod)
        if e.reason in ("Failed", "ErrImageNeverPull", "InspectFailed")
        and "image" in e.message.lower()
    ]
    telling = [e for e in failed if image_cause(e.message) != "other"]
    texts = [state.message, *(e.message for e in reversed(telling))]
    cause = next((c for c in map(image_cause, texts) if c != "other"), "other")
    if state.reason == "InvalidImageName":
        cause = "invalid-name"
    secret = _absent_secret(pod, view) if cause in _REFUSED else ""
    needs = f", its pull secret {secret} cannot be read" if secret else ""
    image = next((c.image for c in containers(pod.spec) if c.name == status.name), status.image)
    since = min((e.first for e in failed), default=created)
    return make(
        "pod-image-pull-failed",
        ref_of(pod),
        f"image {image} cannot be pulled: {IMAGE_CAUSES.get(cause) or 'no cause is told'}{needs} "
        f"({quoted(texts[-1] or state.reason)})",
        Severity.WARNING,
        "the container cannot start",
        since=since,
        source=SinceSource.EVENT if failed else SinceSource.CREATION,
        young=view.young(created, PULL_RETRY) if state.reason == "ErrImagePull" else None,
        detail=status.name,
        evidence=[*evidence, *(event_evidence(e) for e in telling[-1:])],
        facts={
            **view.pod_facts(pod),
            "image": image,
            "cause": cause,
            "registry": images.parse(image).registry or "docker.io",
            "pull_secret": secret,
        },
        related=[Ref("Secret", pod.metadata.namespace, secret)] if secret else (),
    )


_REFUSED = ("unauthorized", "not-found")
"""Causes that a missing pull secret has: a registry may hide a private image as not found."""
_UNREAD = re.compile(r"Unable to retrieve some image pull secrets \(([^),\s]+)")
"""The kubelet's FailedToRetrieveImagePullSecret (kubelet_pods.go, 1.28 to 1.35)."""


def _absent_secret(pod: Pod, view: ClusterView) -> str:
    """The pull secret of a pod that the kubelet could not read and that is not there now, "" for
    none."""
    for event in reversed(view.events_of(pod)):
        found = _UNREAD.search(event.message)
        if event.reason == "FailedToRetrieveImagePullSecret" and found is not None:
            there = view.store.get("Secret", pod.metadata.namespace, found[1])
            return found[1] if there is None else ""
    return ""


@cluster_detector
def pulls_on_node(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Pulls of several owners that fail on one node and on no other, for a cause that may lie in
    the node."""
    failed = [
        f
        for f in index.rule("pod-image-pull-failed")
        if f.severity is not Severity.INFO and f.facts["cause"] not in _OF_REGISTRY
    ]
    nodes = {str(f.facts["node"] or "") for f in failed}
    pods = {f.object for f in failed}
    owners = {(f.object.namespace, str(f.facts["owner"] or f.object.name)) for f in failed}
    node = view.node(min(nodes)) if len(nodes) == 1 else None
    if node is None or len(pods) < PULLS or len(owners) < 2 or view.store.count("Node") < 3:
        return
    since = min((f.since for f in failed if f.since is not None), default=None)
    differs = _differs(node, view)
    causes = {str(f.facts["cause"]) for f in failed}
    why = IMAGE_CAUSES.get(min(causes), "") if len(causes) == 1 else ""
    yield make(
        "pulls-failing-on-node",
        Ref("Node", "", node.metadata.name),
        f"{len(pods)} pods of {first_owners(owners)} cannot pull their images on it"
        + (f" ({why})" if why else "")
        + ", and none fails to on another node"
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

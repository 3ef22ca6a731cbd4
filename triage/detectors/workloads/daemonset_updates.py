"""Images of a DaemonSet: drift between nodes, updates that stopped, and updates whose pods fail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import images
from cluster.kube.objects import DaemonSet, Pod, Ref
from cluster.kube.pods import is_finished
from triage.detectors.registry import object_detector
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, make
from triage.facts.windows import ROLLOUT_GRACE


def _others(pods: list[Pod]) -> str:
    """`the other 14 nodes`."""
    nodes = len({p.spec.node_name for p in pods})
    return f"the other {nodes} nodes" if nodes > 1 else "the other node"


def _network(row: DaemonSet, role: str) -> bool:
    """CNI, kube-proxy, or a privileged pod on the host's network of a system namespace (an agent of
    the network under another layout)."""
    if role in ("cni", "proxy"):
        return True
    spec = row.spec.template.spec
    privileged = any(
        c.security_context is not None and c.security_context.privileged for c in spec.containers
    )
    return (
        role == ""
        and spec.host_network
        and privileged
        and roles.system_namespace(row.metadata.namespace)
    )


@object_detector("DaemonSet")
def image_drift(row: DaemonSet, view: ClusterView) -> Iterator[Finding]:
    """More than one digest for one image name within one revision (story 000; RFE in
    k8s-image-availability-exporter, no tool ships it).

    Compared like with like: same container, image name, controller-revision-hash, CPU architecture,
    container runtime and kind of digest (manifest or configuration); split by architecture is no
    drift.
    """
    groups: dict[tuple[str, ...], dict[str, list[Pod]]] = {}
    for pod in view.pods_of(ref_of(row)):
        if is_finished(pod) or not pod.spec.node_name:
            continue
        node = view.node(pod.spec.node_name)
        info = node.status.node_info if node is not None else None
        arch = info.architecture if info else ""
        runtime = info.container_runtime_version.partition(":")[0] if info else ""
        revision = pod.metadata.labels.get("controller-revision-hash", "")
        named = {c.name: c.image for c in (*pod.spec.containers, *pod.spec.init_containers)}
        for status in (*pod.status.container_statuses, *pod.status.init_container_statuses):
            kind, digest = images.digest_of(status.image_id)
            image = named.get(status.name, status.image)
            if digest and not images.parse(image).digest:
                groups.setdefault(
                    (status.name, image, revision, arch, runtime, kind), {}
                ).setdefault(digest, []).append(pod)
    ref = ref_of(row)
    for (container, image, revision, *_, kind), by_digest in sorted(groups.items()):
        if len(by_digest) < 2:
            continue
        ranked = sorted(by_digest.items(), key=lambda item: (-len(item[1]), item[0]))
        usual_digest, usual = ranked[0]
        odd = [p for _, pods in ranked[1:] for p in pods]
        nodes = tuple(sorted({p.spec.node_name for p in odd}))
        role = view.role(row)
        network = _network(row, role)
        policy = next(
            (c.image_pull_policy for c in odd[0].spec.containers if c.name == container), ""
        )
        starts = [t for t in (_started(p, container) for p in odd) if t is not None]
        since = min(starts, default=None)
        others = [t for t in (p.metadata.creation_timestamp for p in usual) if t is not None]
        newest = since is not None and bool(others) and since >= max(others)
        floating = images.parse(image).floating or policy == "Always"
        where = nodes[0] if len(nodes) == 1 else f"{len(nodes)} nodes"
        digests = ", ".join(f"{images.short_digest(d)} on {len(p)}" for d, p in ranked[:3])
        name = image.removesuffix(f":{images.parse(image).tag}")
        pinned = f"{name}@{usual_digest}" if kind == "repo" and len(usual) > len(odd) else ""
        yield make(
            "daemonset-image-drift",
            ref,
            f"runs another image on {where} than on {_others(usual)}; {image}: {digests}",
            Severity.WARNING if network else Severity.INFO,
            "drift of a network agent is a warning, of another DaemonSet a note",
            since=since,
            source=SinceSource.STATUS,
            detail=f"{container}/{revision}" if revision else container,
            related=[*(ref_of(p) for p in odd[:10]), *(Ref("Node", "", n) for n in nodes[:10])],
            evidence=[
                field_evidence(
                    ref_of(p),
                    f"status.containerStatuses[{container}].imageID",
                    f"{images.short_digest(d)} on {p.spec.node_name}",
                    _started(p, container),
                )
                for d, pods in [*ranked[1:], (usual_digest, usual)]
                for p in pods[:3]
            ],
            facts={
                "container": container,
                "image": image,
                "digests": len(by_digest),
                "odd_nodes": nodes,
                "odd": len(odd),
                "usual": len(usual),
                "floating": floating,
                "odd_is_newest": newest,
                "role": role,
                "network": network,
                "odd_digest": images.short_digest(ranked[1][0]),
                "usual_digest": images.short_digest(usual_digest),
                "pinned_image": pinned,
                "skew": False,
            },
        )


@object_detector("DaemonSet")
def update_stopped(row: DaemonSet, view: ClusterView) -> Iterator[Finding]:
    """Pods of one DaemonSet run different image names, and none was replaced for a while: an update
    that stopped, or OnDelete."""
    groups: dict[str, dict[str, list[Pod]]] = {}
    newest: datetime | None = None
    for pod in view.pods_of(ref_of(row)):
        if (
            is_finished(pod)
            or not pod.spec.node_name
            or pod.metadata.deletion_timestamp is not None
        ):
            continue
        created = pod.metadata.creation_timestamp
        newest = created if newest is None or (created is not None and created > newest) else newest
        for spec in pod.spec.containers:
            groups.setdefault(spec.name, {}).setdefault(spec.image, []).append(pod)
    skewed = {name: by for name, by in groups.items() if len(by) > 1}
    if not skewed or not view.older(newest, ROLLOUT_GRACE * 3):
        return
    role = view.role(row)
    network = _network(row, role)
    ref = ref_of(row)
    for container, by_image in sorted(skewed.items()):
        ranked = sorted(by_image.items(), key=lambda item: (-len(item[1]), item[0]))
        usual_image, usual = ranked[0]
        odd = [p for _, pods in ranked[1:] for p in pods]
        nodes = tuple(sorted({p.spec.node_name for p in odd}))
        born = [t for t in (p.metadata.creation_timestamp for p in odd) if t is not None]
        others = [t for t in (p.metadata.creation_timestamp for p in usual) if t is not None]
        since = (
            min(born, default=None)
            if born and others and min(born) >= max(others)
            else min(others, default=None)
        )
        yield make(
            "daemonset-image-drift",
            ref,
            f"{container} runs {', '.join(f'{i} on {len(p)}' for i, p in ranked[:3])} nodes, and "
            "no pod was replaced for 15 min",
            Severity.WARNING if network else Severity.INFO,
            "drift of a network agent is a warning, of another DaemonSet a note",
            since=since,
            source=SinceSource.CREATION,
            detail=f"{container}/names",
            related=[*(ref_of(p) for p in odd[:10]), *(Ref("Node", "", n) for n in nodes[:10])],
            evidence=[
                field_evidence(ref_of(p), "spec.containers", f"{i} on {p.spec.node_name}")
                for i, pods in reversed(ranked)
                for p in pods[:3]
            ],
            facts={
                "container": container,
                "image": usual_image,
                "digests": len(by_image),
                "odd_nodes": nodes,
                "odd": len(odd),
                "usual": len(usual),
                "floating": images.parse(usual_image).floating,
                "odd_is_newest": bool(born and others and min(born) >= max(others)),
                "role": role,
                "network": network,
                "odd_digest": ranked[1][0],
                "usual_digest": usual_image,
                "skew": True,
            },
        )


def _started(pod: Pod, container: str) -> datetime | None:
    for status in pod.status.container_statuses:
        if status.name == container and status.state.running is not None:
            return status.state.running.started_at or pod.metadata.creation_timestamp
    return pod.metadata.creation_timestamp


_CHANCE = timedelta(minutes=2)
"""Pods of a new revision may take this long to start."""


def _fails(pod: Pod, view: ClusterView) -> bool:
    """Whether its containers report not ready and have had the time to start."""
    if not pod.status.container_statuses or all(s.ready for s in pod.status.container_statuses):
        return False
    return view.older(pod.metadata.creation_timestamp, _CHANCE)


@object_detector("DaemonSet")
def update_failing(row: DaemonSet, view: ClusterView) -> Iterator[Finding]:
    """Most pods of the newest revision fail and those of the previous one do not: the update is at
    fault, on whatever node (story 003 #6)."""
    groups: dict[str, list[Pod]] = {}
    for pod in view.pods_of(ref_of(row)):
        born = pod.metadata.creation_timestamp
        if (
            not is_finished(pod)
            and pod.spec.node_name
            and pod.metadata.deletion_timestamp is None
            and born is not None
        ):
            groups.setdefault(pod.metadata.labels.get("controller-revision-hash", ""), []).append(
                pod
            )
    groups.pop("", None)
    if len(groups) < 2:
        return
    first = {
        name: min(p.metadata.creation_timestamp for p in pods if p.metadata.creation_timestamp)
        for name, pods in groups.items()
    }
    revision = max(sorted(first), key=lambda name: first[name])
    updated, old = (
        groups[revision],
        [p for name, pods in groups.items() if name != revision for p in pods],
    )
    failing, old_failing = (
        [p for p in updated if _fails(p, view)],
        [p for p in old if _fails(p, view)],
    )
    if len(failing) < 2 or len(failing) * 5 < len(updated) * 3 or len(old_failing) * 5 > len(old):
        return
    images_ = ", ".join(c.image for c in updated[0].spec.containers)
    nodes = tuple(sorted({p.spec.node_name for p in failing}))
    ref = ref_of(row)
    yield make(
        "daemonset-update-failing",
        ref,
        f"{len(failing)} of {len(updated)} updated pods fail, {len(old_failing)} of {len(old)} of "
        "the revision before",
        Severity.CRITICAL if _network(row, view.role(row)) else Severity.WARNING,
        "an update whose pods fail (critical for the network of the nodes)",
        since=min(p.metadata.creation_timestamp for p in failing if p.metadata.creation_timestamp),
        source=SinceSource.CREATION,
        detail=revision,
        related=[*(Ref("Node", "", n) for n in nodes[:50]), *(ref_of(p) for p in failing[:20])],
        evidence=[
            field_evidence(
                ref_of(p),
                "status.containerStatuses",
                f"not ready on {p.spec.node_name}",
                p.metadata.creation_timestamp,
            )
            for p in failing[:6]
        ],
        facts={
            "revision": revision,
            "image": images_,
            "failing": len(failing),
            "updated": len(updated),
            "old": len(old),
            "old_failing": len(old_failing),
            "role": view.role(row),
            "nodes": nodes,
        },
    )

"""DaemonSets: image drift between nodes, and pods that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cluster.kube import images
from cluster.kube.managed_fields import last_write
from cluster.kube.objects import DaemonSet, Node, Pod, Ref
from triage.detectors.registry import object_detector
from triage.facts import roles
from triage.facts.cluster_view import (
    ClusterView,
    is_control_plane,
    is_finished,
    is_ready,
    is_virtual,
    ready_status,
    ref_of,
)
from triage.facts.create_failures import create_failure
from triage.facts.finding import Finding, Severity, SinceSource
from triage.facts.finding_builder import field_evidence, from_events, make
from triage.facts.messages.scheduler import scheduling, scheduling_text
from triage.facts.messages.wording import first_two
from triage.facts.placement import eligible, meant_for, untolerated
from triage.facts.windows import EDGE, READY_GRACE, ROLLOUT_GRACE


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


@object_detector("DaemonSet")
def short(row: DaemonSet, view: ClusterView) -> Iterator[Finding]:
    """Fewer ready pods than nodes want it, for longer than a start takes, or a Ready node without a
    pod. Nodes that are not Ready explain themselves."""
    desired, ready = row.status.desired_number_scheduled, row.status.number_ready
    if not view.older(row.metadata.creation_timestamp, READY_GRACE):
        return
    ref, pods = ref_of(row), [p for p in view.pods_of(ref_of(row)) if not is_finished(p)]
    failed = [
        e
        for e in view.events.about(ref)
        if e.reason == "FailedCreate" and view.within(e.last, EDGE)
    ]
    if failed and ready < desired:
        read = create_failure(failed[-1].message)
        yield make(
            "create-failed",
            ref,
            f"pods cannot be created: {read.text}",
            Severity.WARNING,
            "the controller is short of pods it may not create",
            **from_events(failed),
            facts={"cause": read.cause, "detail": read.detail},
        )
    bad: list[tuple[datetime, str, str]] = []
    for pod in pods if ready < desired else ():
        if is_ready(pod) or pod.metadata.deletion_timestamp is not None:
            continue
        condition = next((c for c in pod.status.conditions if c.type == "Ready"), None)
        since = (
            condition.last_transition_time if condition else None
        ) or pod.metadata.creation_timestamp
        node = pod.spec.node_name
        if since is not None and view.older(since, READY_GRACE):
            if not node:
                bad.append((since, meant_for(pod.spec), _no_room(pod)))
            elif view.node_ready(node):
                bad.append((since, node, ""))
    if bad:
        room = next((why for _, _, why in bad if why), "")
        nodes = tuple(sorted({n for _, n, _ in bad if n}))
        on = f" on {first_two(nodes)}" if room and nodes else ""
        yield _short(
            row,
            f"{ready} of {desired} pods ready" + (f": no room{on} ({room})" if room else ""),
            Severity.WARNING,
            min(t for t, _, _ in bad),
            nodes,
            "room" if room else "",
            view,
        )
    elif not failed:
        yield from _missed(row, pods, view)


def _missed(row: DaemonSet, pods: list[Pod], view: ClusterView) -> Iterator[Finding]:
    """Ready nodes without a pod: it is not made though the node fits, or a taint or the selector
    keeps it away from a node where most others have one."""
    covered = {p.spec.node_name or meant_for(p.spec) for p in pods}
    free = [
        n
        for n in view.store.all("Node", Node)
        if n.metadata.name not in covered
        and ready_status(n) == "True"
        and not is_virtual(n)
        and view.older(n.metadata.creation_timestamp, READY_GRACE)
    ]
    newest = max((t for p in pods if (t := p.metadata.creation_timestamp)), default=None)
    if not free or not pods or not view.older(newest, READY_GRACE) or not view.readable("Pod"):
        return
    template = row.spec.template.spec
    fitting = tuple(sorted(n.metadata.name for n in free if eligible(template, n)))
    if fitting and row.status.desired_number_scheduled > len(covered):
        yield _short(
            row,
            f"has no pod on {first_two(fitting)}, though nothing keeps it away there",
            Severity.WARNING,
            None,
            fitting,
            "not-made",
            view,
        )
        return
    if len(free) * 2 > len(covered):
        return  # it is meant for a part of the nodes
    needed = view.role(row) in _NEEDED
    for node in free:
        taint = untolerated(template, node)
        edit = last_write(node.metadata, "f:spec", "f:taints") if taint is not None else None
        created, edited = node.metadata.creation_timestamp, edit.time if edit else None
        late = edited is not None and created is not None and edited - created > READY_GRACE
        fresh = late and view.within(edited, _TAINTED)
        name = node.metadata.name
        if name in fitting or is_control_plane(node) or not (needed or fresh or taint is None):
            continue
        by = f", set by {edit.manager}" if fresh and edit is not None and edit.manager else ""
        why = (
            f"it does not tolerate the taint {taint.key}:{taint.effect}{by}"
            if taint is not None
            else "the labels of the node do not fit its selector"
        )
        yield _short(
            row,
            f"does not run on {name}: {why}",
            Severity.WARNING if fresh else Severity.INFO,
            edited if late else None,
            (name,),
            "taint" if taint is not None else "selector",
            view,
        )


_NEEDED = frozenset({"cni", "proxy", "storage", "log-shipper"})
"""Roles that each node needs: where one of them is kept away, pods there lack something."""
_TAINTED = timedelta(days=1)
"""A taint that was set on a node of some age within this time is news."""


def _short(
    row: DaemonSet,
    claim: str,
    severity: Severity,
    since: datetime | None,
    nodes: tuple[str, ...],
    why: str,
    view: ClusterView,
) -> Finding:
    ref = ref_of(row)
    ready, desired = row.status.number_ready, row.status.desired_number_scheduled
    return make(
        "daemonset-short",
        ref,
        claim,
        severity,
        "short of pods on Ready nodes for over 5 min (a note where an old taint or the selector "
        "keeps them away)",
        since=since,
        source=SinceSource.CONDITION if since is not None else SinceSource.FIRST_SEEN,
        facts={
            "ready": ready,
            "desired": desired,
            "role": view.role(row),
            "nodes": nodes,
            "why": why,
        },
        evidence=[field_evidence(ref, "status.numberReady", f"{ready} of {desired}")],
        related=[Ref("Node", "", n) for n in nodes[:10]],
        detail=nodes[0] if why in ("taint", "selector") else "",
    )


def _no_room(pod: Pod) -> str:
    """Why the scheduler does not place it, in words; "" where it says nothing."""
    said = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
    if said is None or said.status != "False":
        return ""
    read = scheduling(said.message, bound=True)
    cause = read.causes[0][0]
    return scheduling_text(cause, read.detail) if cause != "affinity" else ""


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

"""Objects that are gone: counts that fell, references to nothing, system namespaces recreated
(story 003 #4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from cluster.kube import durations
from cluster.kube.nodes import ready_status
from cluster.kube.objects import (
    EndpointSlice,
    HorizontalPodAutoscaler,
    Ingress,
    Node,
    Object,
    PersistentVolume,
    Pod,
    Ref,
)
from cluster.kube.pods import is_finished
from triage.detectors.registry import cluster_detector
from triage.facts import roles
from triage.facts.cluster_view import ClusterView, ref_of
from triage.facts.finding import Evidence, Finding, Severity, SinceSource
from triage.facts.finding_builder import CLUSTER, field_evidence, make
from triage.facts.finding_index import FindingIndex

_WINDOW = timedelta(minutes=15)
_MUCH_OLDER = timedelta(hours=1)


@cluster_detector
def vanished(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """At least three kinds lost more than half of their objects within a quarter of an hour, by our
    own counts."""
    fell: dict[str, tuple[int, int, datetime]] = {}
    for at, counts in view.counts:
        if not view.recent(at, _WINDOW):
            continue
        for kind, before in counts.items():
            now = view.store.count(kind)
            if (
                before >= 6
                and now * 2 < before
                and view.freshness.get(kind) is not None
                and view.readable(kind)
                and (kind not in fell or before > fell[kind][0])
            ):
                fell[kind] = (before, now, at)
    if len(fell) < 3:
        return
    before, after = sum(b for b, _, _ in fell.values()), sum(a for _, a, _ in fell.values())
    since = min(at for _, _, at in fell.values())
    kinds = tuple(sorted(fell))
    yield make(
        "objects-vanished",
        CLUSTER,
        f"objects of {len(kinds)} kinds vanished: {before} before, {after} now",
        Severity.CRITICAL,
        "three or more kinds lost over half of their objects within 15 min",
        since=since,
        source=SinceSource.FIRST_SEEN,
        evidence=[
            Evidence(f"count of {k}", f"{b} -> {a}", at) for k, (b, a, at) in sorted(fell.items())
        ],
        facts={"kinds": kinds, "before": before, "after": after},
    )


@cluster_detector
def owners_missing(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Objects whose controllers are gone, three owners or more: a normal deletion takes the
    dependants along."""
    missing = {
        uid: ref
        for uid, ref in index.population.missing_owners.items()
        if (view.readable(ref.kind) or _gone(ref, view))
        and not _unread(ref, view)
        and not _cleaned_up(uid, ref, view)
    }
    owners = sorted(set(missing.values()))
    if len(owners) < 3 or {o.kind for o in owners} <= {"Job", "CronJob"}:
        return  # old Jobs are deleted by hand, and their pods are collected a moment later
    children = [c for uid in missing for c in view.store.owned_by(uid).items()]
    young = [
        row
        for _, row in children
        if row.metadata.creation_timestamp is not None
        and not view.older(row.metadata.creation_timestamp, timedelta(minutes=2))
    ]
    if len(young) == len(children):
        return
    kinds = tuple(sorted({o.kind for o in owners}))
    namespaces = {o.namespace for o in owners}
    total = sum(view.store.count(k) for k in kinds)
    severe = len(owners) >= 5 and len(owners) >= total
    yield make(
        "owners-missing",
        CLUSTER,
        f"{len(children)} objects remain whose {len(owners)} controllers ({', '.join(kinds)}) "
        "are gone",
        Severity.CRITICAL if severe else Severity.WARNING,
        "three or more missing owners (critical when more are missing than left)",
        since=_collected(row for _, row in children),
        source=SinceSource.FIRST_SEEN,
        related=[Ref(kind, *key) for (kind, key), _ in children[:20]],
        evidence=[
            field_evidence(Ref(kind, *key), "metadata.ownerReferences", "the owner does not exist")
            for (kind, key), _ in sorted(children, key=lambda c: c[0])[:5]
        ],
        facts={
            "objects": len(children),
            "owners": len(owners),
            "kinds": kinds,
            "namespaces": len(namespaces),
        },
    )


def _cleaned_up(uid: str, ref: Ref, view: ClusterView) -> bool:
    """Whether an owner was deleted on purpose: with its namespace, or a Job with pods that have
    ended or are being collected."""
    namespace = view.store.get("Namespace", "", ref.namespace)
    if namespace is not None and namespace.metadata.deletion_timestamp is not None:
        return True
    return ref.kind in ("Job", "CronJob") and all(
        row.metadata.deletion_timestamp is not None or (isinstance(row, Pod) and is_finished(row))
        for row in view.store.owned_by(uid).values()
    )


def _unread(ref: Ref, view: ClusterView) -> bool:
    """A ReplicaSet that is missing although its Deployment exists: the controller would recreate it
    at once under the same name.

    So it was not lost: the API shows a part of a cluster (a copy without ReplicaSets).
    """
    if ref.kind != "ReplicaSet" or view.store.get(*ref) is not None:
        return False
    return view.store.get("Deployment", ref.namespace, ref.name.rpartition("-")[0]) is not None


def _collected(children: Iterable[Object]) -> datetime | None:
    """When the garbage collector began to delete objects without owners: the owners were deleted
    shortly before."""
    times: list[datetime] = []
    for row in children:
        if row.metadata.deletion_timestamp is not None:
            grace = row.spec.termination_grace_period_seconds if isinstance(row, Pod) else 0
            times.append(row.metadata.deletion_timestamp - timedelta(seconds=grace))
    return min(times, default=None)


def _gone(ref: Ref, view: ClusterView) -> bool:
    """Whether a whole kind is empty although objects name members of it."""
    state = view.freshness.get(ref.kind)
    return state is not None and state.complete() and view.store.count(ref.kind) == 0


@cluster_detector
def dangling(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """References of several kinds that lead to nothing: autoscalers, Ingresses, endpoints, claimed
    volumes. Five or more of two kinds."""
    found = [
        (target.kind, ref, f"{target.kind} {target.name}")
        for ref, target in _references(view)
        if view.readable(target.kind) and view.store.get(*target) is None
    ]
    kinds = tuple(sorted({k for k, _, _ in found}))
    if len(found) < 5 or len(kinds) < 2:
        return
    namespaces = {r.namespace for _, r, _ in found}
    yield make(
        "references-dangling",
        CLUSTER,
        f"{len(found)} references lead to objects that do not exist ({', '.join(kinds)})",
        Severity.WARNING,
        "five or more references of two kinds",
        source=SinceSource.FIRST_SEEN,
        related=[r for _, r, _ in found[:20]],
        evidence=[
            field_evidence(r, "reference", f"{what} does not exist") for _, r, what in found[:6]
        ],
        facts={"count": len(found), "kinds": kinds, "namespaces": len(namespaces)},
    )


def _references(view: ClusterView) -> Iterator[tuple[Ref, Ref]]:
    """(object, what it refers to)."""
    for hpa in view.store.all("HorizontalPodAutoscaler", HorizontalPodAutoscaler):
        target = hpa.spec.scale_target_ref
        if target.kind in ("Deployment", "StatefulSet"):
            yield ref_of(hpa), Ref(target.kind, hpa.metadata.namespace, target.name)
    for ingress in view.store.all("Ingress", Ingress):
        for name in sorted(roles.backends(ingress)):
            yield ref_of(ingress), Ref("Service", ingress.metadata.namespace, name)
    for row in view.store.all("EndpointSlice", EndpointSlice):
        for endpoint in row.endpoints:
            to = endpoint.target_ref
            if to is not None and to.kind == "Pod":
                yield ref_of(row), Ref("Pod", to.namespace or row.metadata.namespace, to.name)
    for volume in view.store.all("PersistentVolume", PersistentVolume):
        claim = volume.spec.claim_ref
        if volume.status.phase == "Bound" and claim is not None:
            yield (
                Ref("PersistentVolume", "", volume.metadata.name),
                Ref("PersistentVolumeClaim", claim.namespace, claim.name),
            )


_SURVIVORS = (
    "Node",
    "PersistentVolume",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
)


@cluster_detector
def recreated(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """kube-system is younger than other objects by more than an hour: it was lost, and the API
    server recreated it.

    Not where namespaces of applications or workloads are older too: what was deleted in etcd is a
    range of keys, and a range that takes one namespace takes them all. Such a server started empty
    and was then filled with objects of another one (a restore, a copy).
    """
    system = view.store.get("Namespace", "", "kube-system")
    created = system.metadata.creation_timestamp if system is not None else None
    if created is None:
        return
    survivors = [
        *(row for kind in _SURVIVORS for row in view.store.rows(kind).values()),
        *(
            row
            for kind in ("ConfigMap", "CronJob")
            for row in view.store.in_namespace(kind, "kube-system").values()
        ),
    ]
    older = sum(
        row.metadata.creation_timestamp is not None
        and created - row.metadata.creation_timestamp > _MUCH_OLDER
        for row in survivors
    )
    if not older or _intact(
        view, ("Namespace", "Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "Pod"), created
    ):
        return
    ref = Ref("Namespace", "", "kube-system")
    yield make(
        "system-namespaces-recreated",
        CLUSTER,
        f"kube-system was created at {durations.utc_clock(created, view.now)}, {older} "
        f"{'object is' if older == 1 else 'objects are'} older: it was lost and recreated",
        Severity.CRITICAL if view.now - created <= timedelta(days=1) else Severity.INFO,
        "a cluster's first namespace cannot be younger than its objects (critical within a day)",
        since=created,
        source=SinceSource.CREATION,
        evidence=[
            field_evidence(
                ref, "metadata.creationTimestamp", durations.utc_clock(created, view.now), created
            )
        ],
        facts={
            "created": created.isoformat(),
            "older": older,
            "recent": view.now - created <= timedelta(days=1),
        },
    )


def _intact(view: ClusterView, kinds: Iterable[str], moment: datetime | None = None) -> bool:
    """Whether objects of these kinds are there that are older than `moment` (None: now) by more
    than an hour, other than the server's own."""
    for kind in kinds:
        for (_, name), row in view.store.rows(kind).items():
            if kind == "Namespace" and name in _BY_SERVER:
                continue
            birth = row.metadata.creation_timestamp
            if birth is None:
                continue
            if moment - birth > _MUCH_OLDER if moment else not view.recent(birth, _MUCH_OLDER):
                return True
    return False


_BY_SERVER = ("default", "kube-system", "kube-public", "kube-node-lease")
"""Namespaces that an API server creates when they are missing."""


@cluster_detector
def system_emptied(view: ClusterView, index: FindingIndex) -> Iterator[Finding]:
    """Nodes that have been Ready for over an hour, and neither pod, DaemonSet nor Deployment is
    left in kube-system.

    A cluster that never had any (a test cluster) has no trace of one either: a trace is asked for
    (Leases of components, Secrets, ConfigMaps or Services of add-ons, events about pods there).
    """
    known = [view.freshness.get(kind) for kind in ("Pod", "DaemonSet", "Deployment", "Node")]
    if not all(state is not None and state.complete() for state in known):
        return  # Kinds that are still being read are not missing.
    nodes = [
        n
        for n in view.store.all("Node", Node)
        if ready_status(n) == "True"
        and n.metadata.creation_timestamp
        and not view.recent(n.metadata.creation_timestamp, _MUCH_OLDER)
    ]
    pods = view.store.in_namespace("Pod", "kube-system")
    mirrors = [
        p for p in pods.values() if any(o.kind == "Node" for o in p.metadata.owner_references)
    ]
    if (
        len(nodes) < 2
        or len(pods) > len(mirrors)
        or any(view.store.in_namespace(k, "kube-system") for k in ("DaemonSet", "Deployment"))
    ):
        return
    traces = [
        s for s in view.store.in_namespace("EndpointSlice", "kube-system").values() if s.endpoints
    ]
    events = [
        e
        for e in view.events.all()
        if e.about.namespace == "kube-system"
        and e.about.kind in ("Pod", "DaemonSet", "ReplicaSet", "Deployment")
    ]
    maps = [
        name
        for _, name in view.store.in_namespace("ConfigMap", "kube-system")
        if name in ("coredns", "kube-proxy", "aws-auth", "cilium-config", "calico-config")
    ]
    images = any(
        "coredns" in name or "kube-proxy" in name
        for n in nodes
        for i in n.status.images
        for name in i.names
    )
    operators = view.store.count("CustomResourceDefinition") and not view.store.count("Deployment")
    if (
        not traces
        and not events
        and (_intact(view, ("Deployment", "DaemonSet")) or not (maps or images or operators))
    ):
        # the other namespaces have theirs: this distribution keeps its system workloads elsewhere,
        # or nowhere
        return
    yield make(
        "system-workloads-missing",
        CLUSTER,
        f"{len(nodes)} nodes run, and kube-system has no DaemonSet and no Deployment left",
        Severity.CRITICAL,
        "a running cluster whose system workloads left traces and are gone",
        source=SinceSource.FIRST_SEEN,
        evidence=[
            Evidence("Namespace kube-system", f"{len(pods)} pods, {len(mirrors)} of them static")
        ],
        facts={"pods": len(pods)},
    )

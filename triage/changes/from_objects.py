"""Changes read from an object itself: creation times, field managers, ReplicaSets, release Secrets.
Names only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from cluster.kube.managed_fields import DATA_FIELDS, data_keys, last_write, subtree, writes
from cluster.kube.nodes import POOL, ZONE, label
from cluster.kube.objects import (
    ControllerRevision,
    CronJob,
    DaemonSet,
    Deployment,
    ManagedFields,
    Node,
    ObjectMeta,
    PartialObject,
    Ref,
    ReplicaSet,
    Service,
    StatefulSet,
    WebhookConfiguration,
)
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from triage.facts import roles
from triage.facts.finding import ChangeFact, Fact

_AT_BIRTH = timedelta(seconds=30)


def change_fact(
    at: datetime, what: str, ref: Ref, rule: str, manager: str = "", **facts: Fact
) -> ChangeFact:
    return ChangeFact(at, what, ref, rule, manager, MappingProxyType(facts))


def creator(written: list[ManagedFields], created: datetime) -> str:
    """The manager that created an object; "" when a later write replaced its entry. A controller
    may write its annotation in the same second: who creates writes more than metadata."""
    first = min(
        (
            (w.time, set(w.fields_v1) == {"f:metadata"}, w.manager)
            for w in written
            if w.time and abs(w.time - created) <= _AT_BIRTH
        ),
        default=None,
    )
    return first[2] if first is not None else ""


_CONTAINERS = ("f:spec", "f:template", "f:spec", "f:containers")


def _env_written(fields: dict[str, Any]) -> tuple[str, ...]:
    """Names of the variables that a write to a workload touched."""
    names: set[str] = set()
    for key, container in (subtree(fields, *_CONTAINERS) or {}).items():
        if key.startswith("k:") and isinstance(container, dict):
            for env in subtree(container, "f:env") or ():
                name = env.partition('"name":"')[2].partition('"')[0]
                if name:
                    names.add(name)
    return tuple(sorted(names))


def _resources_written(fields: dict[str, Any]) -> bool:
    containers = subtree(fields, *_CONTAINERS) or {}
    return any(isinstance(c, dict) and bool(subtree(c, "f:resources")) for c in containers.values())


def _workload(
    kind: str, row: Deployment | DaemonSet | StatefulSet, store: Store
) -> Iterator[ChangeFact]:
    meta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    created = meta.creation_timestamp
    role = roles.workload_role(row, store)
    written = writes(meta)
    if created is not None:
        by = creator(written, created)
        yield change_fact(
            created,
            f"{kind} {meta.name} created",
            ref,
            "workload-created",
            by,
            owner_kind=kind,
            role=role,
        )
    for write in written:
        if write.time is None or (created is not None and write.time - created <= _AT_BIRTH):
            continue
        spec = subtree(write.fields_v1, "f:spec") or {}
        if write.subresource == "scale" or set(spec) == {"f:replicas"}:
            if "f:replicas" in spec:
                to = getattr(row.spec, "replicas", None)
                yield change_fact(
                    write.time,
                    f"{kind} {meta.name} scaled" + (f" to {to}" if to is not None else ""),
                    ref,
                    "scaled",
                    write.manager,
                    replicas_from=None,
                    replicas_to=to,
                    down=False,
                    owner_kind=kind,
                )
            continue
        if not spec or write.manager in ("kube-controller-manager", "deployment-controller"):
            continue
        env, resources = _env_written(write.fields_v1), _resources_written(write.fields_v1)
        template = "f:template" in spec
        if kind != "Deployment" and template:
            images = ", ".join(c.image for c in row.spec.template.spec.containers)
            yield change_fact(
                write.time,
                f"{kind} {meta.name}: template written ({images})",
                ref,
                "rollout",
                write.manager,
                image_from="",
                image_to=images,
                images=False,
                owner_kind=kind,
                role=role,
                revision="",
                env=env,
            )
        what = (
            "template" if template else ", ".join(sorted(k[2:] for k in spec if k.startswith("f:")))
        )
        yield change_fact(
            write.time,
            f"{kind} {meta.name}: {what} written",
            ref,
            "workload-edited",
            write.manager,
            owner_kind=kind,
            env=env,
            resources=resources,
            role=role,
        )


def _images(row: ReplicaSet) -> dict[str, str]:
    return {c.name: c.image for c in row.spec.template.spec.containers}


def _replica_set(row: ReplicaSet, store: Store) -> Iterator[ChangeFact]:
    """A new ReplicaSet of a Deployment is a rollout; the previous one shows what changed."""
    owner = controller_of(row.metadata)
    created = row.metadata.creation_timestamp
    if owner is None or owner.kind != "Deployment" or created is None:
        return
    deployment = store.get(*owner)
    siblings = []
    if deployment is not None:
        rows = store.owned_by(deployment.metadata.uid).values()
        siblings = [
            r
            for r in rows
            if isinstance(r, ReplicaSet)
            and r.metadata.creation_timestamp
            and r.metadata.creation_timestamp < created
        ]
    previous = max(siblings, key=lambda r: r.metadata.creation_timestamp or created, default=None)
    if previous is None:
        if (
            deployment is not None
            and deployment.metadata.creation_timestamp
            and created - deployment.metadata.creation_timestamp <= _AT_BIRTH
        ):
            return  # The creation of the Deployment reports it.
        before: dict[str, str] = {}
    else:
        before = _images(previous)
    number = row.metadata.annotations.get("deployment.kubernetes.io/revision", "")
    images = (before, _images(row))
    yield _rollout(
        created, f"rollout of {owner.name}", owner, deployment, images, _AT_BIRTH, number, store
    )


def _rollout(
    at: datetime,
    what: str,
    owner: Ref,
    workload: Deployment | DaemonSet | StatefulSet | None,
    images: tuple[dict[str, str], dict[str, str]],
    slack: timedelta,
    revision: str,
    store: Store,
) -> ChangeFact:
    """A new revision of a workload. `images` are those of the containers before and after, by name.
    The manager that wrote its template within `slack` of it made the change."""
    before, after = images
    differing = [
        (before.get(name, ""), image)
        for name, image in after.items()
        if before and before.get(name) != image
    ]
    text = "; ".join(f"{old or '-'} -> {new}" for old, new in differing)
    text = text or (not before and ", ".join(after.values())) or "template changed"
    role, near = "", []
    if workload is not None:
        role = roles.workload_role(workload, store)
        near = [
            w
            for w in writes(workload.metadata, "f:spec", "f:template")
            if w.time and abs(w.time - at) <= slack
        ]
    return change_fact(
        at,
        f"{what}: {text}",
        owner,
        "rollout",
        near[0].manager if near else "",
        image_from=", ".join(old for old, _ in differing),
        image_to=", ".join(new for _, new in differing),
        images=bool(differing),
        owner_kind=owner.kind,
        role=role,
        revision=revision,
        env=_env_written(near[0].fields_v1) if near else (),
    )


_WRITTEN = timedelta(minutes=2)
"""A controller records a new revision within moments of the write."""


def revised(row: ControllerRevision) -> datetime | None:
    """When a revision was created, or became current again: a rollback only renumbers it."""
    created = row.metadata.creation_timestamp
    numbered = [w.time for w in writes(row.metadata, "f:revision") if w.time is not None]
    return max([created, *numbered]) if created is not None else None


def _revision(row: ControllerRevision, store: Store) -> Iterator[ChangeFact]:
    """A revision of a DaemonSet or StatefulSet is a rollout, also an old one after a rollback."""
    meta, owner = row.metadata, controller_of(row.metadata)
    at = revised(row)
    if (
        owner is None
        or owner.kind not in ("DaemonSet", "StatefulSet")
        or at is None
        or meta.creation_timestamp is None
    ):
        return
    workload = store.get(*owner)
    if workload is None:
        return
    siblings = (
        r
        for r in store.owned_by(workload.metadata.uid).values()
        if isinstance(r, ControllerRevision)
    )
    previous = max(
        (r for r in siblings if r.revision < row.revision), key=lambda r: r.revision, default=None
    )
    born = workload.metadata.creation_timestamp
    if previous is None and (row.revision <= 1 or (born is not None and at - born <= _WRITTEN)):
        return  # The creation of the workload reports it.
    before = _revision_images(previous) if previous is not None else {}
    back = at - meta.creation_timestamp > _WRITTEN
    what = f"{'rollback' if back else 'rollout'} of {owner.kind} {owner.name}"
    images = (before, _revision_images(row))
    yield _rollout(at, what, owner, workload, images, _WRITTEN, str(row.revision), store)


def _revision_images(row: ControllerRevision) -> dict[str, str]:
    spec = row.data.spec.template.spec
    return {c.name: c.image for c in (*spec.containers, *spec.init_containers)}


def _node(row: Node) -> Iterator[ChangeFact]:
    meta, info = row.metadata, row.status.node_info
    ref = Ref("Node", "", meta.name)
    if meta.creation_timestamp is not None:
        yield change_fact(
            meta.creation_timestamp,
            f"node {meta.name} joined (kubelet {info.kubelet_version or '?'})",
            ref,
            "node-joined",
            "",
            kubelet=info.kubelet_version,
            zone=label(meta, ZONE),
            pool=label(meta, POOL),
            version_differs=False,
        )
    if row.spec.unschedulable:
        taint = next(
            (
                t
                for t in row.spec.taints
                if t.key == "node.kubernetes.io/unschedulable" and t.time_added
            ),
            None,
        )
        write = last_write(meta, "f:spec", "f:unschedulable")
        at = (taint.time_added if taint else None) or (write.time if write else None)
        if at is not None:
            yield change_fact(
                at,
                f"node {meta.name} cordoned",
                ref,
                "node-cordoned",
                write.manager if write else "",
                unschedulable=True,
            )


_SERVER = ("kube-apiserver", "kube-controller-manager")
"""These managers' objects exist in every cluster (the Service `kubernetes`, default roles, the root
CA of each namespace) and are no change."""
_BOOTSTRAP = "kubernetes.io/bootstrapping"


def _data(kind: str, row: PartialObject) -> Iterator[ChangeFact]:
    meta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    if kind == "Secret" and (meta.labels.get("owner") == "helm" and "status" in meta.labels):
        if meta.creation_timestamp is not None:
            release, version, status = (
                meta.labels.get("name", ""),
                meta.labels.get("version", ""),
                meta.labels.get("status", ""),
            )
            yield change_fact(
                meta.creation_timestamp,
                f"Helm release {release} revision {version} ({status})",
                ref,
                "helm-release",
                "helm",
                release=release,
                version=version,
                status=status,
            )
        return
    keys = data_keys(meta)
    for write in writes(meta)[:2]:
        if write.time is None:
            continue
        fields = set(write.fields_v1)
        born = (
            meta.creation_timestamp is not None
            and write.time - meta.creation_timestamp <= _AT_BIRTH
        )
        if not born and fields and not fields & {*DATA_FIELDS, "f:type"}:
            continue  # Only labels or annotations.
        emptied = keys is not None and not keys and not born
        verb = "created" if born else "emptied" if emptied else "written"
        facts: dict[str, Fact] = {"keys": len(keys or ()), "lost": ()}
        if born and write.manager in _SERVER:
            continue
        if kind == "Secret":
            facts["emptied"] = emptied
        rule = "secret-written" if kind == "Secret" else "configmap-written"
        yield change_fact(
            write.time, f"{kind} {meta.name} {verb}", ref, rule, write.manager, **facts
        )


def _edited(kind: str, rule: str, row: Any, **facts: Fact) -> Iterator[ChangeFact]:
    meta: ObjectMeta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    created = meta.creation_timestamp
    written = writes(meta)
    by = creator(written, created) if created is not None else ""
    if created is not None and by not in _SERVER and _BOOTSTRAP not in meta.labels:
        yield change_fact(
            created, f"{kind} {meta.name} created", ref, rule, by, created=True, **facts
        )
    for write in written:
        if write.time is None or (created is not None and write.time - created <= _AT_BIRTH):
            continue
        if "f:spec" not in write.fields_v1 and kind in (
            "NetworkPolicy",
            "Ingress",
            "Service",
            "CronJob",
            "HorizontalPodAutoscaler",
        ):
            continue
        yield change_fact(
            write.time,
            f"{kind} {meta.name} edited",
            ref,
            rule,
            write.manager,
            created=False,
            **facts,
        )


_EDITED = {
    "NetworkPolicy": "policy-edited",
    "CustomResourceDefinition": "crd-edited",
    "ClusterRole": "rbac-edited",
    "ClusterRoleBinding": "rbac-edited",
    "Ingress": "ingress-edited",
    "HorizontalPodAutoscaler": "autoscaler-edited",
}


def object_changes(kind: str, row: Any, store: Store) -> Iterator[ChangeFact]:
    """The changes that an object shows."""
    if isinstance(row, (Deployment, DaemonSet, StatefulSet)):
        yield from _workload(kind, row, store)
    elif isinstance(row, ReplicaSet):
        yield from _replica_set(row, store)
    elif isinstance(row, ControllerRevision):
        yield from _revision(row, store)
    elif isinstance(row, Node):
        yield from _node(row)
    elif kind in ("Secret", "ConfigMap"):
        yield from _data(kind, row)
    elif isinstance(row, Service):
        yield from _edited(kind, "service-edited", row, type=row.spec.type)
    elif isinstance(row, CronJob):
        yield from _edited(kind, "cronjob-edited", row)
    elif isinstance(row, WebhookConfiguration):
        yield from _edited(kind, "webhook-edited", row, mutating=kind.startswith("Mutating"))
    elif kind in _EDITED:
        yield from _edited(kind, _EDITED[kind], row)

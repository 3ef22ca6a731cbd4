"""Changes of workloads: rollouts, revisions, scalings, and edits of what their containers run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from cluster.kube.managed_fields import subtree, writes
from cluster.kube.objects import (
    ControllerRevision,
    DaemonSet,
    Deployment,
    Ref,
    ReplicaSet,
    StatefulSet,
)
from cluster.kube.owners import controller_of
from cluster.live.store import Store
from triage.changes.change_fact import AT_BIRTH, change_fact, creator
from triage.facts import roles
from triage.facts.finding import ChangeFact

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


def workload_changes(
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
        if write.time is None or (created is not None and write.time - created <= AT_BIRTH):
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


def replica_set_changes(row: ReplicaSet, store: Store) -> Iterator[ChangeFact]:
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
            and created - deployment.metadata.creation_timestamp <= AT_BIRTH
        ):
            return  # The creation of the Deployment reports it.
        before: dict[str, str] = {}
    else:
        before = _images(previous)
    number = row.metadata.annotations.get("deployment.kubernetes.io/revision", "")
    images = (before, _images(row))
    yield _rollout(
        created, f"rollout of {owner.name}", owner, deployment, images, AT_BIRTH, number, store
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


def revision_changes(row: ControllerRevision, store: Store) -> Iterator[ChangeFact]:
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

"""What changed, from the API alone (reference 2.0.4): rollouts, joins, writes to Secrets and policies, scalings, releases.

Most is read from what objects carry: `creationTimestamp` of ReplicaSets and nodes, `managedFields` (who wrote which fields when; it
outlives events), Helm's release Secrets (labels only). What cannot be read later (a lost key, another boot id, a deletion) is caught
as it happens, from the old and the new row. Names only, never values.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from cluster.objects import (
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
from cluster.store import Change, Store
from triage import roles
from triage.events import EventMemory
from triage.finding import ChangeFact, Fact
from triage.owners import controller_of
from triage.view import POOL, ZONE, label

_AT_BIRTH = timedelta(seconds=30)
_ROLLING = timedelta(minutes=20)
TOGETHER = timedelta(minutes=5)
HELM = "helm.sh/release.v1"


def _fact(at: datetime, what: str, ref: Ref, rule: str, manager: str = "", **facts: Fact) -> ChangeFact:
    return ChangeFact(at, what, ref, rule, manager, MappingProxyType(facts))


def _writes(meta: ObjectMeta) -> list[ManagedFields]:
    """Writes to an object other than to its status, newest first."""
    found = [m for m in meta.managed_fields if m.time is not None and m.subresource != "status"]
    return sorted(found, key=lambda m: (m.time.timestamp() if m.time else 0.0, m.manager), reverse=True)


def _sub(tree: dict[str, Any], *path: str) -> dict[str, Any]:
    for step in path:
        value = tree.get(step)
        if not isinstance(value, dict):
            return {}
        tree = value
    return tree


def keys_of(meta: ObjectMeta) -> frozenset[str] | None:
    """Names of the data keys of a Secret or ConfigMap, told by its field managers; None when no manager is known."""
    if not meta.managed_fields:
        return None
    keys: set[str] = set()
    for managed in meta.managed_fields:
        for part in ("f:data", "f:stringData", "f:binaryData"):
            keys.update(k[2:] for k in _sub(managed.fields_v1, part) if k.startswith("f:"))
    return frozenset(keys)


def _env_written(fields: dict[str, Any]) -> tuple[str, ...]:
    """Names of the variables that a write to a workload touched."""
    names: set[str] = set()
    for key, container in _sub(fields, "f:spec", "f:template", "f:spec", "f:containers").items():
        if key.startswith("k:") and isinstance(container, dict):
            for env in _sub(container, "f:env"):
                name = env.partition('"name":"')[2].partition('"')[0]
                if name:
                    names.add(name)
    return tuple(sorted(names))


def _resources_written(fields: dict[str, Any]) -> bool:
    containers = _sub(fields, "f:spec", "f:template", "f:spec", "f:containers")
    return any(isinstance(c, dict) and bool(_sub(c, "f:resources")) for c in containers.values())


# ---- what objects carry


def _workload(kind: str, row: Deployment | DaemonSet | StatefulSet, store: Store) -> Iterator[ChangeFact]:
    meta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    created = meta.creation_timestamp
    role = roles.role(meta.namespace, row.spec.template.metadata.labels, row.spec.template.spec, kind, store)
    writes = _writes(meta)
    if created is not None:
        by = writes[-1].manager if writes else ""
        yield _fact(created, f"{kind} {meta.name} created", ref, "workload-created", by, owner_kind=kind, role=role)
    for write in writes:
        if write.time is None or (created is not None and write.time - created <= _AT_BIRTH):
            continue
        spec = _sub(write.fields_v1, "f:spec")
        if write.subresource == "scale" or set(spec) == {"f:replicas"}:
            if "f:replicas" in spec:
                to = getattr(row.spec, "replicas", None)
                yield _fact(
                    write.time, f"{kind} {meta.name} scaled" + (f" to {to}" if to is not None else ""), ref, "scaled", write.manager,
                    replicas_from=None, replicas_to=to, down=False, owner_kind=kind,
                )  # fmt: skip
            continue
        if not spec or write.manager in ("kube-controller-manager", "deployment-controller"):
            continue
        env, resources = _env_written(write.fields_v1), _resources_written(write.fields_v1)
        template = "f:template" in spec
        if kind != "Deployment" and template:
            images = ", ".join(c.image for c in row.spec.template.spec.containers)
            yield _fact(
                write.time, f"{kind} {meta.name}: template written ({images})", ref, "rollout", write.manager,
                image_from="", image_to=images, images=False, owner_kind=kind, role=role, revision="", env=env,
            )  # fmt: skip
        what = "template" if template else ", ".join(sorted(k[2:] for k in spec if k.startswith("f:")))
        yield _fact(
            write.time, f"{kind} {meta.name}: {what} written", ref, "workload-edited", write.manager,
            owner_kind=kind, env=env, resources=resources, role=role,
        )  # fmt: skip


def _images(row: ReplicaSet) -> dict[str, str]:
    return {c.name: c.image for c in row.spec.template.spec.containers}


def _replica_set(row: ReplicaSet, store: Store) -> Iterator[ChangeFact]:
    """A new ReplicaSet of a Deployment is a rollout; the one before it says what changed."""
    owner = controller_of(row.metadata)
    created = row.metadata.creation_timestamp
    if owner is None or owner.kind != "Deployment" or created is None:
        return
    deployment = store.get(*owner)
    siblings = []
    if deployment is not None:
        rows = store.owned_by(deployment.metadata.uid).values()
        siblings = [
            r for r in rows if isinstance(r, ReplicaSet) and r.metadata.creation_timestamp and r.metadata.creation_timestamp < created
        ]
    previous = max(siblings, key=lambda r: r.metadata.creation_timestamp or created, default=None)
    if previous is None:
        if (
            deployment is not None
            and deployment.metadata.creation_timestamp
            and created - deployment.metadata.creation_timestamp <= _AT_BIRTH
        ):
            return  # the Deployment's own creation says it
        before: dict[str, str] = {}
    else:
        before = _images(previous)
    after = _images(row)
    changed = {name: (before.get(name, ""), image) for name, image in after.items() if before.get(name) != image} if before else {}
    role, manager = "", ""
    env: tuple[str, ...] = ()
    if deployment is not None:
        template = deployment.spec.template
        role = roles.role(row.metadata.namespace, template.metadata.labels, template.spec, "Deployment", store)
        near = [
            w
            for w in _writes(deployment.metadata)
            if w.time and "f:template" in _sub(w.fields_v1, "f:spec") and abs(w.time - created) <= _AT_BIRTH
        ]
        manager = near[0].manager if near else ""
        env = _env_written(near[0].fields_v1) if near else ()
    text = "; ".join(f"{old or '-'} -> {new}" for old, new in changed.values()) or (
        "template changed" if before else ", ".join(after.values())
    )
    yield _fact(
        created, f"rollout of {owner.name}: {text}", owner, "rollout", manager,
        image_from=", ".join(o for o, _ in changed.values()), image_to=", ".join(n for _, n in changed.values()), images=bool(changed),
        owner_kind="Deployment", role=role, revision=row.metadata.annotations.get("deployment.kubernetes.io/revision", ""), env=env,
    )  # fmt: skip


def _node(row: Node) -> Iterator[ChangeFact]:
    meta, info = row.metadata, row.status.node_info
    ref = Ref("Node", "", meta.name)
    if meta.creation_timestamp is not None:
        yield _fact(
            meta.creation_timestamp, f"node {meta.name} joined (kubelet {info.kubelet_version or '?'})", ref, "node-joined", "",
            kubelet=info.kubelet_version, zone=label(meta, ZONE), pool=label(meta, POOL), version_differs=False,
        )  # fmt: skip
    if row.spec.unschedulable:
        taint = next((t for t in row.spec.taints if t.key == "node.kubernetes.io/unschedulable" and t.time_added), None)
        write = next((w for w in _writes(meta) if "f:unschedulable" in _sub(w.fields_v1, "f:spec")), None)
        at = (taint.time_added if taint else None) or (write.time if write else None)
        if at is not None:
            yield _fact(at, f"node {meta.name} cordoned", ref, "node-cordoned", write.manager if write else "", unschedulable=True)


def _data(kind: str, row: PartialObject) -> Iterator[ChangeFact]:
    meta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    if kind == "Secret" and (meta.labels.get("owner") == "helm" and "status" in meta.labels):
        if meta.creation_timestamp is not None:
            release, version, status = meta.labels.get("name", ""), meta.labels.get("version", ""), meta.labels.get("status", "")
            yield _fact(
                meta.creation_timestamp, f"Helm release {release} revision {version} ({status})", ref, "helm-release", "helm",
                release=release, version=version, status=status,
            )  # fmt: skip
        return
    keys = keys_of(meta)
    for write in _writes(meta)[:2]:
        if write.time is None:
            continue
        fields = set(write.fields_v1)
        born = meta.creation_timestamp is not None and write.time - meta.creation_timestamp <= _AT_BIRTH
        if not born and fields and not fields & {"f:data", "f:stringData", "f:binaryData", "f:type"}:
            continue  # labels or annotations only
        emptied = keys is not None and not keys and not born
        verb = "created" if born else "emptied" if emptied else "written"
        facts: dict[str, Fact] = {"keys": len(keys or ()), "lost": ()}
        if kind == "Secret":
            facts["emptied"] = emptied
        rule = "secret-written" if kind == "Secret" else "configmap-written"
        yield _fact(write.time, f"{kind} {meta.name} {verb}", ref, rule, write.manager, **facts)


def _edited(kind: str, rule: str, row: Any, **facts: Fact) -> Iterator[ChangeFact]:
    meta: ObjectMeta = row.metadata
    ref = Ref(kind, meta.namespace, meta.name)
    created = meta.creation_timestamp
    writes = _writes(meta)
    if created is not None:
        yield _fact(created, f"{kind} {meta.name} created", ref, rule, writes[-1].manager if writes else "", **facts)
    for write in writes:
        if write.time is None or (created is not None and write.time - created <= _AT_BIRTH):
            continue
        if "f:spec" not in write.fields_v1 and kind in ("NetworkPolicy", "Ingress", "Service", "CronJob", "HorizontalPodAutoscaler"):
            continue
        yield _fact(write.time, f"{kind} {meta.name} edited", ref, rule, write.manager, **facts)


_EDITED = {
    "NetworkPolicy": "policy-edited",
    "CustomResourceDefinition": "crd-edited",
    "ClusterRole": "rbac-edited",
    "ClusterRoleBinding": "rbac-edited",
    "Ingress": "ingress-edited",
    "HorizontalPodAutoscaler": "autoscaler-edited",
}


def carried(kind: str, row: Any, store: Store) -> Iterator[ChangeFact]:
    """The changes that an object as it stands tells of."""
    if isinstance(row, (Deployment, DaemonSet, StatefulSet)):
        yield from _workload(kind, row, store)
    elif isinstance(row, ReplicaSet):
        yield from _replica_set(row, store)
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


# ---- what is seen only as it happens


def edges(change: Change, at: datetime) -> Iterator[ChangeFact]:
    """The changes that one difference of the store tells of: keys lost, versions, boot ids, cordons, deletions."""
    old, new = change.old, change.new
    ref = change.ref
    if isinstance(old, Node) and isinstance(new, Node) and old.metadata.uid == new.metadata.uid:
        before, after = old.status.node_info, new.status.node_info
        for what in ("kubelet_version", "kernel_version", "os_image", "container_runtime_version"):
            was, is_ = getattr(before, what), getattr(after, what)
            if was and is_ and was != is_:
                name = what.replace("_", " ")
                yield _fact(at, f"{name} of {ref.name}: {was} -> {is_}", ref, "node-version", "", field=name, before=was, after=is_)
        if before.boot_id and after.boot_id and before.boot_id != after.boot_id:
            yield _fact(at, f"node {ref.name} came up with another boot id", ref, "node-rebooted", "", boot_id=after.boot_id)
        if old.spec.unschedulable and not new.spec.unschedulable:
            yield _fact(at, f"node {ref.name} uncordoned", ref, "node-cordoned", "", unschedulable=False)
    elif isinstance(old, Node) and new is None:
        yield _fact(at, f"node {ref.name} was removed", ref, "node-left")
    elif change.kind in ("Secret", "ConfigMap") and old is not None and new is not None:
        was_keys, is_keys = keys_of(old.metadata), keys_of(new.metadata)  # type: ignore[arg-type]  # metadata-only rows carry ObjectMeta
        lost = tuple(sorted((was_keys or frozenset()) - (is_keys or frozenset()))) if was_keys and is_keys is not None else ()
        if lost:
            writer = next(iter(_writes(new.metadata)), None)  # type: ignore[arg-type]  # as above
            rule = "secret-written" if change.kind == "Secret" else "configmap-written"
            facts: dict[str, Fact] = {"keys": len(is_keys or ()), "lost": lost}
            if change.kind == "Secret":
                facts["emptied"] = not is_keys
            yield _fact(
                (writer.time if writer else None) or at, f"{change.kind} {ref.name} lost {', '.join(lost[:4])}", ref, rule,
                writer.manager if writer else "", **facts,
            )  # fmt: skip
    elif new is None and old is not None:
        if change.kind == "Secret":
            yield _fact(at, f"Secret {ref.name} was deleted", ref, "secret-deleted")
        elif change.kind == "NetworkPolicy":
            yield _fact(at, f"NetworkPolicy {ref.name} was deleted", ref, "policy-edited")
        elif change.kind in ("Deployment", "DaemonSet", "StatefulSet"):
            yield _fact(at, f"{change.kind} {ref.name} was deleted", ref, "workload-deleted", "", owner_kind=change.kind)
    elif (
        isinstance(old, (Deployment, StatefulSet)) and isinstance(new, (Deployment, StatefulSet)) and old.spec.replicas != new.spec.replicas
    ):
        was, now = old.spec.replicas, new.spec.replicas
        yield _fact(
            at, f"{change.kind} {ref.name} scaled from {was} to {now}", ref, "scaled", "",
            replicas_from=was, replicas_to=now, down=now < was, owner_kind=change.kind,
        )  # fmt: skip


class ChangeIndex:
    """Changes by object, kept up to date per change of the store; only those within `keep` are held."""

    def __init__(self, keep: timedelta = timedelta(days=15)) -> None:
        self._keep = keep
        self._carried: dict[Ref, tuple[ChangeFact, ...]] = {}
        self._edges: deque[ChangeFact] = deque(maxlen=2_000)
        self._loaded: set[str] = set()

    def apply(self, change: Change, store: Store, now: datetime) -> None:
        """Take one change of the store."""
        if change.old is not None:
            self._edges.extend(edges(change, now))
        if change.new is None:
            self._carried.pop(change.ref, None)
            return
        horizon = now - self._keep
        found = tuple(f for f in carried(change.kind, change.new, store) if f.at >= horizon)
        if found:
            self._carried[change.ref] = found
        else:
            self._carried.pop(change.ref, None)

    def all(self, now: datetime, window: timedelta, events: EventMemory) -> list[ChangeFact]:
        """All changes within `window` before `now` (and up to a minute after it, for clocks that differ), newest first.

        Joined with ScalingReplicaSet events that say from how many to how many, and with groups of Secrets written together.
        """
        horizon, end = now - window, now + timedelta(minutes=1)
        found: dict[tuple[str, Ref, datetime], ChangeFact] = {}
        for fact in (*(f for group in self._carried.values() for f in group), *self._edges, *_scalings(events)):
            if horizon <= fact.at <= end:
                found[fact.rule, fact.object, fact.at] = fact
        rollouts = {(f.object, f.at) for f in found.values() if f.rule == "rollout"}
        facts = [
            f
            for f in found.values()
            if not (
                f.rule == "scaled"
                and f.manager.endswith("-controller")
                and any(o == f.object and abs(f.at - at) <= _ROLLING for o, at in rollouts)
            )
        ]
        facts.extend(written_together(facts))
        return sorted(facts, key=lambda f: (-f.at.timestamp(), f.rule, f.object))


def _scalings(events: EventMemory) -> Iterator[ChangeFact]:
    """`Scaled down replica set X to 1 from 4` without a rollout beside it: someone scaled the Deployment."""
    groups: dict[Ref, list[Any]] = {}
    for event in events.reasons("ScalingReplicaSet"):
        groups.setdefault(event.about, []).append(event)
    for ref, group in groups.items():
        sets = {_set_name(e.message) for e in group}
        for event in group:
            words = event.message.split()
            if "to" not in words or len(sets) > 1:
                continue  # several ReplicaSets: a rollout, told by its ReplicaSet
            to = _number(words, "to")
            before = _number(words, "from")
            if before is None or before == 0:
                continue
            down = "down" in event.message
            yield _fact(
                event.last, f"Deployment {ref.name} scaled from {before} to {to}", ref, "scaled", event.component,
                replicas_from=before, replicas_to=to, down=down, owner_kind="Deployment",
            )  # fmt: skip


def _set_name(message: str) -> str:
    return message.partition("replica set ")[2].partition(" ")[0]


def _number(words: list[str], after: str) -> int | None:
    try:
        return int(words[words.index(after) + 1])
    except (ValueError, IndexError):
        return None


def written_together(facts: Iterable[ChangeFact], least: int = 3) -> Iterator[ChangeFact]:
    """Groups of at least three Secrets that one manager wrote (not created) within five minutes."""
    by_manager: dict[str, list[ChangeFact]] = {}
    for fact in facts:
        if fact.rule == "secret-written" and fact.manager and not fact.what.endswith("created"):
            by_manager.setdefault(fact.manager, []).append(fact)
    for manager, group in sorted(by_manager.items()):
        group.sort(key=lambda f: f.at)
        start = 0
        while start < len(group):
            end = start
            while end + 1 < len(group) and group[end + 1].at - group[start].at <= TOGETHER:
                end += 1
            batch = group[start : end + 1]
            refs = {f.object for f in batch}
            if len(refs) >= least:
                namespaces = {r.namespace for r in refs}
                emptied = len({f.object for f in batch if f.facts.get("emptied")})
                text = f"{len(refs)} Secrets in {len(namespaces)} namespace{'s' if len(namespaces) > 1 else ''} written by {manager}"
                yield _fact(
                    batch[0].at, text + (f", {emptied} left without keys" if emptied else ""), batch[0].object, "secrets-written-together",
                    manager, secrets=len(refs), namespaces=len(namespaces), emptied=emptied,
                )  # fmt: skip
            start = end + 1


Relation = Callable[[ChangeFact], int]
"""How closely a change is related to a symptom: 0 is the object itself, larger is further, negative is unrelated."""


def rank(facts: Iterable[ChangeFact], since: datetime | None, relation: Relation, limit: int = 8) -> tuple[ChangeFact, ...]:
    """The changes that may have led to a symptom: related ones first, then by closeness in time before (or just around) its beginning.

    Changes that came later than five minutes after the beginning are reactions, not causes: they are left out.
    """
    scored: list[tuple[float, ChangeFact]] = []
    for fact in facts:
        relatedness = relation(fact)
        if relatedness < 0:
            continue
        lead = (since - fact.at).total_seconds() if since is not None else 0.0
        if lead < -300 or (lead > 86_400 and relatedness > 0):
            continue
        # every step of relation weighs as much as fifty times more distance in time
        scored.append((relatedness * 4 + abs(_log(abs(lead))), fact))
    scored.sort(key=lambda item: (item[0], item[1].rule, item[1].object))
    chosen: list[ChangeFact] = []
    alike: Counter[tuple[str, str]] = Counter()
    together = {f.manager for _, f in scored if f.rule == "secrets-written-together"}
    for _, fact in scored:
        if fact.rule == "secret-written" and fact.manager in together:
            continue  # the group says it
        if alike[fact.rule, fact.manager] < _ALIKE:
            alike[fact.rule, fact.manager] += 1
            chosen.append(fact)
    return tuple(chosen[:limit])


_ALIKE = 3
"""Changes of one rule by one manager that are listed with a symptom."""


def _log(seconds: float) -> float:
    return math.log(max(seconds, 30.0))

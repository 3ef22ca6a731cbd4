"""What changed, from the API alone (reference 2.0.4): rollouts, joins, writes to Secrets and
policies, scalings, releases.

Most is read from what objects carry: `creationTimestamp` of ReplicaSets and nodes, `managedFields`
(who wrote which fields when; it outlives events), Helm's release Secrets (labels only). What cannot
be read later (a lost key, another boot id, a deletion) is caught as it happens, from the old and
the new row. Names only, never values.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from cluster.kube.managed_fields import data_keys, last_write
from cluster.kube.objects import (
    ControllerRevision,
    Deployment,
    Node,
    PartialObject,
    Ref,
    StatefulSet,
)
from cluster.live.store import Store, StoreUpdate
from triage.changes.change_fact import change_fact
from triage.changes.from_objects import object_changes
from triage.changes.workload_changes import revised
from triage.facts.events import EventMemory
from triage.facts.finding import ChangeFact, Fact

_ROLLING = timedelta(minutes=20)
TOGETHER = timedelta(minutes=5)


def observed_changes(change: StoreUpdate, at: datetime) -> Iterator[ChangeFact]:
    """The changes in one update of the store: lost keys, versions, boot ids, cordons, deletions."""
    old, new = change.old, change.new
    ref = change.ref
    if isinstance(old, Node) and isinstance(new, Node) and old.metadata.uid == new.metadata.uid:
        before, after = old.status.node_info, new.status.node_info
        for what in ("kubelet_version", "kernel_version", "os_image", "container_runtime_version"):
            was, is_ = getattr(before, what), getattr(after, what)
            if was and is_ and was != is_:
                name = what.replace("_", " ")
                yield change_fact(
                    at,
                    f"{name} of {ref.name}: {was} -> {is_}",
                    ref,
                    "node-version",
                    "",
                    field=name,
                    before=was,
                    after=is_,
                )
        if before.boot_id and after.boot_id and before.boot_id != after.boot_id:
            yield change_fact(
                at,
                f"node {ref.name} came up with another boot id",
                ref,
                "node-rebooted",
                "",
                boot_id=after.boot_id,
            )
        if old.spec.unschedulable and not new.spec.unschedulable:
            yield change_fact(
                at, f"node {ref.name} uncordoned", ref, "node-cordoned", "", unschedulable=False
            )
    elif isinstance(old, Node) and new is None:
        yield change_fact(at, f"node {ref.name} was removed", ref, "node-left")
    elif (
        change.kind in ("Secret", "ConfigMap")
        and isinstance(old, PartialObject)
        and isinstance(new, PartialObject)
    ):
        was_keys, is_keys = data_keys(old.metadata), data_keys(new.metadata)
        lost = (
            tuple(sorted((was_keys or frozenset()) - (is_keys or frozenset())))
            if was_keys and is_keys is not None
            else ()
        )
        if lost:
            writer = last_write(new.metadata)
            rule = "secret-written" if change.kind == "Secret" else "configmap-written"
            facts: dict[str, Fact] = {"keys": len(is_keys or ()), "lost": lost}
            if change.kind == "Secret":
                facts["emptied"] = not is_keys
            yield change_fact(
                (writer.time if writer else None) or at,
                f"{change.kind} {ref.name} lost {', '.join(lost[:4])}",
                ref,
                rule,
                writer.manager if writer else "",
                **facts,
            )
    elif new is None and old is not None:
        if change.kind == "Secret":
            yield change_fact(at, f"Secret {ref.name} was deleted", ref, "secret-deleted")
        elif change.kind == "NetworkPolicy":
            yield change_fact(
                at, f"NetworkPolicy {ref.name} was deleted", ref, "policy-edited", created=False
            )
        elif change.kind in ("Deployment", "DaemonSet", "StatefulSet"):
            yield change_fact(
                at,
                f"{change.kind} {ref.name} was deleted",
                ref,
                "workload-deleted",
                "",
                owner_kind=change.kind,
            )
    elif (
        isinstance(old, (Deployment, StatefulSet))
        and isinstance(new, (Deployment, StatefulSet))
        and old.spec.replicas != new.spec.replicas
    ):
        was, now = old.spec.replicas, new.spec.replicas
        yield change_fact(
            at,
            f"{change.kind} {ref.name} scaled from {was} to {now}",
            ref,
            "scaled",
            "",
            replicas_from=was,
            replicas_to=now,
            down=now < was,
            owner_kind=change.kind,
        )


class ChangeIndex:
    """Changes by object, kept up to date per change of the store; only those within `keep` are
    held."""

    def __init__(self, keep: timedelta = timedelta(days=15)) -> None:
        self._keep = keep
        self._by_object: dict[Ref, tuple[ChangeFact, ...]] = {}
        self._observed: deque[ChangeFact] = deque(maxlen=2_000)
        self._loaded: set[str] = set()

    def apply(self, change: StoreUpdate, store: Store, now: datetime) -> None:
        """Take one change of the store."""
        if change.old is not None:
            self._observed.extend(observed_changes(change, now))
        if change.new is None:
            self._by_object.pop(change.ref, None)
            return
        horizon = now - self._keep
        if (
            isinstance(change.new, ControllerRevision)
            and (at := revised(change.new)) is not None
            and at < horizon
        ):
            return  # history: most revisions are, and their siblings need not be searched
        found = tuple(f for f in object_changes(change.kind, change.new, store) if f.at >= horizon)
        if found:
            self._by_object[change.ref] = found
        else:
            self._by_object.pop(change.ref, None)

    def all(self, now: datetime, window: timedelta, events: EventMemory) -> list[ChangeFact]:
        """All changes within `window` before `now` (and up to a minute after it, for clocks that
        differ), newest first, joined with the counts of ScalingReplicaSet events and with groups of
        Secrets written together."""
        horizon, end = now - window, now + timedelta(minutes=1)
        found: dict[tuple[str, Ref, datetime], ChangeFact] = {}
        for fact in (
            *(f for group in self._by_object.values() for f in group),
            *self._observed,
            *_scalings(events),
        ):
            key = (fact.rule, fact.object, fact.at)
            if horizon <= fact.at <= end and not (
                key in found and found[key].facts.get("revision")
            ):
                found[key] = fact
        for beside in list(_written_beside_a_revision(found)):
            del found[beside]
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


_Found = dict[tuple[str, Ref, datetime], ChangeFact]


def _written_beside_a_revision(found: _Found) -> Iterator[tuple[str, Ref, datetime]]:
    """Template writes of DaemonSets and StatefulSets at the time of a revision: the revision
    reports the same, with the images."""
    noted: dict[Ref, list[datetime]] = {}
    for fact in found.values():
        if fact.rule == "rollout" and fact.facts.get("revision"):
            noted.setdefault(fact.object, []).append(fact.at)
    for key, fact in found.items():
        beside = any(abs(at - fact.at) <= TOGETHER for at in noted.get(fact.object, ()))
        if fact.rule == "rollout" and not fact.facts.get("revision") and beside:
            yield key


def _scalings(events: EventMemory) -> Iterator[ChangeFact]:
    """`Scaled down replica set X to 1 from 4` without a rollout at that time: a person or a tool
    scaled the Deployment."""
    groups: dict[Ref, list[Any]] = {}
    for event in events.reasons("ScalingReplicaSet"):
        groups.setdefault(event.about, []).append(event)
    for ref, group in groups.items():
        sets = {_set_name(e.message) for e in group}
        for event in group:
            words = event.message.split()
            if "to" not in words or len(sets) > 1:
                continue  # Several ReplicaSets mean a rollout, which its ReplicaSet reports.
            to = _number(words, "to")
            before = _number(words, "from")
            if before is None or before == 0:
                continue
            down = "down" in event.message
            yield change_fact(
                event.last,
                f"Deployment {ref.name} scaled from {before} to {to}",
                ref,
                "scaled",
                event.component,
                replicas_from=before,
                replicas_to=to,
                down=down,
                owner_kind="Deployment",
            )


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
                text = (
                    f"{len(refs)} Secrets in {len(namespaces)} "
                    f"namespace{'s' if len(namespaces) > 1 else ''} written by {manager}"
                )
                yield change_fact(
                    batch[0].at,
                    text + (f", {emptied} left without keys" if emptied else ""),
                    batch[0].object,
                    "secrets-written-together",
                    manager,
                    secrets=len(refs),
                    namespaces=len(namespaces),
                    emptied=emptied,
                )
            start = end + 1


Relation = Callable[[ChangeFact], int]
"""How closely a change is related to a symptom: 0 is the object itself, larger is further, negative
is unrelated."""


def rank(
    facts: Iterable[ChangeFact], since: datetime | None, relation: Relation, limit: int = 8
) -> tuple[ChangeFact, ...]:
    """The changes that may have led to a symptom: related ones first, then by distance in time
    before (or just around) its beginning. Leaves out changes later than five minutes after the
    beginning: they are reactions, not causes."""
    scored: list[tuple[float, ChangeFact]] = []
    for fact in facts:
        relatedness = relation(fact)
        if relatedness < 0:
            continue
        lead = since - fact.at if since is not None else timedelta()
        if lead < -REACTION or (lead > LEAD and relatedness > 0):
            continue
        # One step of relation weighs as much as a fiftyfold distance in time.
        scored.append((relatedness * 4 + abs(_log(abs(lead.total_seconds()))), fact))
    scored.sort(key=lambda item: (item[0], item[1].rule, item[1].object))
    chosen: list[ChangeFact] = []
    alike: Counter[tuple[str, str]] = Counter()
    together = {f.manager for _, f in scored if f.rule == "secrets-written-together"}
    for _, fact in scored:
        if fact.rule == "secret-written" and fact.manager in together:
            continue  # The group reports it.
        if alike[fact.rule, fact.manager] < ALIKE:
            alike[fact.rule, fact.manager] += 1
            chosen.append(fact)
    return tuple(chosen[:limit])


ALIKE = 3
"""Changes of one rule by one manager that are listed with a symptom."""
REACTION = timedelta(minutes=5)
"""After a beginning: what was changed later reacts to it."""
LEAD = timedelta(days=1)
"""Before a beginning: what was changed earlier led to it only where it concerns the object."""


def _log(seconds: float) -> float:
    return math.log(max(seconds, 30.0))

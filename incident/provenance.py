"""The provenance of an entry: uid and resourceVersion of its objects, and the Audit-Ids of the
responses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.kube.objects import Ref
from timeline.entry import ABOUT, Entry, NewEntry, ObjectRef

if TYPE_CHECKING:
    from cluster.live.live_cluster import LiveCluster

NAMED = 20
"""Most objects with uid and resourceVersion in one entry."""
AUDIT_IDS = 4
"""Most Audit-Ids in one entry: a list in pages has one for each page and each kind."""
WATCHED = frozenset({"observation", "match", "note", "milestone", "probe-result", "step-result"})
"""Kinds of entries that may come from lists and watches. Actions have the Audit-Ids of their own
requests."""


class Provenance:
    """Completes drafts from the live state. Keeps what was known of a deleted object."""

    def __init__(self, live: LiveCluster) -> None:
        self._live = live
        self._known: dict[tuple[str, str, str], ObjectRef] = {}

    def learn(self, entries: Iterable[Entry]) -> None:
        """Remember the objects in a record: they may be gone from the cluster."""
        for entry in entries:
            for each in (*named_in(entry), *((entry.object,) if entry.object else ())):
                if each.uid:
                    self._known[_key(each)] = each

    def complete(self, draft: NewEntry) -> NewEntry:
        """The draft with the uid and resourceVersion of its objects. A draft without an Audit-Id of
        its own gets those of the lists and watches of these objects."""
        about = tuple(self._identified(each) for each in draft.about[:NAMED])
        own = self._identified(draft.object) if draft.object is not None else None
        if own is None and len(draft.about) == 1:
            own = about[0]
        audit_id = draft.audit_id
        watched = draft.kind in WATCHED and draft.time_source != "human"
        if not audit_id and watched and (about or own is not None):
            kinds = dict.fromkeys(each.kind for each in (*about, *([own] if own else [])))
            ids = dict.fromkeys(self._live.audit_id(kind) for kind in kinds)
            audit_id = audit_ids([each for each in ids if each])
        return msgspec.structs.replace(draft, about=about, object=own, audit_id=audit_id)

    def _identified(self, ref: ObjectRef) -> ObjectRef:
        if ref.uid and ref.resource_version:
            self._known[_key(ref)] = ref
            return ref
        found = self._live.store.get(ref.kind, ref.namespace, ref.name)
        if found is None or (ref.uid and ref.uid != found.metadata.uid):
            known = self._known.get(_key(ref))
            return known if known is not None and ref.uid in ("", known.uid) else ref
        meta = found.metadata
        full = msgspec.structs.replace(ref, uid=meta.uid, resource_version=meta.resource_version)
        self._known[_key(ref)] = full
        return full


def audit_ids(trail: Iterable[str]) -> str:
    """The last Audit-Ids of a trail."""
    return " ".join(list(trail)[-AUDIT_IDS:])


def object_refs(refs: Iterable[Ref]) -> tuple[ObjectRef, ...]:
    """Each object once, at most `NAMED`, without those that have no name (the cluster itself)."""
    named = [ref for ref in dict.fromkeys(refs) if ref.name][:NAMED]
    return tuple(ObjectRef(kind=r.kind, namespace=r.namespace, name=r.name) for r in named)


def read_refs(read: Iterable[Mapping[str, Any]]) -> tuple[ObjectRef, ...]:
    """The objects of a result, each once, at most `NAMED`: those that were read, in their state
    then, and those that quoted findings, logs and metrics name."""
    return tuple(dict.fromkeys(filter(None, map(_ref_of, read))))[:NAMED]


def _ref_of(read: Mapping[str, Any]) -> ObjectRef | None:
    meta, labels = read.get("metadata"), read.get("labels")
    if isinstance(meta, Mapping) and meta.get("name"):
        return ObjectRef(
            kind=str(read.get("kind", "")),
            namespace=str(meta.get("namespace") or ""),
            name=str(meta["name"]),
            uid=str(meta.get("uid") or ""),
            resource_version=str(meta.get("resourceVersion") or meta.get("resource_version") or ""),
        )
    if isinstance(read.get("object"), str):  # A quoted finding: "Pod shop/web-1".
        kind, _, where = read["object"].partition(" ")
        namespace, _, name = where.rpartition("/")
        return ObjectRef(kind=kind, namespace=namespace, name=name) if name else None
    place = labels if isinstance(labels, Mapping) else read
    if place.get("pod") and place.get("namespace"):
        return ObjectRef(kind="Pod", namespace=str(place["namespace"]), name=str(place["pod"]))
    return ObjectRef(kind="Node", name=str(place["node"])) if place.get("node") else None


def named_in(entry: Entry) -> list[ObjectRef]:
    """The objects of an entry besides `Entry.object`."""
    about = entry.data.get(ABOUT, ())
    try:
        return msgspec.convert(about, list[ObjectRef])
    except msgspec.ValidationError:  # A record that others wrote.
        return []


def _key(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.kind, ref.namespace, ref.name

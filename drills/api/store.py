"""The objects of the embedded cluster, with resource versions, history for watches and consistent
pages.

Objects in the store never change in place: each write puts a new dictionary, so readers may keep
theirs. Safe to call from any thread. Watchers are notified through the callback that they
registered.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from drills.api.kinds import KINDS, ApiResource, KindTable
from drills.api.objects import Obj
from drills.api.problems import expired, not_found, too_old

Key = tuple[str, str]
"""Namespace ("" when cluster-scoped), name."""
GroupResource = tuple[str, str]
"""API group, plural."""
_SNAPSHOTS = 64
"""Most paged lists that can be continued at a time."""
_ENCODER = msgspec.json.Encoder()
_TOO_OLD_TO_CONTINUE = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


@dataclass(slots=True)
class StoredObject:
    """One version of one object. `raw` is its JSON, made once."""

    obj: Obj
    rv: int
    _raw: bytes | None = None

    @property
    def raw(self) -> bytes:
        if self._raw is None:
            self._raw = _ENCODER.encode(self.obj)
        return self._raw

    @property
    def item(self) -> bytes:
        """JSON without apiVersion and kind, the form of an item in a list of a built-in kind."""
        version, kind = self.obj["apiVersion"].encode(), self.obj["kind"].encode()
        head = b'{"apiVersion":"%s","kind":"%s",' % (version, kind)
        return b"{" + self.raw[len(head) :] if self.raw.startswith(head) else self.raw


@dataclass(frozen=True, slots=True)
class Update:
    """A step of history: `before` is None for ADDED, `after` is the last state for DELETED."""

    rv: int
    type: str
    table: GroupResource
    key: Key
    before: StoredObject | None
    after: StoredObject


class ObjectStore:
    """`history` bounds how many updates a late watch can ask for; older ones give 410."""

    def __init__(self, kinds: KindTable, first_version: int = 1000, history: int = 20_000) -> None:
        self.kinds = kinds
        self._lock = threading.RLock()
        self._rv = self._compacted = first_version
        self._objects: dict[GroupResource, dict[Key, StoredObject]] = {}
        self._sorted: dict[GroupResource, list[Key]] = {}
        self._frozen: dict[GroupResource, tuple[int, list[tuple[Key, StoredObject]]]] = {}
        self._changed_at: dict[GroupResource, int] = {}
        self._snapshots: OrderedDict[tuple[GroupResource, int], list[tuple[Key, StoredObject]]] = (
            OrderedDict()
        )
        self._history: deque[Update] = deque()
        self._history_limit = history
        self._watchers: dict[int, tuple[GroupResource, Callable[[Update], None]]] = {}
        self._next_watcher = 0

    @property
    def version(self) -> int:
        return self._rv

    @property
    def compacted(self) -> int:
        """The newest resource version of the compacted history: a watch must start after it."""
        return self._compacted

    def transaction(self) -> threading.RLock:
        """Hold this lock around read-modify-write."""
        return self._lock

    @staticmethod
    def is_custom(kind: ApiResource) -> bool:
        """True for kinds of a CustomResourceDefinition."""
        return kind not in KINDS

    @staticmethod
    def _table(kind: ApiResource) -> GroupResource:
        # events.k8s.io shows the objects of the core group.
        return ("", "events") if kind.plural == "events" else (kind.group, kind.plural)

    # --- reading

    def get(self, kind: ApiResource, namespace: str, name: str) -> StoredObject:
        """Raises ApiProblem (404)."""
        entry = self.find(kind, namespace, name)
        if entry is None:
            raise not_found(kind, name)
        return entry

    def find(self, kind: ApiResource, namespace: str, name: str) -> StoredObject | None:
        return self._objects.get(self._table(kind), {}).get((namespace, name))

    def count(self, kind: ApiResource) -> int:
        return len(self._objects.get(self._table(kind), {}))

    def entries(self, kind: ApiResource, namespace: str = "") -> list[StoredObject]:
        """The present state in key order."""
        return [e for k, e in self.frozen(kind)[1] if not namespace or k[0] == namespace]

    def lookup(self, kind: str, namespace: str, name: str) -> Obj | None:
        """An object by the name of its kind. Raises KeyError for an unknown kind."""
        entry = self.find(self.kinds.named(kind), namespace, name)
        return entry.obj if entry else None

    def of(self, kind: str, namespace: str = "") -> list[Obj]:
        """The objects of a kind by its name. Raises KeyError for an unknown kind."""
        return [e.obj for e in self.entries(self.kinds.named(kind), namespace)]

    def frozen(self, kind: ApiResource) -> tuple[int, list[tuple[Key, StoredObject]]]:
        """(resource version, entries in key order) that later writes do not touch."""
        table = self._table(kind)
        with self._lock:
            changed = self._changed_at.get(table, 0)
            have = self._frozen.get(table)
            if have is None or have[0] != changed:
                objects = self._objects.get(table, {})
                have = (changed, [(k, objects[k]) for k in self._sorted.get(table, [])])
                self._frozen[table] = have
            return self._rv, have[1]

    def keep_snapshot(
        self, kind: ApiResource, rv: int, items: list[tuple[Key, StoredObject]]
    ) -> None:
        """Remember what a paged list started from; the oldest is dropped."""
        with self._lock:
            self._snapshots[(self._table(kind), rv)] = items
            while len(self._snapshots) > _SNAPSHOTS:
                self._snapshots.popitem(last=False)

    def page(self, kind: ApiResource, rv: int) -> list[tuple[Key, StoredObject]]:
        """The entries that a continue token of version `rv` walks through. Raises ApiProblem
        (410)."""
        with self._lock:
            items = self._snapshots.get((self._table(kind), rv))
        if items is None:
            raise expired(_TOO_OLD_TO_CONTINUE)
        return items

    # --- writing

    def _place(self, kind: ApiResource, obj: Obj) -> tuple[Key, StoredObject]:
        """The next version of an object: kind and apiVersion first, as `StoredObject.item` needs
        them."""
        self._rv += 1
        obj = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **obj}
        meta = obj["metadata"]
        meta["resourceVersion"] = str(self._rv)
        namespace = meta.get("namespace", "") if kind.namespaced else ""
        return (namespace, meta["name"]), StoredObject(obj, self._rv)

    def put(self, kind: ApiResource, obj: Obj) -> StoredObject:
        """Create or replace. The store owns the object from here on and sets its
        resourceVersion."""
        table = self._table(kind)
        with self._lock:
            key, entry = self._place(kind, obj)
            objects = self._objects.setdefault(table, {})
            before = objects.get(key)
            objects[key] = entry
            if before is None:
                bisect.insort(self._sorted.setdefault(table, []), key)
            word = "ADDED" if before is None else "MODIFIED"
            self._record(Update(self._rv, word, table, key, before, entry))
            return entry

    def save(self, obj: Obj) -> Obj:
        """`put` for an object of a kind that is served. Raises KeyError for another."""
        return self.put(self._kind_of(obj), obj).obj

    def _kind_of(self, obj: Obj) -> ApiResource:
        kind = self.kinds.by_object(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise KeyError(f"no kind {obj['apiVersion']} {obj['kind']} in the table")
        return kind

    def load(self, objects: Iterable[Obj]) -> None:
        """Put many objects at the start: no history is kept for them. Raises KeyError for an
        unknown kind."""
        with self._lock:
            touched: set[GroupResource] = set()
            for obj in objects:
                kind = self._kind_of(obj)
                key, entry = self._place(kind, obj)
                table = self._table(kind)
                self._objects.setdefault(table, {})[key] = entry
                touched.add(table)
            for table in touched:
                self._sorted[table] = sorted(self._objects[table])
                self._changed_at[table] = self._rv

    def remove(self, kind: ApiResource, namespace: str, name: str) -> StoredObject:
        """Raises ApiProblem (404). The DELETED update carries a new resource version, as etcd gives
        it."""
        table, key = self._table(kind), (namespace, name)
        with self._lock:
            entry = self.get(kind, namespace, name)
            del self._objects[table][key]
            keys = self._sorted[table]
            keys.pop(bisect.bisect_left(keys, key))
            _, last = self._place(kind, {**entry.obj, "metadata": dict(entry.obj["metadata"])})
            self._record(Update(self._rv, "DELETED", table, key, entry, last))
            return last

    def _record(self, update: Update) -> None:
        self._changed_at[update.table] = update.rv
        self._history.append(update)
        while len(self._history) > self._history_limit:
            self._compacted = self._history.popleft().rv
        for table, tell in list(self._watchers.values()):
            if table == update.table:
                tell(update)

    def compact(self) -> int:
        """Forget every past update and snapshot; older reads give 410. Returns the version."""
        with self._lock:
            self._history.clear()
            self._snapshots.clear()
            self._compacted = self._rv
            return self._compacted

    def subscribe(
        self, kind: ApiResource, since: int, tell: Callable[[Update], None]
    ) -> tuple[int, list[Update]]:
        """(handle, updates after `since`); later updates go to `tell`, in order, under the lock.
        Raises ApiProblem (410) when `since` is older than the history."""
        table = self._table(kind)
        with self._lock:
            if since < self._compacted:
                raise too_old(since, self._compacted)
            missed = [u for u in self._history if u.rv > since and u.table == table]
            self._next_watcher += 1
            self._watchers[self._next_watcher] = (table, tell)
            return self._next_watcher, missed

    def unsubscribe(self, handle: int) -> None:
        with self._lock:
            self._watchers.pop(handle, None)

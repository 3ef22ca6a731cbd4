"""The objects of the embedded cluster, with resource versions, history for watches and consistent
pages.

Objects inside the store are never changed in place: each write puts a new dictionary. Readers may
keep what they got. Safe to call from any thread; watchers are told through the callback that they
registered.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from drills.api.kinds import KINDS, Kind, KindTable
from drills.api.objects import Obj
from drills.api.problems import expired, not_found, too_old

Key = tuple[str, str]  # namespace ("" when cluster-scoped), name

_ENCODER = msgspec.json.Encoder()


@dataclass(slots=True)
class Entry:
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
        head = b'{"apiVersion":"%s","kind":"%s",' % (
            self.obj["apiVersion"].encode(),
            self.obj["kind"].encode(),
        )
        return b"{" + self.raw[len(head) :] if self.raw.startswith(head) else self.raw


def _type_first(obj: Obj) -> Obj:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        **{k: v for k, v in obj.items() if k not in {"apiVersion", "kind"}},
    }


@dataclass(frozen=True, slots=True)
class Change:
    """A step of history: `before` is None for ADDED, `after` is the last state for DELETED."""

    rv: int
    type: str
    plural: str
    group: str
    key: Key
    before: Entry | None
    after: Entry


class Store:
    """`history` bounds how many changes a late watch can ask for; older ones give 410."""

    def __init__(self, kinds: KindTable, first_version: int = 1000, history: int = 20_000) -> None:
        self.kinds = kinds
        self._lock = threading.RLock()
        self._rv = first_version
        self._compacted = first_version
        self._objects: dict[tuple[str, str], dict[Key, Entry]] = {}
        self._sorted: dict[tuple[str, str], list[Key]] = {}
        self._frozen: dict[tuple[str, str], tuple[int, list[tuple[Key, Entry]]]] = {}
        self._changed_at: dict[tuple[str, str], int] = {}
        self._snapshots: OrderedDict[tuple[tuple[str, str], int], list[tuple[Key, Entry]]] = (
            OrderedDict()
        )
        self._history: deque[Change] = deque()
        self._history_limit = history
        self._watchers: dict[int, Callable[[Change], None]] = {}
        self._next_watcher = 0

    @property
    def version(self) -> int:
        return self._rv

    @staticmethod
    def is_custom(kind: Kind) -> bool:
        """True for kinds that a CustomResourceDefinition brought."""
        return kind not in KINDS

    @property
    def compacted(self) -> int:
        """The newest resource version whose following changes are no longer known."""
        return self._compacted

    @staticmethod
    def table(kind: Kind) -> tuple[str, str]:
        # events.k8s.io shows the same objects as the core group does
        return ("", "events") if kind.plural == "events" else (kind.group, kind.plural)

    def get(self, kind: Kind, namespace: str, name: str) -> Entry:
        """Raises ApiProblem (404)."""
        entry = self.find(kind, namespace, name)
        if entry is None:
            raise not_found(kind, name)
        return entry

    def find(self, kind: Kind, namespace: str, name: str) -> Entry | None:
        return self._objects.get(self.table(kind), {}).get((namespace, name))

    def count(self, kind: Kind) -> int:
        return len(self._objects.get(self.table(kind), {}))

    def entries(self, kind: Kind, namespace: str = "") -> list[Entry]:
        """The present state in key order."""
        return [e for k, e in self.frozen(kind)[1] if not namespace or k[0] == namespace]

    def frozen(self, kind: Kind) -> tuple[int, list[tuple[Key, Entry]]]:
        """(resource version, entries in key order) that later writes do not touch."""
        table = self.table(kind)
        with self._lock:
            changed = self._changed_at.get(table, 0)
            have = self._frozen.get(table)
            if have is None or have[0] != changed:
                objects = self._objects.get(table, {})
                have = (changed, [(k, objects[k]) for k in self._sorted.get(table, [])])
                self._frozen[table] = have
            return self._rv, have[1]

    def keep_snapshot(self, kind: Kind, rv: int, items: list[tuple[Key, Entry]]) -> None:
        """Remember what a paged list started from; the oldest of 64 is dropped."""
        with self._lock:
            self._snapshots[(self.table(kind), rv)] = items
            while len(self._snapshots) > 64:
                self._snapshots.popitem(last=False)

    def snapshot(self, kind: Kind, rv: int) -> list[tuple[Key, Entry]] | None:
        with self._lock:
            return self._snapshots.get((self.table(kind), rv))

    def put(self, kind: Kind, obj: Obj) -> Entry:
        """Create or replace. The store sets resourceVersion on the object, which it owns from here
        on."""
        obj = _type_first(obj)
        meta = obj["metadata"]
        key = (meta.get("namespace", "") if kind.namespaced else "", meta["name"])
        table = self.table(kind)
        with self._lock:
            objects = self._objects.setdefault(table, {})
            before = objects.get(key)
            self._rv += 1
            meta["resourceVersion"] = str(self._rv)
            entry = Entry(obj, self._rv)
            objects[key] = entry
            if before is None:
                bisect.insort(self._sorted.setdefault(table, []), key)
            self._record(
                Change(
                    self._rv,
                    "ADDED" if before is None else "MODIFIED",
                    table[1],
                    table[0],
                    key,
                    before,
                    entry,
                )
            )
            return entry

    def load(self, objects: Iterable[Obj]) -> None:
        """Put many objects at the start: no history is kept for them. Raises KeyError for an
        unknown kind."""
        with self._lock:
            touched: set[tuple[str, str]] = set()
            for obj in objects:
                kind = self.kinds.by_object(obj["apiVersion"], obj["kind"])
                if kind is None:
                    raise KeyError(f"no kind {obj['apiVersion']} {obj['kind']} in the table")
                table = self.table(kind)
                obj = _type_first(obj)
                meta = obj["metadata"]
                self._rv += 1
                meta["resourceVersion"] = str(self._rv)
                self._objects.setdefault(table, {})[
                    (meta.get("namespace", "") if kind.namespaced else "", meta["name"])
                ] = Entry(obj, self._rv)
                touched.add(table)
            for table in touched:
                self._sorted[table] = sorted(self._objects[table])
                self._changed_at[table] = self._rv

    def remove(self, kind: Kind, namespace: str, name: str) -> Entry:
        """Raises ApiProblem (404). The DELETED change carries a new resource version, as etcd gives
        it."""
        table = self.table(kind)
        with self._lock:
            entry = self._objects.get(table, {}).pop((namespace, name), None)
            if entry is None:
                raise not_found(kind, name)
            keys = self._sorted[table]
            keys.pop(bisect.bisect_left(keys, (namespace, name)))
            self._rv += 1
            last = Entry(
                {
                    **entry.obj,
                    "metadata": {**entry.obj["metadata"], "resourceVersion": str(self._rv)},
                },
                self._rv,
            )
            self._record(
                Change(self._rv, "DELETED", table[1], table[0], (namespace, name), entry, last)
            )
            return last

    def _record(self, change: Change) -> None:
        self._changed_at[(change.group, change.plural)] = change.rv
        self._history.append(change)
        while len(self._history) > self._history_limit:
            self._compacted = self._history.popleft().rv
        for tell in list(self._watchers.values()):
            tell(change)

    def compact(self, rv: int | None = None) -> int:
        """Forget changes up to and including `rv` (default: all) and every snapshot; older reads
        give 410."""
        with self._lock:
            limit = self._rv if rv is None else rv
            while self._history and self._history[0].rv <= limit:
                self._history.popleft()
            self._compacted = max(self._compacted, limit)
            self._snapshots.clear()
            return self._compacted

    def subscribe(
        self, kind: Kind, since: int, tell: Callable[[Change], None]
    ) -> tuple[int, list[Change]]:
        """(handle, changes after `since`); later changes of every kind go to `tell`, in order,
        under the lock. Raises ApiProblem (410) when `since` is older than the history."""
        table = self.table(kind)
        with self._lock:
            if since < self._compacted:
                raise too_old(since, self._compacted)
            missed = [c for c in self._history if c.rv > since and (c.group, c.plural) == table]
            self._next_watcher += 1
            self._watchers[self._next_watcher] = tell
            return self._next_watcher, missed

    def unsubscribe(self, handle: int) -> None:
        with self._lock:
            self._watchers.pop(handle, None)

    def page(self, kind: Kind, rv: int) -> list[tuple[Key, Entry]]:
        """The entries that a continue token of version `rv` walks through. Raises ApiProblem
        (410)."""
        items = self.snapshot(kind, rv)
        if items is None:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You can "
                "start a new list without the continue parameter, or use the continue token in "
                "this "
                "response to retrieve the remainder of the results. Continuing with the provided "
                "token "
                "results in an inconsistent list - objects that were created, modified, or "
                "deleted between "
                "the time the first chunk was returned and now may show up in the list."
            )
        return items

    def transaction(self) -> threading.RLock:
        """Hold this lock around read-modify-write."""
        return self._lock

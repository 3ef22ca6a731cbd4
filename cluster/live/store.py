"""Rows of every watched kind, with the indexes that triage and the screens read.

One writer (the event loop); readers on the same loop. Every change is returned as a `StoreUpdate`,
so that what is derived from the store costs what changed, not the size of the cluster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

import msgspec

from cluster.kube.objects import Object, Pod, Ref, Service
from cluster.kube.selectors import service_selects

Key = tuple[str, str]
"""(namespace, name); the namespace is "" for cluster-scoped kinds."""

T = TypeVar("T")


class StoreUpdate(msgspec.Struct, frozen=True, gc=False):
    """One difference: `old` is None when the object appeared, `new` is None when it went away."""

    kind: str
    key: Key
    old: Object | None
    new: Object | None

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, *self.key)


class Store:
    """The last known state of the cluster."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Key, Object]] = {}
        self._pods_by_node: dict[str, dict[Key, Pod]] = {}
        self._by_owner: dict[tuple[str, str], dict[Key, Object]] = {}
        """Dependants of one kind, by the uid of their owner and that kind: the keys are those of
        the rows, which a key with the kind in it would not be."""
        self._owned: set[str] = set()
        """Kinds of dependants."""
        self._by_namespace: dict[tuple[str, str], dict[Key, Object]] = {}
        self._services: dict[tuple[str, ...], dict[Key, Service]] = {}
        """Services by namespace and the first pair of their selector."""
        self.version = 0
        """Grows with every change; the same number means the same state."""

    # -- reading

    def rows(self, kind: str) -> Mapping[Key, Any]:
        """All objects of a kind by (namespace, name); a live view, empty when the kind is
        unknown."""
        return MappingProxyType(self._rows.get(kind, {}))

    def all(self, kind: str, type_: type[T]) -> Iterator[T]:
        """All objects of a kind, typed."""
        return cast("Iterator[T]", iter(self._rows.get(kind, {}).values()))

    def get(self, kind: str, namespace: str, name: str) -> Any | None:
        return self._rows.get(kind, {}).get((namespace, name))

    def count(self, kind: str) -> int:
        return len(self._rows.get(kind, {}))

    def pods_on(self, node: str) -> Mapping[Key, Pod]:
        return MappingProxyType(self._pods_by_node.get(node, {}))

    def owned_by(self, uid: str) -> Mapping[tuple[str, Key], Object]:
        """Direct dependants of the object with this uid, by (kind, key)."""
        return {
            (kind, key): row
            for kind in sorted(self._owned)
            for key, row in self._by_owner.get((uid, kind), {}).items()
        }

    def in_namespace(self, kind: str, namespace: str) -> Mapping[Key, Any]:
        return MappingProxyType(self._by_namespace.get((kind, namespace), {}))

    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> list[Service]:
        """The Services of a namespace that select pods with these labels, by name. The cost does
        not grow with the Services: each change of a workload asks for them."""
        found = [
            service
            for pair in labels.items()
            for service in self._services.get((namespace, *pair), {}).values()
            if service_selects(service.spec.selector, labels)
        ]
        return sorted(found, key=lambda service: service.metadata.name)

    # -- writing

    def apply(
        self, kind: str, upserts: Iterable[Object] = (), deletes: Iterable[Key] = ()
    ) -> list[StoreUpdate]:
        """Add or replace `upserts`, drop `deletes`; return what really changed (same
        resourceVersion: nothing)."""
        rows = self._rows.setdefault(kind, {})
        changes: list[StoreUpdate] = []
        for new in upserts:
            meta = new.metadata
            key = (meta.namespace, meta.name)
            old = rows.get(key)
            if (
                old is not None
                and meta.resource_version
                and old.metadata.resource_version == meta.resource_version
                and old.metadata.uid == meta.uid
            ):
                continue
            rows[key] = new
            self._reindex(kind, key, old, new)
            changes.append(StoreUpdate(kind, key, old, new))
        for key in deletes:
            old = rows.pop(key, None)
            if old is not None:
                self._reindex(kind, key, old, None)
                changes.append(StoreUpdate(kind, key, old, None))
        if changes:
            self.version += 1
        return changes

    def replace(self, kind: str, objects: Iterable[Object]) -> list[StoreUpdate]:
        """Make `objects` the whole of a kind, as after a list; return the differences to what was
        known before."""
        fresh = list(objects)
        keys = {(o.metadata.namespace, o.metadata.name) for o in fresh}
        gone = [key for key in self._rows.get(kind, {}) if key not in keys]
        return self.apply(kind, fresh, gone)

    def _reindex(self, kind: str, key: Key, old: Object | None, new: Object | None) -> None:
        namespace = key[0]
        if namespace:
            group = self._by_namespace.setdefault((kind, namespace), {})
            _put(group, key, new)
            if not group:
                del self._by_namespace[kind, namespace]
        before = old.metadata.owner_references if old is not None else ()
        after = new.metadata.owner_references if new is not None else ()
        if before and before is not after:
            for owner in before:
                owned = self._by_owner.get((owner.uid, kind))
                if owned is not None:
                    owned.pop(key, None)
                    if not owned:
                        del self._by_owner[owner.uid, kind]
        if new is not None and after:
            self._owned.add(kind)
            for owner in after:
                self._by_owner.setdefault((owner.uid, kind), {})[key] = new
        if isinstance(old, Service) or isinstance(new, Service):
            self._index_service(key, old, there=False)
            self._index_service(key, new, there=True)
        if isinstance(old, Pod) or isinstance(new, Pod):
            left = old.spec.node_name if isinstance(old, Pod) else ""
            node = new.spec.node_name if isinstance(new, Pod) else ""
            if left and left != node:
                pods = self._pods_by_node[left]
                pods.pop(key, None)
                if not pods:
                    del self._pods_by_node[left]
            if node and isinstance(new, Pod):
                self._pods_by_node.setdefault(node, {})[key] = new

    def _index_service(self, key: Key, row: Object | None, *, there: bool) -> None:
        if isinstance(row, Service) and row.spec.selector:
            place = (key[0], *next(iter(row.spec.selector.items())))
            group = self._services.setdefault(place, {})
            _put(group, key, row if there else None)
            if not group:
                del self._services[place]


K = TypeVar("K")
V = TypeVar("V")


def _put(group: dict[K, V], key: K, value: V | None) -> None:
    if value is None:
        group.pop(key, None)
    else:
        group[key] = value

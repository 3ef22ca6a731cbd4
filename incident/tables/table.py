"""A table of one kind over the store: filtered, sorted on typed values, kept up to date at the cost
of what changed.

Only sort keys are kept; cells are computed when they are drawn. Rows that only changed their looks
cost nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cluster.kube.durations import clock, short
from cluster.live.store import Change, Key, Store
from incident.tables.columns import Column, Type, Value, columns
from incident.tables.filters import Filter, compile_filter
from incident.tables.sorted_list import Ordered

SortKey = tuple[bool, Any, Key]


@dataclass(frozen=True, slots=True)
class Delta:
    """`moved`: rows came, went or changed places, and all must be drawn; otherwise only the rows
    `touched` differ."""

    moved: bool
    touched: frozenset[Key]


class ObjectTable:
    """Rows of `kind` in the order in which they are shown. Reads the store, writes nothing."""

    def __init__(self, store: Store, kind: str, now: datetime) -> None:
        self.store = store
        self.kind = kind
        self.columns: Sequence[Column] = columns(kind)
        self.filter = Filter("")
        self.sort_by: Column = (
            self.columns[0]
            if kind == "Event"
            else next(c for c in self.columns if c.name in ("namespace", "name", "volume"))
        )
        self.reverse = self.sort_by.worst_first
        self._ascending = Ordered()
        self._keys: dict[Key, SortKey] = {}
        self.total = 0
        self.rebuild(now)

    # -- what is shown

    def __len__(self) -> int:
        return len(self._ascending)

    def key_at(self, row: int) -> Key:
        """(namespace, name) of the row; raises IndexError."""
        if not 0 <= row < len(self._ascending):
            raise IndexError(row)
        key: Key = self._ascending[len(self._ascending) - 1 - row if self.reverse else row][2]
        return key

    def row_of(self, key: Key) -> int | None:
        """Where the object is shown, None when it is not."""
        known = self._keys.get(key)
        if known is None:
            return None
        index = self._ascending.rank(known)
        return len(self._ascending) - 1 - index if self.reverse else index

    def object_at(self, row: int) -> Any | None:
        return self.store.get(self.kind, *self.key_at(row))

    def cells(self, row: int, shown: Sequence[Column], now: datetime) -> list[str]:
        """Texts of the row's cells."""
        item = self.object_at(row)
        return [
            show(column, column.value(item, self.store), now) if item is not None else ""
            for column in shown
        ]

    # -- order and filter

    def set_filter(self, text: str, now: datetime) -> None:
        """Raises FilterError, and then keeps the filter that was there."""
        self.filter = compile_filter(text, self.columns, self.kind)
        self.rebuild(now)

    def sort(self, column: Column, now: datetime, reverse: bool | None = None) -> None:
        self.sort_by = column
        self.reverse = column.worst_first if reverse is None else reverse
        self.rebuild(now)

    def rebuild(self, now: datetime) -> None:
        """Sorts and filters all rows: at the start, for a new filter or order, and now and then for
        filters on time."""
        rows = self.store.rows(self.kind)
        self.total = len(rows)
        if self.filter.tests:
            self._keys = {
                key: self._sort_key(key, item)
                for key, item in rows.items()
                if self.filter.holds(item, self.store, now)
            }
        else:
            self._keys = {key: self._sort_key(key, item) for key, item in rows.items()}
        self._ascending = Ordered(self._keys.values())

    def _sort_key(self, key: Key, item: Any) -> SortKey:
        value = self.sort_by.value(item, self.store)
        if value is None:
            return (True, 0, key)
        if self.sort_by.type is Type.AGE and isinstance(value, datetime):
            return (False, -value.timestamp(), key)  # the youngest first
        if isinstance(value, datetime):
            return (False, value.timestamp(), key)
        return (False, value.lower() if isinstance(value, str) else value, key)

    # -- changes

    def apply(self, changes: Iterable[Change], now: datetime) -> Delta:
        """Takes changes of the store; the cost follows their number."""
        touched: set[Key] = set()
        moved = False
        for key in {change.key for change in changes if change.kind == self.kind}:
            item = self.store.get(self.kind, *key)
            before = self._keys.get(key)
            after = (
                self._sort_key(key, item)
                if item is not None and self.filter.holds(item, self.store, now)
                else None
            )
            if before == after:
                if before is not None:
                    touched.add(key)
                continue
            moved = True
            if before is not None:
                self._ascending.remove(before)
                del self._keys[key]
            if after is not None:
                self._ascending.add(after)
                self._keys[key] = after
        self.total = self.store.count(self.kind)
        return Delta(moved, frozenset(touched))


def show(column: Column, value: Value, now: datetime) -> str:
    """A value as it is printed in a cell."""
    if value is None:
        return "" if column.type is not Type.AGE else "?"
    if isinstance(value, datetime):
        return short(now - value) if column.type is Type.AGE else clock(value, now)
    if isinstance(value, tuple):
        return f"{value[0]}/{value[1]}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)

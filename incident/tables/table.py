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
from incident.tables.health import health
from incident.tables.sorted_list import Ordered
from triage.facts.cooperative import Cooperative, run

SortKey = tuple[int, bool, Any, Key]
"""Broken or not (0 where that does not count), whether the value is missing, the value, the key."""
STEP = 200
"""Rows that are filtered between two pauses: about 1 ms."""


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
        self.sort_by: Column = _first(self.columns, kind)
        self.reverse = self.sort_by.worst_first
        self.broken_first = kind != "Event"
        """Whether what is broken stands above the rest: until a person sorts by a column."""
        self._ascending = Ordered()
        self._keys: dict[Key, SortKey] = {}
        self._late: set[Key] | None = None
        """Rows that changed while all rows are being filtered; None while they are not."""
        self.total = 0
        self.rebuild(now)

    # -- what is shown

    def __len__(self) -> int:
        return len(self._ascending)

    def key_at(self, row: int) -> Key:
        """(namespace, name) of the row; raises IndexError."""
        if not 0 <= row < len(self._ascending):
            raise IndexError(row)
        key: Key = self._ascending[len(self._ascending) - 1 - row if self.reverse else row][-1]
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
        run(self.filtering(text, now))

    def filtering(self, text: str, now: datetime) -> Cooperative[None]:
        """As `set_filter`, in steps: thousands of rows do not hold up a key. The rows of the old
        filter stay until the last step. Raises FilterError in the first."""
        new = compile_filter(text, self.columns, self.kind)
        yield from self._rebuilding(new, now)

    def sort(self, column: Column | None, now: datetime, reverse: bool | None = None) -> None:
        """By a column; by None as at the start, with what is broken first."""
        self.broken_first = column is None and self.kind != "Event"
        if column is not None:
            self.sort_by = column
        else:
            self.sort_by = _first(self.columns, self.kind)
        self.reverse = self.sort_by.worst_first if reverse is None else reverse
        self.rebuild(now)

    def turn_round(self, now: datetime) -> None:
        """The other direction; what is broken stays above the rest."""
        self.reverse = not self.reverse
        self.rebuild(now)

    def rebuild(self, now: datetime) -> None:
        """Sorts and filters all rows: at the start, for a new filter or order, and now and then for
        filters on time."""
        run(self._rebuilding(self.filter, now))

    def _rebuilding(self, new: Filter, now: datetime) -> Cooperative[None]:
        late: set[Key] = set()
        self._late = late
        rows = self.store.rows(self.kind)
        keys: dict[Key, SortKey] = {}
        for at, (key, item) in enumerate(list(rows.items())):
            if new.holds(item, self.store, now):
                keys[key] = self._sort_key(key, item)
            if at % STEP == STEP - 1:
                yield
                if self._late is not late:
                    return  # a later one has begun
        self._late = None
        self.filter, self._keys, self.total = new, keys, len(self.store.rows(self.kind))
        self._ascending = Ordered(keys.values())
        self._take(late, now)

    def _sort_key(self, key: Key, item: Any) -> SortKey:
        place = 0
        if self.broken_first:
            place = int(health(item, self.store))
            place = -place if self.reverse else place
        value = self.sort_by.value(item, self.store)
        if value is None:
            return (place, True, 0, key)
        if isinstance(value, datetime):
            seconds = value.timestamp()
            return (place, False, -seconds if self.sort_by.type is Type.AGE else seconds, key)
        return (place, False, value.lower() if isinstance(value, str) else value, key)

    @property
    def broken(self) -> int | None:
        """How many of the rows shown are broken; None where that is not known of the order."""
        if not self.broken_first:
            return None
        found = self._ascending.below((0 if self.reverse else 1,))
        return len(self._ascending) - found if self.reverse else found

    # -- changes

    def apply(self, changes: Iterable[Change], now: datetime) -> Delta:
        """Takes changes of the store; the cost follows their number."""
        keys = {change.key for change in changes if change.kind == self.kind}
        if self._late is not None:
            self._late |= keys
        return self._take(keys, now)

    def _take(self, keys: Iterable[Key], now: datetime) -> Delta:
        touched: set[Key] = set()
        moved = False
        for key in keys:
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


def _first(columns: Sequence[Column], kind: str) -> Column:
    """The column of the order at the start: the newest Event, the name of all else."""
    if kind == "Event":
        return columns[0]
    return next(c for c in columns if c.name in ("namespace", "name", "volume"))


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

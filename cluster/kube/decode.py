"""Bytes from the server -> typed objects, cleaned; one bad object never fails the rest.

First, one typed msgspec decode of the whole page or line. What it rejects (null where a list is
expected, a malformed time, a wrong type, broken UTF-8) is decoded object by object without types,
and faulty fields are dropped. Objects that cannot be kept are counted.

To find text that must be cleaned, the decoded objects are encoded again and searched. They are a
fifth as long as the received bytes, because unused fields are gone, and searching costs more than
encoding.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from cluster.kube.interning import Interning
from cluster.kube.kinds import Kind
from cluster.kube.objects import Object
from cluster.kube.text import NOT_JSON, clean_tree, is_suspect

T = TypeVar("T")

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Holds a copy of the whole object, values of Secrets included: dropped from every object as it
enters."""
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_REPAIRS = 200
_PATH = re.compile(r" - at `(?:key` in `)?(\$[^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_encode = msgspec.json.Encoder().encode


class ListMeta(msgspec.Struct, frozen=True, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _Page(msgspec.Struct, Generic[T], frozen=True):
    metadata: ListMeta = ListMeta()
    items: list[T] | None = None


class _RawPage(msgspec.Struct, frozen=True):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    items: list[msgspec.Raw] | None = None


class _Line(msgspec.Struct, Generic[T], frozen=True):
    type: str
    object: T


class _RawLine(msgspec.Struct, frozen=True):
    type: str = ""
    object: msgspec.Raw = msgspec.Raw(b"{}")


_raw_page = msgspec.json.Decoder(_RawPage)
_raw_line = msgspec.json.Decoder(_RawLine)


class Page(msgspec.Struct, frozen=True):
    """One page of a list. `faulty` objects could not be kept."""

    objects: list[Object]
    meta: ListMeta
    faulty: int = 0


class WatchEvent(msgspec.Struct, frozen=True):
    """One line of a watch. `object` is None for ERROR (then `status` is its metav1.Status) and for
    what could not be kept."""

    type: str
    object: Object | None
    status: dict[str, Any] | None = None

    @property
    def version(self) -> str:
        return self.object.metadata.resource_version if self.object is not None else ""

    def ends_initial_events(self) -> bool:
        return (
            self.object is not None
            and self.object.metadata.annotations.get(INITIAL_EVENTS_END) == "true"
        )


Known = Callable[[str, str], Object | None]
"""The object that is known under (namespace, name), None when there is none."""


def _unknown(_namespace: str, _name: str) -> None:
    return None


class KindDecoder:
    """Decodes lists and watches of one kind."""

    def __init__(
        self, kind: Kind, interning: Interning | None = None, known: Known | None = None
    ) -> None:
        self._known = known or _unknown
        self._interning = interning or Interning()
        self._type = kind.type
        self._page = msgspec.json.Decoder(_Page[kind.type])  # type: ignore[name-defined]  # the type is a value here
        self._line = msgspec.json.Decoder(_Line[kind.type])  # type: ignore[name-defined]  # as above
        self._one = msgspec.json.Decoder(kind.type)

    def page(self, data: bytes) -> Page:
        """A page of a list, its objects not yet cleaned: `finish` does that. Raises ValueError when
        it is not a list at all."""
        faulty = 0
        try:
            page = self._page.decode(data)
            meta, objects = page.metadata, page.items or []
        except NOT_JSON:
            meta, objects, faulty = self._slow_page(data)
        return Page(objects, meta, faulty)

    def finish(self, objects: list[Object]) -> list[Object]:
        """Clean and share what `page` gave; in slices, since a whole page would hold the loop for
        long."""
        return self._finish(objects)

    def lines(self, lines: Sequence[bytes]) -> tuple[list[WatchEvent], int]:
        """(events, number of lines that could not be kept)."""
        events: list[WatchEvent] = []
        faulty = 0
        for line in lines:
            if not line.strip():
                continue
            try:
                raw = self._line.decode(line)
            except NOT_JSON:
                event = self._slow_line(line)
                if event is None:
                    faulty += 1
                else:
                    events.append(event)
                continue
            if raw.type == "ERROR":
                event = self._slow_line(line)
                if event is not None:
                    events.append(event)
                continue
            events.append(WatchEvent(raw.type, raw.object))
        objects = [event.object for event in events if event.object is not None]
        finished = self._finish(objects)
        if finished is not objects:
            fresh = iter(finished)
            events = [
                WatchEvent(each.type, next(fresh) if each.object is not None else None, each.status)
                for each in events
            ]
        return events, faulty

    def one(self, data: bytes) -> Object | None:
        """A single object, or None when nothing of it can be kept."""
        try:
            found: Object | None = self._one.decode(data)
        except NOT_JSON:
            found = self._repaired(data)
        return self._finish([found])[0] if found is not None else None

    # -- without types

    def _slow_page(self, data: bytes) -> tuple[ListMeta, list[Object], int]:
        try:
            raw = _raw_page.decode(data)
            parts: list[Any] = list(raw.items or [])
            meta = _convert(_generic(bytes(raw.metadata)), ListMeta) or ListMeta()
        except NOT_JSON:
            document = _generic(data)
            if not isinstance(document, dict) or not isinstance(document.get("items"), list):
                raise ValueError("not a list of objects") from None
            parts = document["items"]
            meta = _convert(document.get("metadata"), ListMeta) or ListMeta()
        objects: list[Object] = []
        faulty = 0
        for part in parts:
            found = (
                self._fast_or_repaired(bytes(part))
                if isinstance(part, msgspec.Raw)
                else self._named(part)
            )
            if found is None:
                faulty += 1
            else:
                objects.append(found)
        return meta, objects, faulty

    def _slow_line(self, line: bytes) -> WatchEvent | None:
        try:
            raw = _raw_line.decode(line)
            type_, body = raw.type, _generic(bytes(raw.object))
        except NOT_JSON:
            document = _generic(line)
            if not isinstance(document, dict):
                return None
            type_, body = str(document.get("type")), document.get("object")
        if type_ == "ERROR":
            return WatchEvent(type_, None, body if isinstance(body, dict) else {})
        found = _convert(body, self._type)
        if found is None or (type_ != "BOOKMARK" and not found.metadata.name):
            return None
        return WatchEvent(type_, found)

    def _fast_or_repaired(self, data: bytes) -> Object | None:
        try:
            return self._one.decode(data)
        except NOT_JSON:
            return self._repaired(data)

    def _repaired(self, data: bytes) -> Object | None:
        return self._named(_generic(data))

    def _named(self, value: Any) -> Object | None:
        found = _convert(value, self._type)
        return found if found is not None and found.metadata.name else None

    # -- cleaning and interning

    def _finish(self, objects: list[Object]) -> list[Object]:
        for each in objects:
            each.metadata.annotations.pop(LAST_APPLIED, None)
        if is_suspect(_encode(objects)):
            objects = [
                self._cleaned(each) if is_suspect(_encode(each)) else each for each in objects
            ]
        share, known = self._interning.share, self._known
        for each in objects:
            share(each, known(each.metadata.namespace, each.metadata.name))
        return objects

    def _cleaned(self, value: Object) -> Object:
        return cast("Object", _convert(clean_tree(msgspec.to_builtins(value)), self._type) or value)


def _generic(data: bytes) -> Any:
    """Plain data, also from JSON that only a lenient reader takes; None when it is no JSON."""
    try:
        return msgspec.json.decode(data)
    except NOT_JSON:
        pass
    try:
        return clean_tree(json.loads(data.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def _convert(value: Any, type_: type[T]) -> T | None:
    """`value` as `type_`, without the fields that do not fit; None when nothing is left to keep."""
    if not isinstance(value, dict):
        return None
    value = _without_nulls(value)
    for _ in range(_REPAIRS):
        try:
            return msgspec.convert(value, type_, strict=False)
        except msgspec.ValidationError as error:
            found = _PATH.search(str(error))
            if found is None or not _drop(value, found.group(1)):
                return None
    return None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _drop(value: Any, path: str) -> bool:
    """Remove what `path` ($.a.b[0].c) names; of a dictionary, the values that are no text. False
    when it is not there."""
    steps = [
        match.group(1) if match.group(1) is not None else match.group(2)
        for match in _STEP.finditer(path)
    ]
    parents: list[tuple[Any, Any]] = []
    current: Any = value
    key: Any = None
    for step in steps:
        if step == "..." and isinstance(current, dict):
            wrong = [name for name, item in current.items() if not isinstance(item, str)]
            for name in wrong:
                del current[name]
            if wrong:
                return True
            # the values are text where something else is wanted: the dictionary goes as a whole
            break
        key = int(step) if isinstance(current, list) and step.isdecimal() else step
        try:
            following = current[key]
        except (KeyError, IndexError, TypeError):
            return False
        parents.append((current, key))
        current = following
    if not parents:
        return False
    container, key = parents[-1]
    del container[key]
    return True

"""Kinds that are not watched, custom resources among them: found by discovery, listed as the
server's own table."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cluster.api.reads import get_object
from cluster.api.transport import Api
from cluster.errors import ClusterError
from cluster.kube.decode import KindDecoder
from cluster.kube.kinds import BY_NAME, Kind
from cluster.kube.objects import Condition, Object, Ref, Wire
from incident.object_details import dump

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ROWS = 500
"""Rows asked for at most: a kind may have thousands of objects."""
VALUES = 24
"""Most single values on the page of an object."""
GROUPS = 80
"""Most API groups asked, `CONCURRENT` at a time."""
CONCURRENT = 5
_PLURAL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_VERSION = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?v[0-9][a-z0-9]*")
"""Valid names, because a server behind an APIService writes them and they become parts of a path
and of a command."""
_SECRET = frozenset({"secrets", "configmaps"})
"""Kinds never listed as a table: the server's columns could hold secret values."""


class OtherKind(msgspec.Struct, frozen=True):
    """One kind of the server."""

    name: str
    plural: str
    api_version: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """ "" for the core group."""
        return self.api_version.rpartition("/")[0]

    def is_called(self, words: str) -> bool:
        """Whether its name, plural, group or a short name contains the words."""
        texts = (self.name.lower(), self.plural, self.api_version, *self.short_names)
        return any(words.lower() in text for text in texts)


class ServerTable(msgspec.Struct, frozen=True):
    """The server's table, and the object of each row. `problem` says in one sentence why it is
    missing or incomplete."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    problem: str = ""
    refs: tuple[Ref, ...] = ()


class ItemStatus(Wire, frozen=True):
    conditions: tuple[Condition, ...] = ()


class Item(Object, frozen=True):
    """Metadata and conditions, as in objects of watched kinds."""

    status: ItemStatus = ItemStatus()


class OtherObject(msgspec.Struct, frozen=True):
    """One object of a kind that is not watched, at one time.

    When it could not be read, `item` is None and `problem` is one sentence. `values`: single values
    of its status and spec, redacted.
    """

    item: Item | None = None
    values: tuple[tuple[str, str], ...] = ()
    yaml: str = ""
    problem: str = ""


class OtherKinds:
    """Sends requests only when a person asks. `api` is None while there is no connection."""

    def __init__(
        self, api: Callable[[], Api | None], redact: Callable[[str], str], limit: float
    ) -> None:
        """`redact` removes secrets from a cell; `limit`: seconds for one request."""
        self._api = api
        self._redact = redact
        self._limit = limit
        self._known: tuple[OtherKind, ...] = ()

    async def all(self) -> tuple[OtherKind, ...]:
        """The kinds that can be listed and are not watched, without those of groups that do not
        answer."""
        api = self._api()
        if self._known or api is None:
            return self._known
        found = await self._ask(api, "/apis")
        versions = ["/api/v1"]
        for group in _items(found, "groups")[:GROUPS]:
            preferred = group.get("preferredVersion")
            version = str(preferred.get("groupVersion")) if isinstance(preferred, dict) else ""
            if _VERSION.fullmatch(version):
                versions.append(f"/apis/{version}")
        gate = asyncio.Semaphore(CONCURRENT)

        async def kinds_of(path: str) -> list[OtherKind]:
            async with gate:
                return _kinds(await self._ask(api, path))

        groups = await asyncio.gather(*map(kinds_of, versions))
        self._known = tuple(sorted((k for group in groups for k in group), key=lambda k: k.name))
        return self._known

    async def _ask(self, api: Api, path: str) -> dict[str, Any]:
        try:
            found = await api.get_json(path, timeout=self._limit, what=f"discovery of {path}")
        except ClusterError:
            return {}
        return found if isinstance(found, dict) else {}

    async def item(self, ref: Ref, kind: OtherKind | None) -> OtherObject:
        """One object. Without `kind` it is found by name, as for an owner."""
        api = self._api()
        if api is None:
            return OtherObject(problem=f"{ref} cannot be read: there is no connection to a cluster")
        kind = kind or next((each for each in await self.all() if each.name == ref.kind), None)
        if kind is None:
            return OtherObject(problem=f"{ref} cannot be read: the server names no such kind")
        known = Kind(kind.name, kind.plural, kind.api_version, Item, namespaced=kind.namespaced)
        try:
            found = await get_object(api, known, ref.namespace, ref.name, timeout=self._limit)
        except ClusterError as error:
            return OtherObject(problem=f"{ref} cannot be read: {error}")
        values = tuple(
            (f"{part}.{name}", self._cell(name, _text(value)))
            for part in ("status", "spec")
            for name, value in _dict(found.get(part)).items()
            if isinstance(value, str | int | float)
        )
        item = KindDecoder(known).one(msgspec.json.encode(found))
        item = item if isinstance(item, Item) else None
        return OtherObject(item, values[:VALUES], self._redact(dump(found)))

    async def rows(self, kind: OtherKind, namespaces: Sequence[str]) -> ServerTable:
        """The objects of a kind as the server's table, of all namespaces or of the given ones."""
        api = self._api()
        if api is None:
            return ServerTable(problem="there is no connection to a cluster")
        core = "/" not in kind.api_version
        root = f"/api/{kind.api_version}" if core else f"/apis/{kind.api_version}"
        places = [f"/namespaces/{name}" for name in namespaces] if kind.namespaced else []
        columns: tuple[str, ...] = ()
        rows: list[tuple[str, ...]] = []
        refs: list[Ref] = []
        cut = False
        for place in places or [""]:
            try:
                found = await api.get_json(
                    f"{root}{place}/{kind.plural}",
                    {"limit": str(ROWS)},
                    timeout=self._limit,
                    accept=TABLE,
                    what=f"list {kind.plural}",
                )
            except ClusterError as error:
                problem = f"{kind.plural} cannot be listed: {error}"
                return ServerTable(columns, tuple(rows), problem, tuple(refs))
            document = found if isinstance(found, dict) else {}
            shown = [
                at
                for at, column in enumerate(_items(document, "columnDefinitions"))
                if not column.get("priority")
            ]
            names = [str(c.get("name", "")) for c in _items(document, "columnDefinitions")]
            columns = tuple(names[at] for at in shown)
            columns = ("Namespace", *columns) if kind.namespaced else columns
            rows += [
                tuple(map(self._cell, columns, _row(each, shown, kind.namespaced)))
                for each in _items(document, "rows")
            ]
            refs += [
                Ref(kind.name, *_named(_dict(each.get("object"))))
                for each in _items(document, "rows")
            ]
            if "items" in document:  # a server without tables
                columns = ("Namespace", "Name")
                names_ = [_named(each) for each in _items(document, "items")]
                rows += names_
                refs += [Ref(kind.name, *each) for each in names_]
            metadata = document.get("metadata")
            cut = cut or bool(isinstance(metadata, dict) and metadata.get("continue"))
        problem = f"only the first {len(rows)} are shown" if cut else ""
        return ServerTable(columns, tuple(rows), problem, tuple(refs))

    def _cell(self, column: str, text: str) -> str:
        """A cell without secrets. The column name is redacted with it, because "hunter2" alone does
        not look like a password. A column Secret holds names of Secrets."""
        lead = f"{column}: " if column != "Secret" else ""
        redacted = self._redact(lead + text)
        return redacted.removeprefix(lead) if redacted.startswith(lead) else self._redact(text)


def _row(row: dict[str, Any], shown: Sequence[int], namespaced: bool) -> tuple[str, ...]:
    cells = row.get("cells")
    values = cells if isinstance(cells, list) else []
    texts = tuple("" if at >= len(values) else _text(values[at]) for at in shown)
    namespace, _ = _named(_dict(row.get("object")))
    return (namespace, *texts) if namespaced else texts


def _named(item: dict[str, Any]) -> tuple[str, str]:
    meta = _dict(item.get("metadata"))
    return str(meta.get("namespace", "")), str(meta.get("name", ""))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _kinds(document: dict[str, Any]) -> list[OtherKind]:
    version = str(document.get("groupVersion", ""))
    if not _VERSION.fullmatch(version):
        return []
    return [
        OtherKind(
            str(each.get("kind", "")),
            str(each.get("name", "")),
            version,
            bool(each.get("namespaced")),
            tuple(map(str, _list(each.get("shortNames")))),
        )
        for each in _items(document, "resources")
        if "list" in _list(each.get("verbs"))
        and _PLURAL.fullmatch(str(each.get("name", "")))
        and each.get("name") not in _SECRET
        and not _is_watched(str(each.get("kind", "")), version)
    ]


def _is_watched(kind: str, version: str) -> bool:
    known = BY_NAME.get(kind)
    return known is not None and known.group == version.rpartition("/")[0]


def _items(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [each for each in _list(document.get(name)) if isinstance(each, dict)]


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

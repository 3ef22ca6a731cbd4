"""get and list: pages of one consistent snapshot, selectors, resourceVersion rules, three response
formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime

import msgspec

from drills.api.kinds import ApiResource
from drills.api.objects import Obj
from drills.api.problems import ApiProblem, bad_request, expired, forbidden_field, too_large
from drills.api.requests import Form, QueryParameters, RequestInfo
from drills.api.selectors import Predicate, parse_fields, parse_labels
from drills.api.store import Key, ObjectStore, StoredObject
from drills.api.table import render

encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


def selection(target: RequestInfo, query: QueryParameters) -> tuple[Predicate, bool]:
    """(test, whether anything is filtered). Raises ApiProblem (400)."""
    labels, fields = query.get("labelSelector"), query.get("fieldSelector")
    if target.name:
        fields = f"{fields},metadata.name={target.name}".lstrip(",")
    by_label, by_field = parse_labels(labels), parse_fields(fields, target.kind.plural)
    return (lambda obj: by_label(obj) and by_field(obj)), bool(labels or fields)


_EVENTS_V1 = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
}
"""Fields of core/v1 Events -> their names in events.k8s.io/v1."""


def as_core_event(obj: Obj) -> Obj:
    """An events.k8s.io/v1 Event as core/v1 stores it."""
    core = {new: old for old, new in _EVENTS_V1.items()}
    dropped = {"deprecatedCount", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"}
    out = {core.get(k, k): v for k, v in obj.items() if k not in dropped}
    empty = {"involvedObject": {}, "message": "", "reportingComponent": "", "source": {}}
    return {**empty, **out, "apiVersion": "v1", "kind": "Event"}


def seen_as(kind: ApiResource, entry: StoredObject) -> StoredObject:
    """A core/v1 Event as events.k8s.io/v1 when that was requested; other objects unchanged."""
    if kind.group != "events.k8s.io":
        return entry
    head = {"apiVersion": "events.k8s.io/v1", "kind": "Event"}
    empty = {"regarding": {}, "note": "", "deprecatedSource": {}, "reportingController": ""}
    renamed = {
        _EVENTS_V1.get(k, k): v
        for k, v in entry.obj.items()
        if k not in head and (v is not None or k not in _EVENTS_V1)
    }
    return StoredObject({**head, **empty, **renamed}, entry.rv)


def partial(meta: Obj, *, items: list[Obj] | None = None) -> Obj:
    """PartialObjectMetadata of one object, or a list of them."""
    name = "PartialObjectMetadata" if items is None else "PartialObjectMetadataList"
    out: Obj = {"kind": name, "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return out if items is None else {**out, "items": items}


def one(
    kind: ApiResource, entry: StoredObject, form: Form, now: datetime, *, headers: bool = True
) -> bytes:
    """The body of an answer about one object; `headers`: with the columns of a table."""
    entry = seen_as(kind, entry)
    if form.name == "table":
        meta = {"resourceVersion": str(entry.rv)}
        table = render(kind, [entry], now, meta, include=form.include, headers=headers)
        return encode(table)
    return encode(partial(entry.obj["metadata"])) if form.name == "metadata" else entry.raw


def list_body(
    store: ObjectStore, target: RequestInfo, query: QueryParameters, form: Form, now: datetime
) -> bytes:
    """The body of a list. Raises ApiProblem for bad parameters, expired tokens and versions of the
    future."""
    kind = target.kind
    match, filtered = selection(target, query)
    rv, everything, start = _snapshot(store, kind, query)
    items = [i for i in everything if not target.namespace or i[0][0] == target.namespace]
    limit = query.number("limit") or 0
    if query.get("resourceVersion") == "0" and not query.get("continue"):
        limit = 0  # Served from the watch cache, which ignores the limit.
    page, rest = _take(items, start, match, limit)
    meta: Obj = {"resourceVersion": str(rv)}
    if rest is not None and page:
        store.keep_snapshot(kind, rv, everything)
        meta["continue"] = _token(rv, page[-1][0])
        if not filtered:
            meta["remainingItemCount"] = len(items) - rest
    entries = [seen_as(kind, e) for _, e in page]
    if form.name == "table":
        return encode(render(kind, entries, now, meta, include=form.include))
    if form.name == "metadata":
        return encode(partial(meta, items=[partial(e.obj["metadata"]) for e in entries]))
    custom = store.is_custom(kind)
    head = encode({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta})
    rows = b",".join(e.raw if custom else e.item for e in entries)
    return head[:-1] + b',"items":[' + rows + b"]}"


def _snapshot(
    store: ObjectStore, kind: ApiResource, query: QueryParameters
) -> tuple[int, list[tuple[Key, StoredObject]], Key | None]:
    """(resource version, entries, the key to start after)."""
    token = query.get("continue")
    wanted, match = query.get("resourceVersion"), query.get("resourceVersionMatch")
    now_rv, items = store.frozen(kind)
    if token:
        if wanted and wanted != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        rv, start = _parse_token(token)
        if rv < 0:
            return now_rv, items, start
        try:
            return rv, store.page(kind, rv), start
        except ApiProblem as problem:
            raise expired(str(problem), {"continue": _token(-1, start)}) from None
    if match and not wanted:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise forbidden_field(kind, "", "resourceVersionMatch", why)
    if wanted and wanted != "0":
        if not wanted.isdigit():
            raise bad_request(f'invalid resource version: "{wanted}"')
        asked = int(wanted)
        if asked > now_rv:
            raise too_large(asked, now_rv)
        if match == "Exact" and asked != now_rv:
            return asked, store.page(kind, asked), None
    return now_rv, items, None


def _take(
    items: list[tuple[Key, StoredObject]], start: Key | None, match: Predicate, limit: int
) -> tuple[list[tuple[Key, StoredObject]], int | None]:
    """(a page, the key of the next one or None at the end)."""
    page: list[tuple[Key, StoredObject]] = []
    for at, (key, entry) in enumerate(items):
        if (start is not None and key <= start) or not match(entry.obj):
            continue
        if limit and len(page) == limit:
            return page, at
        page.append((key, entry))
    return page, None


def _token(rv: int, key: Key) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": rv, "start": f"{key[0]}/{key[1]}\x00"})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_token(token: str) -> tuple[int, Key]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = str(data["start"]).rstrip("\x00").partition("/")
        return int(data["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"continue key is not valid: {error}") from error

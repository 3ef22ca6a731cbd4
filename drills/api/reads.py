"""get and list: pages from one consistent snapshot, selectors, resourceVersion rules, the three
forms of an answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime

import msgspec

from drills.api.kinds import Kind
from drills.api.objects import Obj
from drills.api.problems import ApiProblem, bad_request, expired, invalid, too_large
from drills.api.requests import Query, Target, View
from drills.api.selectors import Match, parse_fields, parse_labels
from drills.api.store import Entry, Key, Store
from drills.api.table import render

encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


def selection(target: Target, query: Query) -> tuple[Match, bool]:
    """(test, whether anything is filtered). Raises ApiProblem (400)."""
    labels, fields = query.get("labelSelector"), query.get("fieldSelector")
    if target.name:
        fields = f"{fields},metadata.name={target.name}".lstrip(",")
    by_label, by_field = parse_labels(labels), parse_fields(fields, target.kind.plural)
    if not labels and not fields:
        return (lambda obj: True), False
    return (lambda obj: by_label(obj) and by_field(obj)), True


def as_events_v1(obj: Obj) -> Obj:
    """A core/v1 Event seen as events.k8s.io/v1."""
    source = obj.get("source") or {}
    out = {
        k: v
        for k, v in obj.items()
        if k
        not in {"involvedObject", "message", "source", "firstTimestamp", "lastTimestamp", "count"}
    }
    out["apiVersion"] = "events.k8s.io/v1"
    out["regarding"] = obj.get("involvedObject", {})
    out["note"] = obj.get("message", "")
    out.setdefault("reportingController", obj.get("reportingComponent", ""))
    out.pop("reportingComponent", None)
    out["deprecatedSource"] = source
    for new, old in (
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ):
        if obj.get(old) is not None:
            out[new] = obj[old]
    return out


def seen_as(kind: Kind, entry: Entry) -> Entry:
    if kind.group == "events.k8s.io":
        return Entry(as_events_v1(entry.obj), entry.rv)
    return entry


def partial(obj: Obj) -> Obj:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }


def one(kind: Kind, entry: Entry, view: View, now: datetime) -> bytes:
    """The body of an answer about one object."""
    entry = seen_as(kind, entry)
    if view.form == "table":
        return encode(
            render(kind, [entry], now, {"resourceVersion": str(entry.rv)}, include=view.include)
        )
    if view.form == "metadata":
        return encode(partial(entry.obj))
    return entry.raw


def list_body(store: Store, target: Target, query: Query, view: View, now: datetime) -> bytes:
    """The body of a list. Raises ApiProblem for bad parameters, expired tokens and versions of the
    future."""
    kind = target.kind
    match, filtered = selection(target, query)
    rv, items, start = _snapshot(store, kind, query)
    limit = query.number("limit") or 0
    if query.get("resourceVersion") == "0" and not query.get("continue"):
        limit = 0  # served from the watch cache, which pays no attention to the limit
    page, rest = _take(items, start, target.namespace, match, limit)
    meta: Obj = {"resourceVersion": str(rv)}
    if rest is not None and page:
        store.keep_snapshot(kind, rv, items)
        meta["continue"] = _token(rv, page[-1][0])
        if not filtered:
            meta["remainingItemCount"] = sum(
                1 for k, _ in items[rest:] if not target.namespace or k[0] == target.namespace
            )
    entries = [seen_as(kind, e) for _, e in page]
    if view.form == "table":
        return encode(render(kind, entries, now, meta, include=view.include))
    if view.form == "metadata":
        return encode(
            {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "items": [partial(e.obj) for e in entries],
            }
        )
    custom = store.is_custom(kind)
    head = encode({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta})
    return (
        head[:-1] + b',"items":[' + b",".join(e.raw if custom else e.item for e in entries) + b"]}"
    )


def _snapshot(
    store: Store, kind: Kind, query: Query
) -> tuple[int, list[tuple[Key, Entry]], Key | None]:
    token = query.get("continue")
    wanted, match = query.get("resourceVersion"), query.get("resourceVersionMatch")
    if token:
        if wanted and wanted != "0":
            raise bad_request("specifying resource version is not allowed when using continue")
        rv, start = _parse_token(token)
        if rv < 0:
            now_rv, items = store.frozen(kind)
            return now_rv, items, start
        try:
            return rv, store.page(kind, rv), start
        except ApiProblem as problem:
            raise expired(str(problem), {"continue": _token(-1, start)}) from None
    if match and not wanted:
        raise invalid(
            kind,
            "",
            [
                (
                    "resourceVersionMatch",
                    "FieldValueForbidden",
                    "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is "
                    "provided",
                )
            ],
        )
    now_rv, items = store.frozen(kind)
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
    items: list[tuple[Key, Entry]], start: Key | None, namespace: str, match: Match, limit: int
) -> tuple[list[tuple[Key, Entry]], int | None]:
    page: list[tuple[Key, Entry]] = []
    for at, (key, entry) in enumerate(items):
        if (
            (start is not None and key <= start)
            or (namespace and key[0] != namespace)
            or not match(entry.obj)
        ):
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

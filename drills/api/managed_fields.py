"""managedFields: who changed which fields when. fieldsV1 as sigs.k8s.io/structured-merge-diff
writes it, for the shapes that occur here: `f:key` for fields, `k:{…}` for items of associative
lists, `v:…` for set members.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from drills.api.objects import Obj
from drills.api.patch import MERGE_KEYS

Path = tuple[str, ...]

_MAPS = frozenset(
    {
        "labels",
        "annotations",
        "data",
        "stringData",
        "binaryData",
        "matchLabels",
        "nodeSelector",
        "limits",
        "requests",
        "capacity",
        "allocatable",
        "selector",
        "hard",
        "used",
    }
)
_NOT_TRACKED = frozenset({"apiVersion", "kind"})
_META_NOT_TRACKED = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "generation",
        "managedFields",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    }
)
_ATOMIC = frozenset(
    {
        "selector",
        "fieldRef",
        "resourceFieldRef",
        "command",
        "args",
        "images",
        "affinity",
        "loadBalancer",
        "resourceRef",
        "scaleTargetRef",
        "involvedObject",
        "source",
        "state",
        "lastState",
        "nodeInfo",
    }
)
_LIST_KEYS: dict[str, tuple[str, ...]] = {
    "ports": ("containerPort", "protocol"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
    "addresses": ("type",),
    "hostIPs": ("ip",),
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
}
_NOT_ATOMIC_MAPS = frozenset({"state", "lastState", "nodeInfo", "loadBalancer", "selector"})


def paths(obj: Obj) -> set[Path]:
    """Every field path that a manager can own in this object."""
    out: set[Path] = set()
    for key, value in obj.items():
        if key in _NOT_TRACKED:
            continue
        if key == "metadata":
            for name, inner in value.items():
                if name not in _META_NOT_TRACKED:
                    _walk(inner, ("f:metadata", f"f:{name}"), name, out)
        else:
            _walk(value, (f"f:{key}",), key, out)
    return out


def _walk(value: Any, at: Path, field: str, out: set[Path]) -> None:
    if isinstance(value, dict):
        if field in _ATOMIC and field not in _NOT_ATOMIC_MAPS:
            out.add(at)
            return
        if field in _MAPS or not value:
            out.add((*at, ".") if value else at)
        for key, inner in value.items():
            _walk(inner, (*at, f"f:{key}"), key, out)
    elif isinstance(value, list):
        _walk_list(value, at, field, out)
    else:
        out.add(at)


def _walk_list(items: list[Any], at: Path, field: str, out: set[Path]) -> None:
    if field == "finalizers":
        out.add((*at, "."))
        out.update((*at, f"v:{json.dumps(i)}") for i in items)
        return
    keys = _list_keys(items, field)
    if not keys:
        out.add(at)
        return
    out.add((*at, "."))
    for item in items:
        name = "k:" + json.dumps({k: item[k] for k in keys if k in item}, separators=(",", ":"))
        out.add((*at, name, "."))
        for key, inner in item.items():
            _walk(inner, (*at, name, f"f:{key}"), key, out)


def _list_keys(items: list[Any], field: str) -> tuple[str, ...]:
    if not items or not all(isinstance(i, dict) for i in items):
        return ()
    if field == "ports" and not any("containerPort" in i for i in items):
        candidate: tuple[str, ...] = ("port", "protocol")
    else:
        candidate = _LIST_KEYS.get(field) or ((MERGE_KEYS[field],) if field in MERGE_KEYS else ())
    return candidate if candidate and all(candidate[0] in i for i in items) else ()


def fields_v1(owned: Iterable[Path]) -> Obj:
    out: Obj = {}
    for path in sorted(owned):
        here = out
        for step in path:
            here = here.setdefault(step, {})
    return out


def owned_paths(fields: Obj) -> set[Path]:
    """The inverse of `fields_v1`: every leaf and every `.`."""
    out: set[Path] = set()

    def visit(node: Obj, at: Path) -> None:
        if not node:
            if at:
                out.add(at)
            return
        for key, inner in node.items():
            visit(inner, (*at, key))

    visit(fields, ())
    return out


def value_at(obj: Obj, path: Path) -> Any:
    """What an object holds at a fieldsV1 path; None where it holds nothing."""
    here: Any = obj
    for step in path:
        if step == ".":
            return here is not None
        if step.startswith("f:"):
            here = here.get(step[2:]) if isinstance(here, dict) else None
        elif step.startswith("k:"):
            want = json.loads(step[2:])
            here = next(
                (i for i in here or [] if all(i.get(k) == v for k, v in want.items())), None
            )
        elif step.startswith("v:"):
            return json.loads(step[2:]) in (here or [])
        if here is None:
            return None
    return here


def entry(
    manager: str,
    operation: str,
    at: str,
    api_version: str,
    owned: Iterable[Path],
    subresource: str = "",
) -> Obj:
    out: Obj = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_v1(owned),
    }
    if subresource:
        out["subresource"] = subresource
    return out


def record_change(
    before: Obj | None,
    after: Obj,
    *,
    manager: str,
    operation: str,
    at: str,
    subresource: str = "",
    applied: Obj | None = None,
) -> list[Obj]:
    """The managedFields of `after`. An Update takes over the paths whose value it changed; paths
    that are gone leave every manager. With `applied` (server-side apply) the manager owns exactly
    what its intent names. `at` is RFC 3339."""
    api_version = str(after.get("apiVersion", ""))
    have = paths(after)
    old_entries: list[Obj] = list((before or {}).get("metadata", {}).get("managedFields") or [])
    if applied is not None:
        changed = paths(applied) & have
    elif before is None:
        changed = have
    else:
        had = paths(before)
        changed = {p for p in have if p not in had or value_at(before, p) != value_at(after, p)}
        if not changed and had == have:
            return old_entries
    out: list[Obj] = []
    mine: set[Path] = set(changed)
    for old in old_entries:
        owned = owned_paths(old.get("fieldsV1") or {})
        same = (old.get("manager"), old.get("operation"), old.get("subresource", "")) == (
            manager,
            operation,
            subresource,
        )
        if same:
            if applied is None:
                mine |= owned & have
            continue
        left = owned & have
        if applied is None:
            left -= {p for p in changed if p[-1] != "."}
        if left == owned:
            out.append(old)
        elif left:
            out.append({**old, "fieldsV1": fields_v1(left)})
    if mine:
        out.append(entry(manager, operation, at, api_version, mine, subresource))
    return out


def share_out(
    obj: Obj, shares: list[tuple[str, str, str, str, Callable[[Path], bool]]]
) -> list[Obj]:
    """First managedFields of an object that several writers made: each share is (manager,
    operation, time, subresource, owns). A path goes to the first share that owns it."""
    left = paths(obj)
    api_version = str(obj.get("apiVersion", ""))
    out: list[Obj] = []
    for manager, operation, at, subresource, owns in shares:
        mine = {p for p in left if owns(p)}
        left -= mine
        if mine:
            out.append(entry(manager, operation, at, api_version, mine, subresource))
    return out


def under(*prefix: str) -> Callable[[Path], bool]:
    """A test for `share_out`: paths below the given field names, for example under('status')."""
    want = tuple(f"f:{p}" for p in prefix)
    return lambda path: path[: len(want)] == want

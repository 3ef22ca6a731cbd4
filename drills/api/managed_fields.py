"""managedFields: who changed which fields when. fieldsV1 as sigs.k8s.io/structured-merge-diff
writes it, for the shapes that occur here: `f:key` for fields, `k:{…}` for items of associative
lists, `v:…` for set members.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from drills.api.objects import Obj, created_at, rfc3339, words
from drills.api.patch import MERGE_KEYS

FieldPath = tuple[str, ...]

_MAPS = frozenset(
    words(
        "labels annotations data stringData binaryData matchLabels nodeSelector limits requests "
        "capacity allocatable selector hard used"
    )
)
"""Maps whose existence is tracked too, as `.`."""
_ATOMIC = frozenset(
    words(
        "fieldRef resourceFieldRef command args images affinity resourceRef scaleTargetRef "
        "involvedObject source"
    )
)
_NOT_TRACKED = frozenset({"apiVersion", "kind"})
_META_NOT_TRACKED = frozenset(
    words(
        "name namespace uid resourceVersion creationTimestamp generation managedFields selfLink "
        "deletionTimestamp deletionGracePeriodSeconds"
    )
)
_LIST_KEYS: dict[str, tuple[str, ...]] = {
    **{field: (key,) for field, key in MERGE_KEYS.items()},
    "ports": ("containerPort", "protocol"),
    "hostIPs": ("ip",),
}


def paths(obj: Obj) -> set[FieldPath]:
    """Every field path that a manager can own in this object."""
    out: set[FieldPath] = set()
    for key, value in obj.items():
        if key == "metadata":
            for name, inner in value.items():
                if name not in _META_NOT_TRACKED:
                    _walk(inner, ("f:metadata", f"f:{name}"), name, out)
        elif key not in _NOT_TRACKED:
            _walk(value, (f"f:{key}",), key, out)
    return out


def _walk(value: Any, at: FieldPath, field: str, out: set[FieldPath]) -> None:
    if isinstance(value, dict) and field not in _ATOMIC:
        if field in _MAPS or not value:
            out.add((*at, ".") if value else at)
        for key, inner in value.items():
            _walk(inner, (*at, f"f:{key}"), key, out)
    elif isinstance(value, list):
        _walk_list(value, at, field, out)
    else:
        out.add(at)


def _walk_list(items: list[Any], at: FieldPath, field: str, out: set[FieldPath]) -> None:
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
    """The fields that tell the items of a list apart; empty for a list that is owned whole."""
    if not items or not all(isinstance(i, dict) for i in items):
        return ()
    keys = _LIST_KEYS.get(field, ())
    if field == "ports" and not any("containerPort" in i for i in items):
        keys = ("port", "protocol")
    return keys if keys and all(keys[0] in i for i in items) else ()


def fields_v1(owned: Iterable[FieldPath]) -> Obj:
    out: Obj = {}
    for path in sorted(owned):
        here = out
        for step in path:
            here = here.setdefault(step, {})
    return out


def owned_paths(fields: Obj) -> set[FieldPath]:
    """The inverse of `fields_v1`: every leaf and every `.`."""

    def visit(node: Obj, at: FieldPath) -> Iterable[FieldPath]:
        if not node and at:
            yield at
        for key, inner in node.items():
            yield from visit(inner, (*at, key))

    return set(visit(fields, ()))


def value_at(obj: Obj, path: FieldPath) -> Any:
    """The value of an object at a fieldsV1 path, None when there is none."""
    here: Any = obj
    for step in path:
        if step == ".":
            return here is not None
        if step.startswith("f:"):
            here = here.get(step[2:]) if isinstance(here, dict) else None
        elif step.startswith("k:"):
            want = json.loads(step[2:]).items()
            here = next((i for i in here or [] if all(i.get(k) == v for k, v in want)), None)
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
    owned: Iterable[FieldPath],
    subresource: str = "",
) -> Obj:
    """One entry of managedFields; `at` is RFC 3339."""
    out: Obj = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": at,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_v1(owned),
    }
    return out | ({"subresource": subresource} if subresource else {})


@dataclass(frozen=True, slots=True)
class FieldManager:
    """The manager of part of an object that a scenario describes: fields below one of the prefixes
    (`spec`, `metadata.labels`), or all with ()."""

    name: str
    at: datetime
    prefixes: tuple[str, ...] = ()
    subresource: str = ""

    def owned(self, paths: Iterable[FieldPath]) -> set[FieldPath]:
        """The paths that lie below one of the prefixes."""
        starts = tuple(f"{p}." for p in self.prefixes)
        return {p for p in paths if not starts or _plain(p).startswith(starts)}


@lru_cache(maxsize=20_000)  # Most paths occur in every object of a kind.
def _plain(path: FieldPath) -> str:
    """`spec.replicas.` for the path of that field."""
    return ".".join(s.removeprefix("f:") for s in path) + "."


def first_entries(obj: Obj, managers: Iterable[FieldManager] = ()) -> list[Obj]:
    """The managedFields of an object that these managers wrote.

    A path goes to the first manager that owns it, the rest to kube-controller-manager. Without
    managers all paths go to kubectl.
    """
    left, version = paths(obj), obj["apiVersion"]
    wrote = list(managers) or [FieldManager("kubectl-client-side-apply", created_at(obj))]
    out: list[Obj] = []
    for manager in wrote:
        mine = manager.owned(left)
        left -= mine
        if mine:
            at = rfc3339(manager.at)
            out.append(entry(manager.name, "Update", at, version, mine, manager.subresource))
    if left and out:
        at = rfc3339(wrote[0].at)
        out.append(entry("kube-controller-manager", "Update", at, version, left))
    return out


def record_change(
    before: Obj | None,
    after: Obj,
    *,
    manager: str,
    at: str,
    operation: str = "Update",
    subresource: str = "",
    applied: Obj | None = None,
) -> list[Obj]:
    """The managedFields of `after`. `at` is RFC 3339.

    An Update takes over the paths whose value it changed; removed paths leave every manager. With
    `applied` (server-side apply) the manager owns exactly the fields of its intent.
    """
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
    mine: set[FieldPath] = set(changed)
    me = (manager, operation, subresource)
    for old in old_entries:
        owned = owned_paths(old.get("fieldsV1") or {})
        left = owned & have
        if (old.get("manager"), old.get("operation"), old.get("subresource", "")) == me:
            if applied is None:
                mine |= left
            continue
        if applied is None:
            left -= {p for p in changed if p[-1] != "."}
        if left == owned:
            out.append(old)
        elif left:
            out.append({**old, "fieldsV1": fields_v1(left)})
    if mine:
        version = str(after.get("apiVersion", ""))
        out.append(entry(manager, operation, at, version, mine, subresource))
    return out

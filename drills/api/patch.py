"""JSON patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge patch and a simple
server-side apply."""

from __future__ import annotations

import copy
from typing import Any

from drills.api.objects import Obj
from drills.api.problems import ApiProblem, bad_request

MERGE_KEYS: dict[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "conditions": "type",
    "ownerReferences": "uid",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "addresses": "type",
    "topologySpreadConstraints": "topologyKey",
    "webhooks": "name",
    "secrets": "name",
    "resourceClaims": "name",
    "podIPs": "ip",
    "schedulingGates": "name",
}
"""List field -> merge key, from the patchMergeKey tags of k8s.io/api (patchStrategy=merge)."""

SET_LISTS = frozenset({"finalizers", "podCIDRs"})
"""Lists of plain values that a strategic merge joins."""


def merge_key(field: str, items: list[Any]) -> str | None:
    """The merge key of a list field, seen from its name and content; None when the list is replaced
    whole."""
    if field == "ports":
        for candidate in ("containerPort", "port"):
            if any(isinstance(i, dict) and candidate in i for i in items):
                return candidate
        return None
    return MERGE_KEYS.get(field)


def json_patch(doc: Obj, operations: list[Obj]) -> Obj:
    """Raises ApiProblem (422) when a test fails or a path is missing, as the API server does."""
    out = copy.deepcopy(doc)
    for number, op in enumerate(operations):
        try:
            out = _operate(out, op)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise ApiProblem(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request: "
                f"operation {number} ({op.get('op')} {op.get('path')}): {error}",
            ) from error
    return out


def _operate(doc: Any, op: Obj) -> Any:
    action, path = op["op"], _pointer(op["path"])
    if action == "test":
        if _read(doc, path) != op.get("value"):
            raise ValueError("testing value failed")
        return doc
    if action in {"move", "copy"}:
        source = _pointer(op["from"])
        value = copy.deepcopy(_read(doc, source))
        if action == "move":
            doc = _remove(doc, source)
        return _add(doc, path, value)
    if action == "add":
        return _add(doc, path, copy.deepcopy(op["value"]))
    if action == "remove":
        return _remove(doc, path)
    if action == "replace":
        _read(doc, path)
        if not path:
            return copy.deepcopy(op["value"])
        parent, last = _read(doc, path[:-1]), path[-1]
        parent[int(last) if isinstance(parent, list) else last] = copy.deepcopy(op["value"])
        return doc
    raise ValueError(f"unknown operation {action!r}")


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return [p.replace("~1", "/").replace("~0", "~") for p in text[1:].split("/")]


def _read(doc: Any, path: list[str]) -> Any:
    here = doc
    for step in path:
        here = here[int(step)] if isinstance(here, list) else here[step]
    return here


def _add(doc: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _read(doc, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else int(last), value)
    elif isinstance(parent, dict):
        parent[last] = value
    else:
        raise ValueError("path does not lead to an object or a list")
    return doc


def _remove(doc: Any, path: list[str]) -> Any:
    parent, last = _read(doc, path[:-1]), path[-1]
    if isinstance(parent, list):
        parent.pop(int(last))
    else:
        del parent[last]
    return doc


def merge_patch(doc: Any, change: Any) -> Any:
    """RFC 7386: objects merge, null deletes, everything else replaces."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    out = dict(doc) if isinstance(doc, dict) else {}
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def strategic_merge(doc: Any, change: Any, field: str = "") -> Any:
    """Lists with a merge key merge by it; `$patch: delete|replace`, `$retainKeys`,
    `$setElementOrder/…` and
    `$deleteFromPrimitiveList/…` are honoured. Raises ApiProblem (400) for an item without its merge
    key."""
    if isinstance(change, dict):
        return _strategic_map(doc, change)
    if isinstance(change, list):
        return _strategic_list(doc if isinstance(doc, list) else [], change, field)
    return change


def _strategic_map(doc: Any, change: Obj) -> Any:
    directive = change.get("$patch")
    plain = {k: v for k, v in change.items() if not k.startswith("$")}
    if directive == "replace":
        return copy.deepcopy(plain)
    out = dict(doc) if isinstance(doc, dict) else {}
    retain = change.get("$retainKeys")
    if retain is not None:
        out = {k: v for k, v in out.items() if k in retain}
    for key, gone in change.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            name = key.split("/", 1)[1]
            out[name] = [v for v in out.get(name) or [] if v not in gone]
    for key, value in plain.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = strategic_merge(out.get(key), value, key)
    for key, order in change.items():
        if key.startswith("$setElementOrder/"):
            _reorder(out, key.split("/", 1)[1], order)
    return out


def _strategic_list(old: list[Any], new: list[Any], field: str) -> list[Any]:
    if any(isinstance(i, dict) and i.get("$patch") == "replace" for i in new):
        return [copy.deepcopy(i) for i in new if not (isinstance(i, dict) and "$patch" in i)]
    if field in SET_LISTS:
        return old + [v for v in new if v not in old]
    key = merge_key(field, old + new)
    if key is None:
        return copy.deepcopy(new)
    out = list(old)
    for item in new:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        at = next((i for i, have in enumerate(out) if have.get(key) == item[key]), None)
        if item.get("$patch") == "delete":
            if at is not None:
                out.pop(at)
        elif at is None:
            out.append(_strategic_map({}, item))
        else:
            out[at] = _strategic_map(out[at], item)
    return out


def _reorder(out: Obj, field: str, order: list[Any]) -> None:
    items = out.get(field)
    if not isinstance(items, list):
        return
    key = merge_key(field, [*items, *order])
    rank = {
        (o.get(key) if isinstance(o, dict) and key else o): n
        for n, o in enumerate(order)
        if not isinstance(o, (list,))
    }
    items.sort(key=lambda i: rank.get(i.get(key) if isinstance(i, dict) and key else i, len(rank)))


def apply_merge(doc: Obj, intent: Obj) -> Obj:
    """Server-side apply in its simplest useful form: the intent merged into the object by the
    strategic rules. Fields that an earlier apply owned and this one leaves out are removed by the
    caller."""
    out = strategic_merge(doc, intent)
    assert isinstance(out, dict)
    return out

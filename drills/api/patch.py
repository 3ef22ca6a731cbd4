"""JSON Patch (RFC 6902, by the `jsonpatch` package), JSON Merge Patch (RFC 7386) and strategic
merge patch."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

import jsonpatch
import jsonpointer

from drills.api.objects import Obj, words
from drills.api.problems import ApiProblem, bad_request

MERGE_KEYS: dict[str, str] = {
    **dict.fromkeys(
        words(
            "containers initContainers ephemeralContainers volumes env imagePullSecrets webhooks "
            "secrets resourceClaims schedulingGates"
        ),
        "name",
    ),
    **dict.fromkeys(("conditions", "addresses"), "type"),
    **dict.fromkeys(("hostAliases", "podIPs"), "ip"),
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ownerReferences": "uid",
    "topologySpreadConstraints": "topologyKey",
}
"""List field -> merge key, from the patchMergeKey tags of k8s.io/api (patchStrategy=merge)."""

_SETS = frozenset({"finalizers", "podCIDRs"})
"""Lists of plain values that a strategic merge joins."""


def _merge_key(field: str, items: list[Any]) -> str | None:
    """The merge key of a list field, by its name and content; None when the list is replaced
    whole."""
    if field == "ports":
        found = {
            k for i in items if isinstance(i, dict) for k in ("containerPort", "port") if k in i
        }
        return min(found, default=None)
    return MERGE_KEYS.get(field)


class _Test(jsonpatch.TestOperation):
    """A test for null holds when the member is absent, as in the API server's
    evanphx/json-patch."""

    def apply(self, obj: Any) -> Any:
        parent, last = self.pointer.to_last(obj)
        absent = isinstance(parent, dict) and last not in parent
        return obj if absent and self.operation.get("value") is None else super().apply(obj)


class _Patch(jsonpatch.JsonPatch):
    operations = MappingProxyType({**jsonpatch.JsonPatch.operations, "test": _Test})


def json_patch(doc: Obj, operations: list[Obj]) -> Obj:
    """Raises ApiProblem (422) when a test fails or a path is missing, as the API server does."""
    try:
        out = _Patch(operations).apply(doc)
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
        text = f"the server rejected our request due to an error in our request: {error}"
        raise ApiProblem(422, "Invalid", text) from error
    assert isinstance(out, dict)
    return out


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
    `$setElementOrder/…` and `$deleteFromPrimitiveList/…` are honoured. Raises ApiProblem (400) for
    an item without its merge key."""
    if isinstance(change, dict):
        return _merge_maps(doc, change)
    if isinstance(change, list):
        return _merge_lists(doc if isinstance(doc, list) else [], change, field)
    return change


def _merge_maps(doc: Any, change: Obj) -> Any:
    plain = {k: v for k, v in change.items() if not k.startswith("$")}
    if change.get("$patch") == "replace":
        return copy.deepcopy(plain)
    out = dict(doc) if isinstance(doc, dict) else {}
    if (retain := change.get("$retainKeys")) is not None:
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


def _merge_lists(old: list[Any], new: list[Any], field: str) -> list[Any]:
    if any(isinstance(i, dict) and i.get("$patch") == "replace" for i in new):
        return [copy.deepcopy(i) for i in new if not (isinstance(i, dict) and "$patch" in i)]
    if field in _SETS:
        return old + [v for v in new if v not in old]
    key = _merge_key(field, old + new)
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
            out.append(_merge_maps({}, item))
        else:
            out[at] = _merge_maps(out[at], item)
    return out


def _reorder(out: Obj, field: str, order: list[Any]) -> None:
    items = out.get(field)
    if not isinstance(items, list):
        return
    key = _merge_key(field, [*items, *order])

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) and key else item

    rank = {identity(o): n for n, o in enumerate(order) if not isinstance(o, list)}
    items.sort(key=lambda i: rank.get(identity(i), len(rank)))

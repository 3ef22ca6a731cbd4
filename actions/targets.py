"""Reads objects and turns them into targets: field changes as JSON Patch, deletions, evictions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from shlex import quote
from types import MappingProxyType
from typing import Any

import msgspec

from actions.context import JSON, ActionContext
from actions.definition import CannotPlan
from actions.plan import Change, FieldChange, Target
from cluster.api.mode import JSON_PATCH
from cluster.api.transport import PARTIAL
from cluster.errors import ClusterError, NotFound
from cluster.kube.kinds import READABLE
from cluster.kube.objects import Ref

READ_S = 10.0
_NO_TESTS: Mapping[str, Any] = MappingProxyType({})
SPEC = "spec"
"""The name of the digest of a spec in the state of a target."""
_SHOWN_SPEC = ("unschedulable", "taints", "replicas", "paused", "suspend")


def kubectl_name(ref: Ref) -> str:
    """How kubectl names an object, quoted for a shell: `deployment/web -n shop`."""
    where = f" -n {quote(ref.namespace)}" if ref.namespace else ""
    return f"{quote(f'{ref.kind.lower()}/{ref.name}')}{where}"


def accept_of(ref: Ref) -> str:
    """The requested format of an object: only metadata where values are never read."""
    return PARTIAL if READABLE[ref.kind].metadata_only else JSON


def path_of(ref: Ref) -> str:
    """Path of an object below the server's root. Raises KeyError for an unknown kind."""
    return f"{READABLE[ref.kind].path(ref.namespace)}/{ref.name}"


async def read(context: ActionContext, ref: Ref) -> dict[str, Any]:
    """The current object; of a Secret or ConfigMap only its metadata. Raises `CannotPlan`."""
    try:
        found = await context.api.get_json(path_of(ref), timeout=READ_S, accept=accept_of(ref))
    except NotFound:
        raise CannotPlan(f"{ref} does not exist.") from None
    except ClusterError as error:
        raise CannotPlan(f"{ref} cannot be read, so its change is not known: {error}") from None
    return dict(found)


def typed(found: Mapping[str, Any], ref: Ref) -> Any:
    """What `read` gave, as a value of the type that the live state holds.

    A plan describes its own object by this alone. The live state follows a moment later, and a plan
    that takes its object from there differs from the same plan made again, so that the gate refuses
    it. Raises `CannotPlan`.
    """
    try:
        return msgspec.convert(found, READABLE[ref.kind].type, strict=False)
    except msgspec.ValidationError as error:
        raise CannotPlan(f"{ref} is not understood: {error}") from None


# ---- fields


def pointer(*tokens: str | int) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(each).replace('~', '~0').replace('/', '~1')}" for each in tokens)


def value_at(document: Any, at: str) -> tuple[bool, Any]:
    """(exists, value) at a JSON pointer."""
    here = document
    for raw in at.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping) and token in here:
            here = here[token]
        elif isinstance(here, Sequence) and not isinstance(here, str) and token.isdecimal():
            if int(token) >= len(here):
                return False, None
            here = here[int(token)]
        else:
            return False, None
    return True, here


def set_field(found: Mapping[str, Any], tokens: Sequence[str | int], after: Any) -> FieldChange:
    """Sets one field; missing parents are created with it."""
    for depth in range(1, len(tokens) + 1):
        at = pointer(*tokens[:depth])
        exists, before = value_at(found, at)
        if not exists:
            for token in reversed(tokens[depth:]):
                after = {token: after}
            return FieldChange(at, None, after, has_before=False)
    return FieldChange(at, before, after)


def remove_field(found: Mapping[str, Any], tokens: Sequence[str | int]) -> FieldChange:
    """Removes one field. Raises `CannotPlan` when it is absent."""
    at = pointer(*tokens)
    exists, before = value_at(found, at)
    if not exists:
        raise CannotPlan(f"{'.'.join(map(str, tokens))} is not set; there is nothing to remove.")
    return FieldChange(at, before, None, has_after=False)


def same(one: object, other: object) -> bool:
    """Whether two field values are equal to the API, which drops false, 0 and empty values."""
    return one == other or (not one and not other)


def words(change: FieldChange) -> str:
    """The difference in one line: "spec.replicas: 3 -> 5"."""
    field = _dotted(change.pointer)
    before = _short(change.before) if change.has_before else "not set"
    after = _short(change.after) if change.has_after else "removed"
    return f"{field}: {before} -> {after}"


def reading(found: Mapping[str, Any], at: str) -> str:
    """What a field holds, in words: "spec.replicas is 5"."""
    exists, value = value_at(found, at)
    return f"{_dotted(at)} is {_short(value) if exists else 'not set'}"


def _dotted(at: str) -> str:
    return at[1:].replace("/", ".").replace("~1", "/").replace("~0", "~")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}…"


def patch_operations(
    found: Mapping[str, Any], changes: Sequence[FieldChange], tests: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """JSON Patch (RFC 6902) that applies only to this object with these values: the server refuses
    it after one of them changed. `tests`: pointer -> further value that must match."""
    meta = found["metadata"]
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/uid", "value": meta["uid"]}
    ]
    operations += [{"op": "test", "path": at, "value": value} for at, value in tests.items()]
    for change in changes:
        # A test for null holds where the member is absent (evanphx/json-patch, as the server has).
        before = change.before if change.has_before else None
        operations.append({"op": "test", "path": change.pointer, "value": before})
    for change in changes:
        if not change.has_after:
            operations.append({"op": "remove", "path": change.pointer})
        else:
            name = "replace" if change.has_before else "add"
            operations.append({"op": name, "path": change.pointer, "value": change.after})
    return operations


# ---- targets


def shown_state(found: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What a plan shows of an object and the gate compares: labels, a deletion in progress, the
    switches of its spec, and whether the rest of the spec is unchanged."""
    meta, spec = found["metadata"], found.get("spec") or {}
    state = [(f"label {key}", str(value)) for key, value in (meta.get("labels") or {}).items()]
    state += [(f"spec.{key}", json.dumps(spec[key])) for key in _SHOWN_SPEC if key in spec]
    if rest := {key: value for key, value in spec.items() if key not in _SHOWN_SPEC}:
        state.append((SPEC, hashlib.sha256(msgspec.json.encode(rest, order="sorted")).hexdigest()))
    if meta.get("deletionTimestamp"):
        state.append(("deleted since", str(meta["deletionTimestamp"])))
    return tuple(sorted(state))


def without_history(found: Mapping[str, Any]) -> dict[str, Any]:
    """The object without managedFields, for the record."""
    meta = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
    return {**found, "metadata": meta}


def patched(
    ref: Ref,
    found: Mapping[str, Any],
    changes: Sequence[FieldChange],
    kubectl: str,
    *,
    tests: Mapping[str, Any] = _NO_TESTS,
) -> Target:
    """A target whose fields change. Raises `CannotPlan` when nothing would change."""
    changes = [
        each for each in changes if (each.has_before, each.before) != (each.has_after, each.after)
    ]
    if not changes:
        raise CannotPlan(f"{ref} is already so; there is nothing to change.")
    summary = f"{ref} {'; '.join(words(each) for each in changes)}"
    body = patch_operations(found, changes, tests)
    request = Change("PATCH", path_of(ref), body, JSON_PATCH, kubectl, summary)
    return _target(ref, found, request, tuple(changes))


def deleted(
    ref: Ref,
    found: Mapping[str, Any],
    kubectl: str,
    *,
    grace_seconds: int | None = None,
    recreate: bool = False,
) -> Target:
    """A target that is deleted, by its uid."""
    request = Change(
        "DELETE",
        path_of(ref),
        {},
        "application/json",
        kubectl,
        f"{ref} is deleted",
        uid=found["metadata"]["uid"],
        grace_seconds=grace_seconds,
    )
    return _target(ref, found, request, recreate=recreate)


def evicted(ref: Ref, found: Mapping[str, Any], kubectl: str) -> Target:
    """A pod to evict: deleted only when every PodDisruptionBudget allows it."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "deleteOptions": {"preconditions": {"uid": found["metadata"]["uid"]}},
    }
    path = f"{path_of(ref)}/eviction"
    summary = f"{ref} is evicted"
    request = Change(
        "POST", path, body, "application/json", kubectl, summary, blocked_by_budget=True
    )
    return _target(ref, found, request)


def created(manifest: Mapping[str, Any], kubectl: str) -> Target:
    """An object to create from its manifest."""
    meta = manifest["metadata"]
    ref = Ref(str(manifest["kind"]), str(meta.get("namespace") or ""), str(meta["name"]))
    kept = {
        key: meta[key] for key in ("name", "namespace", "labels", "annotations") if meta.get(key)
    }
    body = {key: value for key, value in manifest.items() if key != "status"} | {"metadata": kept}
    collection = READABLE[ref.kind].path(ref.namespace)
    request = Change("POST", collection, body, "application/json", kubectl, f"{ref} is created")
    return Target(ref, path_of(ref), "", "", request)


def _target(
    ref: Ref,
    found: Mapping[str, Any],
    request: Change,
    fields: tuple[FieldChange, ...] = (),
    *,
    recreate: bool = False,
) -> Target:
    meta = found["metadata"]
    return Target(
        ref,
        path_of(ref),
        str(meta["uid"]),
        str(meta["resourceVersion"]),
        request,
        fields,
        shown_state(found),
        before=None if ref.kind == "Secret" else without_history(found),
        recreate=recreate,
    )

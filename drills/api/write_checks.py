"""What the API server refuses in a write: another identity, unmet preconditions, conflicts."""

from __future__ import annotations

from drills.api.kinds import ApiResource
from drills.api.managed_fields import owned_paths, paths, value_at
from drills.api.objects import Obj
from drills.api.problems import bad_request, conflict
from drills.api.requests import RequestInfo


def check_identity(target: RequestInfo, obj: Obj) -> None:
    """Raises ApiProblem (400) when a body names another kind, namespace or object than the URL."""
    kind, meta = target.kind, obj.setdefault("metadata", {})
    if obj.get("kind") not in {None, "", kind.kind}:
        raise bad_request(
            f'{obj.get("kind")} in version "{obj.get("apiVersion")}" cannot be handled as a '
            f"{kind.kind}: no kind {obj.get('kind')!r} is registered for this resource"
        )
    if kind.namespaced and meta.get("namespace") not in {None, "", target.namespace}:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if target.name and meta.get("name") not in {None, "", target.name}:
        raise bad_request(
            f"the name of the object ({meta.get('name')}) does not match the name on the URL "
            f"({target.name})"
        )


def check_preconditions(kind: ApiResource, name: str, meta: Obj, required: Obj) -> None:
    for field, title, happened in (
        ("uid", "UID", "deleted and then recreated"),
        ("resourceVersion", "ResourceVersion", "modified"),
    ):
        asked, have = required.get(field), meta[field]
        if asked and asked != have:
            raise conflict(
                kind,
                name,
                f"the {title} in the precondition ({asked}) does not match the {title} in record "
                f"({have}). The object might have been {happened}",
            )


def check_conflicts(kind: ApiResource, before: Obj, intent: Obj, manager: str) -> None:
    """Raises ApiProblem (409) when an apply changes fields that another manager owns."""
    wanted = {
        p for p in paths(intent) if p[-1] != "." and value_at(before, p) != value_at(intent, p)
    }
    for entry in before["metadata"].get("managedFields") or []:
        if entry["manager"] == manager and entry["operation"] == "Apply":
            continue
        both = wanted & owned_paths(entry.get("fieldsV1") or {})
        if both:
            fields = ", ".join(sorted("." + ".".join(s[2:] for s in p) for p in both))
            other = f'conflict with "{entry["manager"]}"'
            problem = conflict(kind, before["metadata"]["name"])
            count = f"{len(both)} conflict{'s' if len(both) > 1 else ''}"
            problem.status["message"] = f"Apply failed with {count}: {other}: {fields}"
            cause = {"reason": "FieldManagerConflict", "message": other, "field": fields}
            problem.status["details"] = {"causes": [cause]}
            raise problem

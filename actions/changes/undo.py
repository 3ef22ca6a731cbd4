"""Undoes a recorded change: sets each changed field to its previous value, and creates deleted
objects again from their manifest.

Works after a restart, because the record holds the values. Does not touch a field that was changed
again since; of lists and maps it takes back only its own difference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from actions.context import ActionContext
from actions.definition import Action, CannotPlan, Proposal
from actions.parameters import Parameter, text
from actions.plan import FieldChange, Target
from actions.targets import created, kubectl_name, patched, read, same, value_at
from cluster.kube.objects import Ref
from cluster.kube.text import clean_line


async def _build(context: ActionContext, values: Mapping[str, Any]) -> Proposal:
    document = context.recorded(values["change"])
    if document is None:
        raise CannotPlan(f"The record has no change {values['change']!r}.")
    if document.get("server") != context.server:
        raise CannotPlan(f"That change was made on {document.get('server')}, not on this cluster.")
    if "⟦" in json.dumps(document.get("targets"), ensure_ascii=False):
        raise CannotPlan("The record holds a redacted value of that change; restore it by hand.")
    # The command that the change itself named stands for all of its objects.
    alone = len(document.get("targets") or ()) == 1
    known = str((document.get("undo") or {}).get("kubectl") or "")
    command = known if alone and known.startswith("kubectl ") else ""
    targets: list[Target] = []
    notes: list[str] = []
    for each in reversed(list(document.get("targets") or ())):
        ref = Ref(*(str(each["object"][key]) for key in ("kind", "namespace", "name")))
        try:
            target = await _restored(context, ref, each, command)
        except CannotPlan as reason:
            notes.append(str(reason).rstrip("."))
            continue
        if target is not None:
            targets.append(target)
    if not targets:
        raise CannotPlan(f"There is nothing to undo: {'; '.join(notes) or 'it has no way back'}.")
    about = document["object"]
    summary = (
        f"undo of {document.get('action')}: {'; '.join(t.request.summary for t in targets[:3])}"
    )
    return Proposal(
        Ref(about["kind"], about["namespace"], about["name"]),
        tuple(targets),
        summary,
        warnings=tuple(f"not undone: {note}" for note in notes),
    )


async def _restored(
    context: ActionContext, ref: Ref, recorded: Mapping[str, Any], command: str
) -> Target | None:
    """The target that reverts one recorded target; None when it cannot be reverted. `command`: what
    does the same by hand, "" when it is not known."""
    manifest = recorded.get("recreate")
    if manifest:
        try:
            await read(context, ref)
        except CannotPlan:
            return created(manifest, f"kubectl create -f the recorded manifest of {ref.name}")
        raise CannotPlan(f"{ref} exists already.")
    if not recorded.get("fields"):
        return None
    found = await read(context, ref)
    if found["metadata"]["uid"] != recorded["uid"]:
        raise CannotPlan(f"{ref} was deleted and created again since.")
    changes = [_back(ref, found, each) for each in recorded["fields"]]
    return patched(ref, found, changes, command or _command(ref, changes))


def _back(ref: Ref, found: Mapping[str, Any], field: Mapping[str, Any]) -> FieldChange:
    at = field["pointer"]
    exists, now = value_at(found, at)
    before, after = field.get("before"), field.get("after")
    if same(now, after) or same(now, before):
        return FieldChange(at, now, before, exists, "before" in field)
    merged = _without_own(before, after, now)
    if merged is None:
        raise CannotPlan(f"{ref} {at} was changed since to {now!r}; restore it by hand.")
    return FieldChange(at, now, merged, exists)


def _without_own(before: Any, after: Any, now: Any) -> Any:
    """The current list or map without our own difference; None for other values."""
    if isinstance(now, list) and isinstance(after or [], list) and isinstance(before or [], list):
        own = [each for each in after or [] if each not in (before or [])]
        lost = [each for each in before or [] if each not in (after or []) and each not in now]
        return [each for each in now if each not in own] + lost
    if isinstance(now, dict) and isinstance(after or {}, dict) and isinstance(before or {}, dict):
        keys = {key for key, value in (after or {}).items() if (before or {}).get(key) != value}
        kept = {k: v for k, v in now.items() if k not in keys or (after or {}).get(k) != v}
        return kept | {k: v for k, v in (before or {}).items() if k in keys or k not in now}
    return None


def _command(ref: Ref, changes: list[FieldChange]) -> str:
    fields = ", ".join(each.pointer for each in changes)
    return f"kubectl edit {kubectl_name(ref)}   # {clean_line(fields)}"


ACTIONS = (
    Action(
        "undo",
        "Restore what a recorded change of this incident changed.",
        (Parameter("change", "id of the change in the record", text),),
        "The same objects as the change itself.",
        "undo of the undo, from the record as well",
        _build,
    ),
)

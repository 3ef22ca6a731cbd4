"""Applies revisions: what a reader sees, with the original beside it. Rows T3 and T4 of the
timeline reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from timeline.entry import Entry, order, parse_stamp

DRAFT_LIMIT: Final = 40
"""Most lines of a draft that are only suggested."""


class RevisedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it reads now.

    `entry` has the revisions applied, `original` is as recorded (its hash is in the chain).
    `suggested`: the tool proposes it for the draft. `pinned`: None until a person decides.
    """

    entry: Entry
    original: Entry
    revisions: tuple[Entry, ...] = ()
    hidden: bool = False
    pinned: bool | None = None
    suggested: bool = False

    @property
    def in_draft(self) -> bool:
        return not self.hidden and (self.suggested if self.pinned is None else self.pinned)

    @property
    def edited(self) -> bool:
        return self.entry != self.original


def latest(entries: Sequence[Entry]) -> list[RevisedEntry]:
    """Lines for all entries that are not revisions themselves, ordered by (occurred_at, seq) after
    edits."""
    by_target: dict[str, list[Entry]] = defaultdict(list)
    in_record_order = sorted(entries, key=lambda entry: (entry.pending, entry.seq, entry.id))
    for entry in in_record_order:
        if entry.kind == "revision":
            by_target[entry.supersedes].append(entry)
    suggested = _suggested(in_record_order)
    lines = [
        _line(entry, by_target, entry.id in suggested)
        for entry in in_record_order
        if entry.kind != "revision"
    ]
    return sorted(lines, key=lambda line: order(line.entry))


def draft_entries(lines: Sequence[RevisedEntry]) -> list[RevisedEntry]:
    """The lines of the draft: pinned ones, and suggested ones up to DRAFT_LIMIT in total."""
    chosen = [line for line in lines if line.in_draft]
    spare = DRAFT_LIMIT - sum(1 for line in chosen if line.pinned)
    out = []
    for line in chosen:
        if not line.pinned:
            spare -= 1
            if spare < 0 and line.entry.kind not in _ALWAYS:
                continue
        out.append(line)
    return out


_ALWAYS: Final = frozenset({"milestone", "action-intent", "action-result", "note"})


def _line(entry: Entry, by_target: dict[str, list[Entry]], suggested: bool) -> RevisedEntry:
    revisions = by_target.get(entry.id, [])
    shown, hidden, pinned = entry, False, None
    for revision in revisions:
        if _undone(revision, by_target):
            continue
        action = revision.data.get("action")
        if action == "edit":
            shown = _edited(shown, revision)
        elif action in ("hide", "unhide"):
            hidden = action == "hide"
        elif action in ("pin", "unpin"):
            pinned = action == "pin"
    return RevisedEntry(
        entry=shown,
        original=entry,
        revisions=tuple(revisions),
        hidden=hidden,
        pinned=pinned,
        suggested=suggested,
    )


def _undone(revision: Entry, by_target: dict[str, list[Entry]]) -> bool:
    """An undo may itself be undone; the last one counts."""
    return any(
        other.data.get("action") == "undo" and not _undone(other, by_target)
        for other in by_target.get(revision.id, [])
    )


def _edited(entry: Entry, revision: Entry) -> Entry:
    changes: dict[str, Any] = {}
    for field in ("text", "phase"):
        value = revision.data.get(field)
        if isinstance(value, str):
            changes[field] = value
    moment = revision.data.get("occurred_at")
    if isinstance(moment, str):
        changes["occurred_at"] = parse_stamp(moment)
    if isinstance(revision.data.get("severity"), str):
        changes["data"] = {**entry.data, "severity": revision.data["severity"]}
    return msgspec.structs.replace(entry, **changes)


def _suggested(entries: Sequence[Entry]) -> set[str]:
    """Ids that the tool proposes for the draft: first sight, transitions, actions, statements and
    decisions."""
    chosen: set[str] = set()
    followed: set[object] = set()
    observations = 0
    top_match = ""
    for entry in entries:
        if entry.kind == "observation":
            observations += 1
            symptom = entry.data.get("symptom")
            critical = entry.data.get("severity") == "critical"
            ended = entry.data.get("event") == "cleared" and symptom in followed
            if observations == 1 or critical or ended:
                chosen.add(entry.id)
                followed.add(symptom)
        elif entry.kind == "note":
            if not entry.data.get(
                "event"
            ):  # The tool's own notes (a step gone to, an observation) name their event.
                chosen.add(entry.id)
        elif entry.kind == "match":
            best = str(entry.data.get("runbook", entry.data.get("id", entry.text)))
            if best != top_match:
                chosen.add(entry.id)
            top_match = best
        elif entry.kind in _SUGGESTED:
            chosen.add(entry.id)
    return chosen


_SUGGESTED: Final = frozenset(
    {
        "incident-opened",
        "incident-closed",
        "incident-reopened",
        "connectivity",
        "probe-result",
        "action-intent",
        "action-result",
        "action-declined",
        "hypothesis",
        "milestone",
    }
)

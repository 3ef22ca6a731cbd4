"""Pairs intents with their results. Row T9: an intent without a result is unknown, to be verified,
never simply repeated."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime

from timeline.entry import CLOSED_BY, Entry

_CLOSES = {closing: intent for intent, enders in CLOSED_BY.items() for closing in enders}


def pair(entries: Iterable[Entry]) -> Sequence[tuple[Entry, Entry | None]]:
    """Each intent with the entry that ended it, None for an open one. `entries` are in the order of
    the record. A result ends only earlier intents: the same object may be created again under the
    same key."""
    results: dict[str, Entry | None] = {}
    intents: dict[str, Entry] = {}
    waiting: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if entry.kind in CLOSED_BY:
            intents[entry.id], results[entry.id] = entry, None
            waiting.setdefault((entry.kind, entry.intent_id), []).append(entry.id)
        elif entry.kind in _CLOSES and entry.intent_id:
            for identifier in waiting.pop((_CLOSES[entry.kind], entry.intent_id), ()):
                results[identifier] = entry
    return [(intents[identifier], result) for identifier, result in results.items()]


def unfinished(entries: Iterable[Entry]) -> Sequence[Entry]:
    """Open intents, in the order of the record."""
    return [intent for intent, result in pair(entries) if result is None]


def own_changes(entries: Iterable[Entry]) -> Mapping[tuple[str, str, str], datetime]:
    """The objects (kind, namespace, name) that this incident changed through the gate, with the
    time of the first change."""
    found: dict[tuple[str, str, str], datetime] = {}
    for entry in entries:
        if entry.object is not None and entry.kind == "action-intent":
            key = (entry.object.kind, entry.object.namespace, entry.object.name)
            found.setdefault(key, entry.occurred_at)
    return found


def unknown_changes(entries: Sequence[Entry], own: Container[str]) -> Sequence[Entry]:
    """Open intents of actions, except those in `own` (ids). A later result of the same action on
    the same object settles them."""
    seen = {
        (entry.data.get("action"), str(entry.object)): position
        for position, entry in enumerate(entries)
        if entry.kind == "action-result"
    }
    position = {entry.id: number for number, entry in enumerate(entries)}
    return tuple(
        entry
        for entry in unfinished(entries)
        if entry.kind == "action-intent"
        and entry.id not in own
        and seen.get((entry.data.get("action"), str(entry.object)), -1) < position[entry.id]
    )

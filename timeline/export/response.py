"""Sections on what was done: intents beside their results (row T9)."""

from __future__ import annotations

from timeline.entry import Entry
from timeline.export.document import Block, Cell, Outside, Para, Table
from timeline.export.wording import Wording, happened, moment, seqs
from timeline.intents import pair


def steps(w: Wording) -> list[Block]:
    """Runs and their steps."""
    blocks: list[Block] = []
    for line in w.lines:
        if line.entry.kind == "run-started":
            blocks.append(
                Para((f"{moment(line.entry)} UTC: ", w.text(line.entry), seqs(line.entry)))
            )
    blocks.append(_pairs(w, "step-intent", ("step-skipped",)))
    return blocks


def probes(w: Wording) -> list[Block]:
    """Probes and what they created."""
    return [_pairs(w, "probe-intent"), _created(w)]


def actions(w: Wording) -> list[Block]:
    """Changes to the cluster, with what was declined."""
    return [_pairs(w, "action-intent", ("action-declined",))]


def _pairs(w: Wording, intent_kind: str, alone: tuple[str, ...] = ()) -> Block:
    """Each intent beside its result, and what happened without an intent (skipped, declined)."""
    results = _results(w)
    entries = [line.entry for line in w.lines]
    paired = {result.id for result in results.values() if result is not None}
    rows: list[tuple[Cell, ...]] = []
    for entry in entries:
        if entry.kind == intent_kind:
            result = results.get(entry.id)
            outcome: Cell = (
                _outcome(w, result) if result else ("**unknown — verify**: no result was recorded",)
            )
            rows.append(
                (
                    (happened(entry),),
                    (w.text(entry),),
                    outcome,
                    (w.people.who(entry),),
                    w.refs(entry, result),
                )
            )
        elif entry.kind in alone and entry.id not in paired:
            rows.append(
                (
                    (happened(entry),),
                    (w.text(entry),),
                    _outcome(w, entry),
                    (w.people.who(entry),),
                    w.refs(entry),
                )
            )
    if not rows:
        return Para(("Nothing recorded.",))
    return Table(("Happened (UTC)", "What", "Result", "Who", "Entries"), tuple(rows))


def _outcome(w: Wording, entry: Entry) -> Cell:
    state = str(entry.data.get("state") or entry.data.get("outcome") or "")
    lead = {"action-declined": "declined", "step-skipped": "skipped"}.get(entry.kind, "")
    parts: list[str | Outside] = []
    if lead:
        parts.append(f"{lead} ")
    elif state:
        parts += [w.out(state), ": "]
    if not lead:
        parts.append(w.text(entry))
    if entry.reason:
        parts += ["— " if lead else " — ", w.out(entry.reason)]
    return tuple(parts)


def _created(w: Wording) -> Block:
    results = _results(w)
    rows = tuple(
        (
            (happened(entry),),
            (w.text(entry),),
            ("removed",) if result else ("**not known to be removed — verify**",),
            w.refs(entry, result),
        )
        for entry, result in (
            (line.entry, results.get(line.entry.id))
            for line in w.lines
            if line.entry.kind == "object-intent"
        )
    )
    if not rows:
        return Para(("No object was created in the cluster.",))
    return Table(("Happened (UTC)", "Created in the cluster", "Now", "Entries"), rows)


def _results(w: Wording) -> dict[str, Entry | None]:
    """What ended each intent, by the intent's id."""
    in_record_order = sorted((line.entry for line in w.lines), key=lambda entry: entry.seq)
    return {intent.id: result for intent, result in pair(in_record_order)}

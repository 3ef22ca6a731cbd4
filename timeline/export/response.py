"""Sections about the response: intents beside their results (row T9)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from timeline.entry import Entry
from timeline.export.document import Block, DraftTable, Outside, Para, TableCell
from timeline.export.wording import Wording, happened, intervention_text, moment, seqs, without_lead

_VERIFY: TableCell = ("**unknown — verify**: no result was recorded",)


def steps(w: Wording) -> list[Block]:
    """Runs and their steps."""
    blocks: list[Block] = [
        Para((f"{moment(line.entry)} UTC: ", w.text(line.entry), seqs(line.entry)))
        for line in w.lines
        if line.entry.kind == "run-started"
    ]
    blocks.append(_pairs(w, "step-intent", "step-skipped"))
    return blocks


def probes(w: Wording) -> list[Block]:
    """Probes, what they measured, and what they created."""
    blocks: list[Block] = [_pairs(w, "probe-intent", "")]
    for entry in (line.entry for line in w.lines):
        if entry.kind == "probe-result":
            blocks += [each for sha256 in entry.evidence for each in matrix(w, sha256)]
    return [*blocks, _created(w)]


def matrix(w: Wording, sha256: str) -> Iterator[Block]:
    """The cells of a probe as a table: a row for each source, a column for each target."""
    blob = next((each for each in w.source.evidence if each.sha256 == sha256), None)
    cells = read_json(blob.text).get("cells") if blob is not None else None
    if not isinstance(cells, list) or not cells:
        return
    found: dict[str, dict[str, str]] = {}
    for cell in cells:
        if isinstance(cell, dict):
            counted = cell.get("results")
            shown = counted.items() if isinstance(counted, dict) else ()
            result = ", ".join(f"{name} {count}" for name, count in shown)
            mark = " (!)" if cell.get("expected") == "deny" and "ok" in result else ""
            found.setdefault(_end(cell.get("from")), {})[_end(cell.get("to"))] = result + mark
    targets = list(dict.fromkeys(target for row in found.values() for target in row))[:_COLUMNS]
    yield Para((f"**{w.names[sha256]}** from (rows) to (columns):",))
    yield DraftTable(
        ("", *(w.out(target) for target in targets)),
        tuple(
            ((w.out(source),), *((w.out(row.get(target, "")),) for target in targets))
            for source, row in found.items()
        ),
    )


_CHECKED = {"failed": "abnormal", "passed": "as expected"}
"""What the state of a check says about its object."""
_COLUMNS = 12
"""Most target columns of a matrix in a draft; the evidence has all."""


def _end(end: Any) -> str:
    """One end of a measurement: its place rather than its pod."""
    if not isinstance(end, dict):
        return "?"
    where = end.get("namespace") or end.get("address") or ""
    service = "" if end.get("pod") else str(end.get("service") or "").partition(" for ")[0]
    if service:
        where = "/".join(filter(None, (str(end.get("namespace") or ""), service)))
    port = f":{end['port']}" if end.get("port") else ""
    node = f" on {end['node']}" if end.get("node") else ""
    return f"{where}{port}{node}" or str(end.get("pod", "?"))


def read_json(text: str) -> Mapping[str, Any]:
    """A JSON object, {} for any other text."""
    try:
        value = json.loads(text) if text.lstrip().startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def actions(w: Wording) -> list[Block]:
    """Changes to the cluster, also those made by hand, and declined ones."""
    rows: list[tuple[datetime, tuple[TableCell, ...]]] = [
        (
            act.intent.occurred_at,
            (
                (happened(act.intent),),
                intervention_text(w, act),
                _outcome(w, act.result) if act.result is not None else _VERIFY,
                (w.people.who(act.result if act.by_hand and act.result else act.intent),),
                w.refs(
                    act.intent,
                    act.result if act.result is not act.intent else None,
                ),
            ),
        )
        for act in w.story.interventions
    ]
    rows += [
        (entry.occurred_at, _alone(w, entry))
        for entry in (line.entry for line in w.lines)
        if entry.kind == "action-declined"
    ]
    if not rows:
        return [Para(("Nothing recorded.",))]
    return [DraftTable(_HEADER, tuple(row for _, row in sorted(rows, key=lambda each: each[0])))]


_HEADER = ("Happened (UTC)", "What", "Result", "Who", "Entries")


def _pairs(w: Wording, intent_kind: str, alone: str) -> Block:
    """Each intent beside its result, and entries without an intent (skipped)."""
    rows: list[tuple[TableCell, ...]] = []
    for entry in (line.entry for line in w.lines):
        if entry.kind == intent_kind:
            result = w.story.answered.get(entry.id)
            outcome = _outcome(w, result) if result else _VERIFY
            who = w.people.who(result or entry)
            rows.append(
                ((happened(entry),), (w.text(entry),), outcome, (who,), w.refs(entry, result))
            )
        elif entry.kind == alone and entry.id not in w.story.asked:
            rows.append(_alone(w, entry))
    return DraftTable(_HEADER, tuple(rows)) if rows else Para(("Nothing recorded.",))


def _alone(w: Wording, entry: Entry) -> tuple[TableCell, ...]:
    return (
        (happened(entry),),
        (w.text(entry),),
        _outcome(w, entry),
        (w.people.who(entry),),
        w.refs(entry),
    )


def _outcome(w: Wording, entry: Entry) -> TableCell:
    state = str(entry.data.get("outcome") or entry.data.get("state") or "")
    lead = {"action-declined": "declined", "step-skipped": "skipped"}.get(entry.kind, "")
    asked = w.story.asked.get(entry.id)
    before = asked.text if asked is not None else ""
    text = without_lead(entry.text.removeprefix(before).strip(), before)
    if state and text.casefold().startswith(f"{state}: "):
        text = text[len(state) + 2 :]
        text = "" if before.endswith(text) else text
    text = "" if lead or text.casefold().rstrip(".") == state else text
    if entry.kind in ("step-result", "probe-result"):
        found = entry.data.get("answer") == "found"
        state = "found" if found and state == "failed" else _CHECKED.get(state, state)
        if asked is not None and entry.time_source == "human":
            state = ""  # a person's answer says it in their own words
    parts: list[str | Outside] = [f"{lead} " if lead else w.out(state if text or state else "")]
    if text:
        parts += [": ", w.out(text)] if state else [w.out(text)]
    if entry.reason:
        parts += ["— " if lead else " — ", w.out(entry.reason)]
    return tuple(parts)


def _created(w: Wording) -> Block:
    rows = tuple(
        (
            (happened(entry),),
            (w.text(entry),),
            ("removed",) if result else ("**not known to be removed — verify**",),
            w.refs(entry, result),
        )
        for entry, result in (
            (line.entry, w.story.answered.get(line.entry.id))
            for line in w.lines
            if line.entry.kind == "object-intent"
        )
    )
    if not rows:
        return Para(("No object was created in the cluster.",))
    return DraftTable(("Happened (UTC)", "Created in the cluster", "Now", "Entries"), rows)

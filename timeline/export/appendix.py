"""Sections that check the record: metrics, what is unknown or unsupported, evidence, redactions,
the head of the chain."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from timeline.entry import ABOUT, CHANGED, Entry
from timeline.export.document import (
    Block,
    DraftTable,
    Items,
    Outside,
    Para,
    Preformatted,
    TableCell,
)
from timeline.export.response import read_json
from timeline.export.wording import LEADS, Wording, excerpt, milestone_name, moment, seqs, word
from timeline.metrics import duration, phases
from timeline.metrics import metrics as find_metrics
from timeline.revisions import draft_entries
from timeline.story import proof

_CLAIMS: Final = frozenset(
    {
        "observation",
        "note",
        "hypothesis",
        "milestone",
        "contributing-factor",
        "probe-result",
        "action-result",
    }
)


def metrics(w: Wording) -> list[Block]:
    """Durations, each with the entries that mark its ends."""
    rows = tuple(
        (
            (metric.name,),
            (metric.meaning,),
            (metric.text,),
            (f"seq {metric.since} to {metric.until}" if metric.since else "",),
        )
        for metric in find_metrics(w.source.lines)
    )
    blocks: list[Block] = [DraftTable(("Metric", "Meaning", "Value (HH:MM:SS)", "From"), rows)]
    spent = phases(w.source.lines)
    if spent:
        blocks.append(
            Items(
                tuple((word(phase), f": {duration(seconds)}") for phase, seconds in spent.items())
            )
        )
    blocks += [Para((f"Check the order: {warning}.",)) for warning in w.warnings]
    return blocks


def unknown(w: Wording) -> list[Block]:
    """Intents without a result."""
    if not w.source.unfinished:
        return [Para(("None: every intent has a result.",))]
    return [
        Items(
            tuple(
                (
                    f"{moment(entry)} UTC, ",
                    word(entry.kind),
                    " without a result: ",
                    w.text(entry),
                    seqs(entry),
                )
                for entry in w.source.unfinished
            ),
            tasks=True,
        )
    ]


def unsupported(w: Wording) -> list[Block]:
    """Key entries without evidence."""
    bare = [
        line.entry
        for line in draft_entries(w.source.lines)
        if line.entry.kind in _CLAIMS and not _supported(w, line.entry)
    ]
    if not bare:
        return [Para(("None: every key entry has evidence.",))]
    return [
        Items(
            tuple(
                (
                    f"{moment(entry)} UTC, ",
                    word(LEADS.get(entry.kind, milestone_name(entry))),
                    " (",
                    word(entry.confidence),
                    "): ",
                    w.text(entry),
                    seqs(entry),
                )
                for entry in bare
            )
        )
    ]


def _supported(w: Wording, entry: Entry) -> bool:
    """Bytes that were seen, or objects that the API returned: of the entry, of the intent of a
    change, or of the check of Verify before a mark."""
    held = (entry, w.story.asked.get(entry.id), proof([line.entry for line in w.lines], entry))
    return any(
        each.evidence or each.data.get(ABOUT) or each.data.get("findings")
        for each in held
        if each is not None
    )


def evidence(w: Wording) -> list[Block]:
    """Each piece of evidence: what it is, its source, its hash, its first lines."""
    if not w.source.evidence:
        return [Para(("None stored.",))]
    facts: dict[str, tuple[Entry, str]] = {}
    for entry in w.source.entries:
        for capture in entry.data.get("captures", ()):
            facts.setdefault(str(capture.get("sha256")), (entry, str(capture.get("source", ""))))
    blocks: list[Block] = []
    for blob in w.source.evidence:
        name = w.names[blob.sha256]
        seen_in = facts.get(blob.sha256)
        size = f"{blob.size} bytes" + (f", cut from {blob.original_size}" if blob.truncated else "")
        seen: TableCell = (
            (f", seen {seen_in[0].recorded_at:%Y-%m-%d %H:%M:%S} UTC", seqs(seen_in[0]))
            if seen_in
            else ()
        )
        command: TableCell = (
            (" from ", Outside(w.out(seen_in[1]).text, code=True)) if seen_in and seen_in[1] else ()
        )
        blocks.append(Para((f"**{name}** {size}", *command, *seen, f", sha256 {blob.sha256}")))
        if blob.content is None:
            blocks.append(Para((_NOT_KEPT,)))
        else:
            shown = blob.text if blob.media_type != "text/markdown" else _title(blob.text)
            blocks.append(Preformatted(excerpt(w.people.text(_deciding(shown)).text)))
    return blocks


_NOT_KEPT: Final = (
    "Not kept: purged, or the record was over its quota; the hash above is what was seen."
)


def _title(page: str) -> str:
    """Only the title of a runbook that was followed: its text is not evidence."""
    title = next((line for line in page.splitlines() if line.startswith("# ")), "")
    return f"{title}\n… the page as it was followed is in the record"


def _deciding(text: str) -> str:
    """Evidence with the deciding part first: expected and seen of a check, the conclusions of a
    probe, name and spec of an object."""
    document = read_json(text)
    found: list[str] = []
    for conclusion in document.get("conclusions") or ():
        if isinstance(conclusion, dict):
            found.append(f"{conclusion.get('claim', '')} ({conclusion.get('confidence', '')})")
    for name in ("expected", "seen", "why"):
        if document.get(name):
            found.append(f"{name}: {document[name]}")
    failing = document.get("failing")
    if isinstance(failing, list) and failing:
        found.append(f"failing: {', '.join(map(str, failing[:10]))}")
    changed = document.get(CHANGED)
    if isinstance(changed, dict) and changed:
        return "\n".join(f"{field}: {json.dumps(value)}" for field, value in changed.items())
    meta, spec = document.get("metadata"), document.get("spec")
    if isinstance(meta, dict) and isinstance(spec, dict):
        named = "/".join(filter(None, (str(meta.get("namespace", "")), str(meta.get("name", "")))))
        found += [f"{document.get('kind', '')} {named}".strip(), json.dumps(spec, indent=1)]
    return "\n".join(found) or text


def redactions(w: Wording) -> list[Block]:
    """Number of redactions, by rule."""
    counts: Counter[str] = Counter()
    for entry in w.source.entries:
        counts.update(entry.redactions)
    items: list[TableCell] = [(f"{rule}: {count}",) for rule, count in sorted(counts.items())] or [
        ("Nothing was redacted.",)
    ]
    return [
        Items(tuple(items)),
        Para(
            (
                "Secrets were replaced at capture by typed tokens; the same token is the same "
                "secret. "
                "This is not a guarantee: read before you share.",
            )
        ),
    ]


def record(w: Wording) -> list[Block]:
    """The head of the chain, to check the record against."""
    source = w.source
    return [
        Items(
            (
                ("Incident ", w.out(source.incident_id), f", {source.head[0]} entries"),
                (f"Head of the chain: seq {source.head[0]}, sha256 {source.head[1] or 'none'}",),
                (
                    "Check with `stanch timeline verify`; a record that was cut or changed since "
                    "then does not have this head.",
                ),
            )
        )
    ]

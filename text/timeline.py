"""The record: the log of what was seen, done and noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from text.lines import BLANK, HINT, Line, field, fit, line, prose
from text.words import clock
from timeline.entry import CLOSED_BY, Entry

WORDS: Mapping[str, tuple[str, str]] = {
    "note": ("note", "key"),
    "observation": ("seen", "plain"),
    "connectivity": ("API", "warning"),
    "match": ("runbook", "plain"),
    "action-intent": ("will change", "change"),
    "action-result": ("CHANGED", "change"),
    "action-declined": ("not done", "muted"),
    "probe-intent": ("will probe", "info"),
    "probe-result": ("measured", "info"),
    "step-intent": ("asks", "muted"),
    "step-result": ("checked", "plain"),
    "step-skipped": ("skipped", "muted"),
    "object-intent": ("will create", "muted"),
    "object-created": ("created", "warning"),
    "object-removed": ("removed", "plain"),
    "hypothesis": ("idea", "key"),
    "milestone": ("milestone", "good"),
    "incident-opened": ("opened", "muted"),
    "incident-closed": ("closed", "muted"),
    "incident-reopened": ("reopened", "muted"),
    "run-started": ("begins", "muted"),
    "run-finished": ("finished", "muted"),
    "contributing-factor": ("factor", "key"),
    "follow-up": ("to do", "key"),
}
ABOUT = {"approx": "~", "range": "~"}
"""Before a time that is not exact."""
LATE = timedelta(seconds=60)
"""An entry recorded so much later than it happened shows both times."""
SHOWN = 12
"""Rows of one entry in the log; enter shows the rest."""


def log_lines(entries: Sequence[Entry]) -> list[Line]:
    """Every entry by the time it happened. An intent without a result is said to be unknown."""
    if not entries:
        hint = (" n takes a note.", HINT)
        return [BLANK, line((" Nothing is recorded yet.", "muted"), hint, hang=1)]
    answered = {entry.intent_id for entry in entries if entry.kind not in CLOSED_BY}
    lines: list[Line] = []
    day = None
    for entry in entries:
        if entry.occurred_at.date() != day:
            day = entry.occurred_at.date()
            lines.append(line((f" {day:%Y-%m-%d} UTC", "heading")))
        lines += _entry(entry, entry.kind in CLOSED_BY and entry.intent_id not in answered)
    return lines


def _entry(entry: Entry, unanswered: bool) -> list[Line]:
    word, style = WORDS.get(entry.kind, (entry.kind.replace("-", " "), "muted"))
    at = f" {ABOUT.get(entry.occurred_precision, '')}{clock(entry.occurred_at)}  "
    first, *more = (entry.text or entry.reason).split("\n")
    behind: list[tuple[str, str]] = []
    if abs(entry.recorded_at - entry.occurred_at) > LATE:
        behind.append((f"  (recorded {clock(entry.recorded_at, entry.occurred_at)})", "muted"))
    if entry.time_source == "human" and entry.actor:
        behind.append((f"  {entry.actor}", "muted"))
    if not entry.on_disk:
        behind.append(("  not on disk yet", "warning"))
    elif entry.pending:
        behind.append(("  not in the file yet", "critical"))
    if unanswered:
        behind.append(("  no result is recorded: look before you repeat it", "unknown"))
    head = (at, (f"{fit(word, 11)} ", style))
    lines = [line(*head, first, *behind, target=entry.id, hang=23)]
    lines += [line(" " * 23, row, target=entry.id, hang=23) for row in more[:SHOWN]]
    if len(more) > SHOWN:
        rest = f"{' ' * 23}… {len(more) - SHOWN} more lines"
        lines.append(line((rest, "muted"), target=entry.id))
    return lines


def entry_lines(entry: Entry, now: datetime) -> list[Line]:
    """Everything that is recorded of one entry."""
    exact = f", {entry.occurred_precision}, by {entry.time_source}"
    stored = f"{entry.seq}  {entry.hash[:16]}" if not entry.pending else "not in the file yet"
    texts = (
        ("happened", f"{clock(entry.occurred_at, now)} UTC{exact}"),
        ("recorded", f"{clock(entry.recorded_at, now)} UTC"),
        ("what", entry.kind),
        ("phase", entry.phase),
        ("who", f"{entry.actor}@{entry.host}".strip("@")),
        ("context", entry.context),
        ("object", str(entry.object or "")),
        ("sure", entry.confidence),
        ("reason", entry.reason),
        ("evidence", ", ".join(digest[:12] for digest in entry.evidence)),
        ("audit id", entry.audit_id),
        ("replaces", entry.supersedes),
        ("entry", stored),
    )
    labelled = [field(label, text, size=10) for label, text in texts if text]
    return [*prose(entry.text, "strong"), BLANK, *labelled]

"""The record: the log of what was seen, done and noted, and the draft made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from text.lines import BLANK, Line, fit, line, paragraphs, wrap
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
LATE = timedelta(seconds=60)
"""An entry recorded so much later than it happened shows both times."""


def log_lines(entries: Sequence[Entry], now: datetime, width: int) -> list[Line]:
    """Every entry by the time it happened. An intent without a result is said to be unknown."""
    if not entries:
        return [
            BLANK,
            *paragraphs("Nothing is recorded yet. n takes a note.", width - 2, "muted", 1),
        ]
    answered = {entry.intent_id for entry in entries if entry.kind not in CLOSED_BY}
    lines: list[Line] = []
    day = None
    for entry in entries:
        at = entry.occurred_at
        if at.date() != day:
            day = at.date()
            lines.append(line((f" {day:%Y-%m-%d} UTC", "heading")))
        lines += _entry(
            entry, now, width, entry.kind in CLOSED_BY and entry.intent_id not in answered
        )
    return lines


def _entry(entry: Entry, now: datetime, width: int, open_: bool) -> list[Line]:
    word, style = WORDS.get(entry.kind, (entry.kind.replace("-", " "), "muted"))
    about = {"approx": "~", "minute": "", "range": "~"}.get(entry.occurred_precision, "")
    late = (
        f"  (recorded {clock(entry.recorded_at)})"
        if abs(entry.recorded_at - entry.occurred_at) > LATE
        else ""
    )
    who = f"  {entry.actor}" if entry.time_source == "human" and entry.actor else ""
    waits = ("", "plain")
    if not entry.on_disk:
        waits = ("  not on disk yet", "warning")
    elif entry.pending:
        waits = ("  not in the file yet", "critical")
    unknown: tuple[str, str] = (
        ("  no result is recorded: look before you repeat it", "unknown")
        if open_
        else ("", "plain")
    )
    shown = line(
        f" {about}{clock(entry.occurred_at)}  ",
        (f"{fit(word, 11)} ", style),
        entry.text or entry.reason,
        (late + who, "muted"),
        waits,
        unknown,
        target=entry.id,
    )
    return [Line(row.spans, entry.id) for row in wrap(shown, width, 23)]


def entry_lines(entry: Entry, now: datetime, width: int) -> list[Line]:
    """Everything that is recorded of one entry."""
    fields = (
        (
            "happened",
            f"{clock(entry.occurred_at, now)} UTC, {entry.occurred_precision}, by "
            f"{entry.time_source}",
        ),
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
        (
            "entry",
            f"{entry.seq}  {entry.hash[:16]}" if not entry.pending else "not in the file yet",
        ),
    )
    lines = [*paragraphs(entry.text, width - 2, "strong", 1), BLANK]
    return lines + [
        row
        for label, text in fields
        if text
        for row in wrap(line((f" {label:<10}", "muted"), text), width, 11)
    ]

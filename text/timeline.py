"""The record: the log of what was seen, done and noted."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from actions.plan import Outcome
from incident.view import View
from text.keys import NO_KEYS, Keys, named
from text.lines import BLANK, HINT, Line, field, fields, fit, line, prose, rule, shorten
from text.words import ago, clock, plural
from timeline.entry import CLOSED_BY, Entry
from timeline.revisions import RevisedEntry, latest
from timeline.selection import select
from timeline.story import hypotheses, is_ruled_out

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
    "question": ("question", "key"),
    "session": ("stanch", "muted"),
    "export": ("exported", "muted"),
}


class NoteMark(msgspec.Struct, frozen=True):
    """A mark of a note. `prefix`: how to type it before the text (`timeline.note`). `alone`: it
    needs no text. `pinned`: always in the draft."""

    prefix: str
    meaning: str
    alone: bool = False
    pinned: bool = False


MARKS: Mapping[str, NoteMark] = {
    "note": NoteMark("", "what you see, do or think"),
    "acknowledged": NoteMark("!acknowledged ", "an engineer works on it", alone=True),
    "mitigated": NoteMark("!mitigated ", "users are served again", alone=True),
    "resolved": NoteMark("!resolved ", "the cause is gone", alone=True),
    "hypothesis": NoteMark("hypothesis: ", "what it may be"),
    "ruled out": NoteMark("ruled out: ", "what it is not, and how you know"),
    "factor": NoteMark("factor: ", "what contributed to it"),
    "to do": NoteMark("todo: ", "what to do afterwards"),
    "question": NoteMark("? ", "what is not known yet"),
    "key event": NoteMark("", "a note that the draft always shows", pinned=True),
}
"""The marks of a note, in the order of the dialog."""
_TIME = re.compile(r"(-\d\S*|@~?\d\S*)\s*")
ABOUT = {"approx": "~", "range": "~"}
"""Sign before a time that is not exact."""
LATE = timedelta(seconds=60)
"""An entry recorded this much later than it happened shows both times."""
SHOWN = 12
"""Rows of one entry in the log; enter shows all."""
OBJECTS = ("object-intent", "object-created", "object-removed")
"""Objects that a probe creates and removes: one line for each would push the rest out of sight."""


def marked(text: str, mark: NoteMark) -> str:
    """A note as a person types it: the time, the mark, the words."""
    time = _TIME.match(text)
    return (
        text
        if not mark.prefix
        else f"{time[0] if time else ''}{mark.prefix}" + (text[time.end() :] if time else text)
    )


def mark_lines() -> list[Line]:
    """The marks of a note to choose from."""
    return [
        field(word, (mark.meaning, "muted"), style="key", size=15, target=word)
        for word, mark in MARKS.items()
    ]


def incident_lines(view: View) -> list[Line]:
    """What can be changed about the incident, with the current values: title, severity, state, and
    changes with an unknown outcome."""
    summary = view.record.summary
    over = summary.state != "open"
    rows = [
        ("title", "title", summary.title or "none yet"),
        ("severity", "severity", summary.severity or "not rated"),
        ("reopen", "state", f"{summary.state}; enter opens it again")
        if over
        else ("close", "state", "open; enter closes it"),
        ("new", "another", "begin a new incident; this one stays as it is"),
        *((each.id, "verify", f"outcome of: {each.text}") for each in view.record.unknown),
    ]
    return [field(label, text, style="key", target=target) for target, label, text in rows]


def remembered(entries: Sequence[Entry], shown: Collection[str] = ()) -> Sequence[Entry]:
    """Symptoms that the record shows as seen and not ended: the last known state of a cluster that
    does not answer, without those that are `shown` (ids)."""
    seen: dict[object, Entry] = {}
    for entry in entries:
        if entry.kind == "observation" and entry.data.get("symptom"):
            seen.pop(entry.data["symptom"], None)
            if entry.data.get("event") != "cleared":
                seen[entry.data["symptom"]] = entry
    return [entry for symptom, entry in seen.items() if symptom not in shown]


def remembered_lines(
    entries: Sequence[Entry], now: datetime, shown: Collection[str] = (), limit: int = 6
) -> list[Line]:
    """The last `limit` of what is `remembered`; one in one line."""
    left = remembered(entries, shown)
    if limit == 1:
        return [
            line("      ", (f"last seen {ago(each.occurred_at, now)} ago: ", "heading"), text)
            for each in left[-1:]
            for text in [shorten(each.text, 46)]
        ]
    lines = [
        line("      ", (f"{ago(entry.occurred_at, now)} ago  ", "muted"), entry.text, hang=8)
        for entry in left[-limit:]
    ]
    return [line((" Last seen, from the record:", "heading")), *lines] if lines else []


def log_lines(
    entries: Sequence[Entry],
    words: str = "",
    *,
    folded: bool = False,
    hidden: bool = True,
    keys: Keys = NO_KEYS,
) -> list[Line]:
    """Every entry as it reads now, by the time it happened. An intent without a result is shown as
    unknown.

    `words`: only entries that they select (`timeline.selection`). `folded`: the objects that a
    probe created and removed are one line. `hidden`: include entries that a person hid.
    """
    if not entries:
        hint = (named(" {.note} takes a note.", keys), HINT)
        return [BLANK, line((" Nothing is recorded yet.", "muted"), hint, hang=1)]
    standing = {entry.id for entry in hypotheses(latest(entries))[0]}
    answered = {entry.intent_id for entry in entries if entry.kind not in CLOSED_BY}
    lines: list[Line] = []
    day = None
    revised = [each for each in latest(entries) if hidden or not each.hidden]
    revised = select(revised, words, _shown)
    for each in _folded(revised) if folded and not words.split() else revised:
        entry = each.entry
        if entry.occurred_at.date() != day:
            day = entry.occurred_at.date()
            lines.append(line((f" {day:%Y-%m-%d} UTC", "heading")))
        unanswered = entry.kind in CLOSED_BY and entry.intent_id not in answered
        lines += _entry(each, unanswered, closed=entry.id not in standing)
    return lines or [BLANK, line((f" No entry fits: {words}", "unknown"), hang=1)]


def selected(entries: Sequence[Entry], words: str) -> Sequence[Entry]:
    """The selected entries with their revisions; all without `words`."""
    if not words.split():
        return entries
    chosen = {each.original.id for each in select(latest(entries), words, _shown)}
    return [each for each in entries if each.id in chosen or each.supersedes in chosen]


def _word(entry: Entry) -> tuple[str, str]:
    """The word and style of an entry; for a result, whether anything changed."""
    if entry.kind == "action-result":
        outcome = str(entry.data.get("outcome", ""))
        if outcome in (Outcome.FAILED, Outcome.REFUSED):
            return WORDS["action-declined"]
        if outcome in (Outcome.UNKNOWN, Outcome.SENT_NOT_SEEN):
            return outcome if outcome == Outcome.UNKNOWN else "sent", "warning"
    return WORDS.get(entry.kind, (entry.kind.replace("-", " "), "muted"))


def _shown(entry: Entry) -> str:
    word, _ = _word(entry)
    return f"{word} {entry.text} {entry.reason} {entry.actor} {entry.object or ''}"


def view_lines(views: Mapping[str, str], now: str) -> list[Line]:
    """Selections of the log to choose from; `now` is the current one, which can be saved."""
    lines = [
        field(name, (text or "every entry", "muted"), style="key", size=20, target=name)
        for name, text in views.items()
    ]
    if now and now not in views.values():
        lines.append(field("save this one", (now, "muted"), style="key", size=20, target=SAVE))
    return lines


SAVE = "+"
"""Target of the line that saves the current selection."""


def _folded(revised: Sequence[RevisedEntry]) -> Iterator[RevisedEntry]:
    """Leaves out objects that were created and removed, with one line in place of the last."""
    gone = {each.entry.intent_id for each in revised if each.entry.kind == "object-removed"}
    over = [each.entry.kind in OBJECTS and each.entry.intent_id in gone for each in revised]
    count = 0
    for each, is_over, goes_on in zip(revised, over, [*over[1:], False], strict=True):
        if not is_over:
            yield each
            continue
        count += each.entry.kind == "object-removed"
        if count and not goes_on:
            text = f"{plural(count, 'object')} created for a probe and removed again"
            yield msgspec.structs.replace(
                each, entry=msgspec.structs.replace(each.entry, text=text)
            )
            count = 0


def _entry(revised: RevisedEntry, unanswered: bool, *, closed: bool) -> list[Line]:
    """`closed`: a hypothesis that was ruled out."""
    entry = revised.entry
    word, style = _word(entry)
    if entry.kind == "hypothesis" and is_ruled_out(entry):
        word = "ruled out"
    at = f" {ABOUT.get(entry.occurred_precision, '')}{clock(entry.occurred_at)}  "
    first, *more = (entry.words or entry.reason).split("\n")
    name = str(entry.data.get("name", "")) if entry.kind == "milestone" else ""
    first = first if first.startswith(name) else f"{name}: {first}"
    behind: list[tuple[str, str]] = []
    if abs(entry.recorded_at - entry.occurred_at) > LATE:
        behind.append((f"  (recorded {clock(entry.recorded_at, entry.occurred_at)})", "muted"))
    if entry.reason not in ("", entry.text):
        behind.append((f" — {entry.reason}", "muted"))
    if entry.time_source == "human" and entry.actor:
        behind.append((f"  {entry.actor}", "muted"))
    said = (
        ("pinned", revised.pinned is True),
        ("hidden", revised.hidden),
        ("edited", revised.edited),
        ("ruled out", entry.kind == "hypothesis" and closed and word != "ruled out"),
    )
    behind += [(f"  {word}", "key" if word == "pinned" else "muted") for word, so in said if so]
    if not entry.on_disk:
        behind.append(("  not on disk yet", "warning"))
    elif entry.pending:
        behind.append(("  not in the file yet", "critical"))
    if unanswered:
        behind.append(("  no result is recorded: check before you repeat it", "unknown"))
    head = (at, (f"{fit(word, 11)} ", style))
    lines = [line(*head, first, *behind, target=entry.id, hang=23)]
    lines += [line(" " * 23, row, target=entry.id, hang=23) for row in more[:SHOWN]]
    if len(more) > SHOWN:
        rest = f"{' ' * 23}… {len(more) - SHOWN} more lines"
        lines.append(line((rest, "muted"), target=entry.id))
    return lines


def entry_lines(
    revised: RevisedEntry, now: datetime, evidence: Mapping[str, str] | None = None
) -> list[Line]:
    """One entry in full: how it reads now, its revisions, and the text of its `evidence` by hash,
    as far as that was read."""
    entry = revised.entry
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
        ("entry", stored),
    )
    lines = [*prose(entry.text, "strong"), BLANK]
    lines += [field(label, text, size=10) for label, text in texts if text]
    if revised.edited:
        lines += fields("at first", revised.original.text.split("\n"), "muted", size=10)
    for revision in revised.revisions:
        at = f"{clock(revision.recorded_at, now)} UTC  {revision.data.get('action', '')}"
        text = f": {revision.data['text']}" if revision.data.get("text") else ""
        lines.append(field("revised", f"{at}{text}", size=10))
    for digest in entry.evidence:
        text = (evidence or {}).get(digest, "reading …")
        lines += [BLANK, rule(f"evidence {digest[:12]}"), *prose(text)]
    return lines

"""Shared wording of all sections: times, citations, and text from outside with names replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from timeline.entry import Entry
from timeline.export.document import Outside, TableCell
from timeline.export.people import People
from timeline.export.source import ExportSource
from timeline.metrics import milestones, spoken
from timeline.story import FollowedRunbook, Intervention, read_story

_SHOWN_LINES: Final = 16
DECLINED: Final = ": Declined, nothing was changed"
"""What the result of a declined action says (`actions.gate.decline`)."""


class Wording:
    """What a section is written from: the record, the visible lines, evidence names E1.. by sha256,
    and how to name people."""

    def __init__(self, source: ExportSource, people: People, zone: str = "") -> None:
        """Raises ValueError for a `zone` that does not exist."""
        try:
            self.zone = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, OSError) as error:
            raise ValueError(
                f"there is no time zone {zone!r}; write one as in Europe/Berlin"
            ) from error
        self.source = source
        self.people = people
        self.lines = [
            line for line in source.lines if not line.hidden and not _is_empty(line.entry)
        ]
        self.names = source.evidence_names
        self.story = read_story(self.lines)
        marked = milestones(source.lines)
        self.marks: Mapping[str, Entry] = marked.entries
        self.warnings = marked.warnings

    def local(self, entry: Entry) -> str:
        """The time of an entry in the chosen zone."""
        return f"{entry.occurred_at.astimezone(self.zone):%m-%d %H:%M:%S}" if self.zone else ""

    def out(self, text: str) -> Outside:
        return self.people.text(text.replace(" -> ", " → "))

    def text(self, entry: Entry) -> Outside:
        """The words of an entry without what its kind says already: the name of a milestone, that
        an action was declined."""
        text = entry.words.removeprefix(f"{milestone_name(entry)}: ")
        if entry.kind == "action-declined":
            text = text.replace(DECLINED, "")
        elif entry.kind == "step-skipped":
            text = text.removeprefix("skipped: ")
        return self.out(text)

    def cited(self, entry: Entry) -> str:
        """The names of its evidence: "E2, E4 to E103"."""
        given = {self.names[sha256] for sha256 in entry.evidence if sha256 in self.names}
        runs: list[list[int]] = []
        for number in sorted(int(name.removeprefix("E")) for name in given):
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        return ", ".join(
            f"E{run[0]} to E{run[-1]}" if len(run) > 2 else ", ".join(f"E{n}" for n in run)
            for run in runs
        )

    def refs(self, *entries: Entry | None) -> TableCell:
        present = [entry for entry in entries if entry is not None]
        cited = ", ".join(filter(None, (self.cited(entry) for entry in present)))
        return (
            f"seq {numbers(tuple(entry.seq for entry in present))}"
            + (f"; {cited}" if cited else ""),
        )

    def runbook(self, run: FollowedRunbook) -> str:
        """The text of a runbook at the start of the run, "" when it is not stored."""
        cited = frozenset(run.begun.evidence)
        return next((blob.text for blob in self.source.evidence if blob.sha256 in cited), "")


def _is_empty(entry: Entry) -> bool:
    """Whether a declined change would have changed nothing."""
    said = entry.text.startswith(f"{entry.data.get('action')}{DECLINED}")
    return entry.kind == "action-declined" and entry.object is None and said


LEADS: Final[Mapping[str, str]] = {
    "observation": "seen",
    "match": "believed",
    "incident-opened": "record begun",
    "incident-closed": "closed",
    "incident-reopened": "reopened",
    "connectivity": "API server",
    "probe-result": "measured",
    "action-intent": "changed",
    "action-result": "changed",
    "action-declined": "declined",
    "contributing-factor": "factor",
    "follow-up": "to do",
}
"""What an entry is, in a table that people read."""


def milestone_name(entry: Entry) -> str:
    """The name of a milestone; the kind of any other entry."""
    return str(entry.data.get("name") or entry.kind) if entry.kind == "milestone" else entry.kind


def without_lead(text: str, before: str) -> str:
    """The result `text` without what the intent `before` says already ("scale Deployment x: ")."""
    lead, _, said = before.partition(": ")
    if not lead or not text.startswith(f"{lead}: "):
        return text
    return text.removeprefix(f"{lead}: ").replace(f": {said.rstrip('.')}", "" if said else ": ")


def intervention_text(w: Wording, act: Intervention) -> TableCell:
    """A change to the cluster in one line."""
    if act.by_hand:
        return ("by hand: ", w.out(act.by_hand))
    action, _, change = act.intent.text.partition(": ")
    count = (
        (f" ({act.parts} objects)",)
        if act.parts > 1 and f" {act.parts} " not in act.intent.text
        else ()
    )
    if action == act.intent.data.get("action"):
        return (w.out(change), " (", w.out(action), ")", *count)
    return (w.text(act.intent), *count)


def word(text: str) -> str | Outside:
    """A kind, phase or the like: ours when it is a plain word, else (a record that others wrote)
    text from outside."""
    return text if re.fullmatch(r"[A-Za-z, -]{0,40}", text) else Outside(text)


def excerpt(text: str) -> str:
    """The first lines of evidence, without the front matter of a page. The record and the JSON
    Lines export have all of it."""
    lines = re.sub(r"\A---\n.*?\n---\n\s*", "", text, flags=re.S).splitlines()
    shown = [line if len(line) <= 400 else line[:400] + " …" for line in lines[:_SHOWN_LINES]]
    if len(lines) > _SHOWN_LINES:
        shown.append(f"… {len(lines) - _SHOWN_LINES} more lines in the record")
    return "\n".join(shown)


def window(name: str, start: Entry | None, end: Entry | None, missing: str) -> TableCell:
    if start is None:
        return (f"{name}: when it began is not recorded.",)
    if end is None:
        return (f"{name}: from {moment(start)} UTC, end n/a — no *{missing}* entry", seqs(start))
    seconds = (end.occurred_at - start.occurred_at).total_seconds()
    spent = spoken(seconds) if seconds >= 0 else f"its end lies {spoken(seconds)} before it"
    return (f"{name}: from {moment(start)} to {moment(end)} UTC, {spent}", seqs(start, end))


def seqs(*entries: Entry) -> str:
    return f" (seq {numbers(tuple(entry.seq for entry in entries))})"


def numbers(seqs: Sequence[int]) -> str:
    shown = [str(seq) for seq in dict.fromkeys(seqs)]
    return ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")


def moment(entry: Entry) -> str:
    return f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}"


def happened(entry: Entry) -> str:
    """The absolute time, no more precise than it is known."""
    moment = entry.occurred_at
    if entry.occurred_precision == "minute":
        return f"{moment:%Y-%m-%d %H:%M}"
    if entry.occurred_precision == "approx":
        return f"about {moment:%Y-%m-%d %H:%M}"
    if entry.occurred_precision == "range" and entry.occurred_end is not None:
        return f"{moment:%Y-%m-%d %H:%M} to {entry.occurred_end:%H:%M}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def recorded(entry: Entry) -> str:
    same_day = entry.recorded_at.date() == entry.occurred_at.date()
    return f"{entry.recorded_at:%H:%M:%S}" if same_day else f"{entry.recorded_at:%Y-%m-%d %H:%M:%S}"

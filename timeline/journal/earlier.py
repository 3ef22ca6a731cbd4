"""Summaries of the earlier incidents of a directory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from timeline.entry import Entry
from timeline.journal.index import list_incidents
from timeline.journal.journal import Journal
from timeline.journal.storage import JournalError
from timeline.metrics import milestones
from timeline.redaction.clean import Clean, clean_line
from timeline.revisions import latest
from timeline.seen_before import EarlierIncident
from timeline.story import read_story

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
READ: Final = 20
"""Most incidents that are read, newest first."""


def read_earlier(directory: Path, *, clean: Clean, own: Path | None) -> Sequence[EarlierIncident]:
    """The incidents of a directory except `own`, newest first, without unreadable files."""
    paths = sorted(directory.glob("*.db"), key=lambda path: path.name, reverse=True)
    found = []
    for path in [each for each in paths if each != own][:READ]:
        try:
            with Journal.open_read_only(path, clean=clean) as journal:
                entries = journal.entries()
        except (JournalError, sqlite3.Error, OSError):
            continue
        earlier = digest_of(path.stem, entries, clean)
        if earlier is not None:
            found.append(earlier)
    return found


def last_picture(
    directory: Path, context: str, *, clean: Clean, own: Path | None
) -> Sequence[Entry]:
    """The observations of the newest incident of a context, except `own`, that saw an object fail.
    One that only met a server that did not answer saw nothing of the cluster."""
    known = [
        each
        for each in list_incidents(directory, clean=clean)
        if each.context == context and each.path != own and each.state != "damaged"
    ]
    for each in sorted(known, key=lambda each: each.last_at or LONG_AGO, reverse=True)[:READ]:
        try:
            with Journal.open_read_only(each.path, clean=clean) as journal:
                seen = [entry for entry in journal.entries() if entry.kind == "observation"]
        except (JournalError, sqlite3.Error, OSError):
            continue
        if any(entry.data.get("count") != 0 for entry in seen):
            return seen
    return ()


def digest_of(incident: str, entries: Sequence[Entry], clean: Clean) -> EarlierIncident | None:
    """Summary of an incident for a later one; None when it has no symptom."""
    lines = latest(entries)
    story = read_story(lines)
    if story.first is None:
        return None
    marks = milestones(lines).entries
    end = marks.get("mitigated") or marks.get("resolved")
    interventions = [act for act in story.interventions if end is None or act.intent.seq < end.seq]
    last = interventions[-1] if interventions else None
    followed = story.followed
    by = clean_line((last.by_hand or last.intent.text) if last is not None else "", clean)
    return EarlierIncident(
        incident=incident,
        began=story.first.occurred_at,
        symptoms=_told(entries, "observation", "symptom"),
        runbooks=_told(entries, "match", "runbook"),
        followed=followed.runbook if followed is not None else "",
        ended_by=by if end is not None else "",
        seconds=(end.occurred_at - story.first.occurred_at).total_seconds() if end else None,
    )


def _told(entries: Iterable[Entry], kind: str, field: str) -> frozenset[str]:
    return frozenset(
        str(entry.data[field]) for entry in entries if entry.kind == kind and entry.data.get(field)
    )

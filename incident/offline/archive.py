"""Reads, notes, exports, imports, verifies and salvages the incidents on this machine, also without
a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from cluster.kube.text import clean_uncut
from incident.config import ConfigError, load_config
from incident.options import Options
from incident.record import Record, RecordUnavailable
from timeline import export as exports
from timeline import intents
from timeline.entry import Entry, EntryKind, RevisionAction
from timeline.handoff import handoff
from timeline.journal import earlier, index
from timeline.journal.index import Incident
from timeline.journal.journal import Journal
from timeline.journal.salvage import Salvaged, free_path, salvage
from timeline.journal.storage import JournalError
from timeline.journal.verification import Verification
from timeline.note import parse_note
from timeline.redaction.redact import Redactor
from timeline.summary import ClusterId

Error = JournalError
"""Raised by every function here when a record cannot be read or written. The message is one
sentence with what to try."""
NotRecorded = RecordUnavailable
FORMATS = exports.FORMATS
Shape = exports.Shape
Written = exports.Written


@dataclass(frozen=True, slots=True)
class RecordContent:
    """One record on disk: entries by the time they happened, and the hash of the last one."""

    incident: str
    head: str
    entries: Sequence[Entry]


DRAFT = ".md"
"""Ending of the draft beside a record: people edit it, so it stays when the record is removed."""
REHEARSED = "drills/"
"""Prefix for the id of a drill's incident, because a real incident can have the same id."""


def directory(options: Options) -> Path:
    return options.state / "incidents"


def drill_options(options: Options) -> Options:
    """The options for records of drills. They have a folder of their own, so that a real incident
    never continues a drill."""
    return replace(options, state=options.state / "drills")


def incidents(options: Options) -> Sequence[Incident]:
    """Newest first, then drills with the prefix `drills/`. Damaged records are listed with the
    fault."""
    rehearsed = index.list_incidents(directory(drill_options(options)), clean=clean_uncut)
    return [
        *index.list_incidents(directory(options), clean=clean_uncut),
        *(msgspec.structs.replace(each, id=REHEARSED + each.id) for each in rehearsed),
    ]


def find(options: Options, name: str) -> Incident:
    """The incident with this id, a prefix of it, or the path of its file; the newest one for "".
    `drills/ID` is the incident of a drill. Without a real incident "" is the newest drill."""
    if name.endswith(".db") and Path(name).is_file():
        path = Path(name).resolve()
        return next(
            each
            for each in index.list_incidents(path.parent, clean=clean_uncut)
            if each.path == path
        )
    if name.startswith(REHEARSED):
        return index.find_incident(
            directory(drill_options(options)), name.removeprefix(REHEARSED), clean=clean_uncut
        )
    if name:
        return index.find_incident(directory(options), name, clean=clean_uncut)
    known = incidents(options)
    if not known:
        raise JournalError(
            "there is no incident yet; `stanch` or `stanch timeline note TEXT` begins one"
        )
    return known[0]


def _opened(options: Options, name: str) -> Journal:
    """Open a record for reading. Exports apply the redaction of today's settings to entries of any
    age."""
    path = find(options, name).path
    return Journal.open_read_only(path, clean=clean_uncut, literals=_literals(options))


def _literals(options: Options) -> Sequence[str]:
    try:
        return load_config(options.config).redact
    except ConfigError as error:
        raise JournalError(str(error)) from error


def read(options: Options, name: str) -> RecordContent:
    with _opened(options, name) as journal:
        return RecordContent(journal.id, journal.head[1], journal.entries())


def copy(options: Options, name: str, target: Path) -> tuple[str, int]:
    """Copy the whole record into one file. Returns (incident, entries that wait in the sidecar and
    are missing). Raises FileExistsError, OSError."""
    with _opened(options, name) as journal:
        return journal.id, journal.copy_to(target)


def redacted(options: Options, text: str) -> tuple[str, Mapping[str, int]]:
    """A text as a record would store it, and the number of redactions by rule."""
    return Redactor(os.urandom(32), clean_uncut, _literals(options)).text(text)


def note(options: Options, text: str) -> tuple[str, Entry]:
    """Write a note into the newest open incident, or into a new one. Returns (incident, entry).
    Raises ValueError for an invalid time, `NotRecorded` when the note is not on disk."""
    draft = parse_note(text, datetime.now(UTC)).draft()
    record = Record()
    record.open(replace(options, record=True), ClusterId(options.context), for_note=True)
    try:
        entry = record.append(draft)
        return record.view().incident, asyncio.run(record.recorded(entry))
    finally:
        record.close()


def change(options: Options, verb: str, words: str) -> str:
    """Begin a new incident; or close, reopen, rename or rate the one that the options name, else
    the newest open one. Returns its id. Raises ValueError for empty words."""
    if verb == "new":
        options = replace(options, incident="new")
    elif not options.incident:
        options = replace(options, incident=find(options, "").id)
    record = Record()
    record.open(replace(options, record=True), ClusterId(options.context), for_note=True)
    try:
        if verb in ("close", "reopen"):
            kind: EntryKind = "incident-closed" if verb == "close" else "incident-reopened"
            entry = record.change_state(kind, words)
        elif verb == "new" and not words:
            return record.view().incident or _refused(record)
        elif verb == "severity":
            entry = record.edit_incident(severity=words)
        else:
            entry = record.edit_incident(text=words)
        asyncio.run(record.recorded(entry))
        return record.view().incident
    finally:
        record.close()


def last_picture(options: Options, context: str) -> Sequence[Entry]:
    """The observations of the last incident of a context that has some."""
    return earlier.last_picture(options.state / "incidents", context, clean=clean_uncut, own=None)


def unknown_changes(options: Options) -> tuple[str, Sequence[Entry]]:
    """(incident, its changes with an unknown outcome)."""
    reading = read(options, options.incident)
    entries = sorted(reading.entries, key=lambda entry: (entry.pending, entry.seq))
    return reading.incident, intents.unknown_changes(entries, frozenset())


def settle(options: Options, intent_id: str, seen: str) -> str:
    """Record what a person found out about a change with an unknown outcome. Returns the incident.
    Raises ValueError for an unknown id, `NotRecorded` when it is not on disk."""
    incident, unknown = unknown_changes(options)
    found = [entry for entry in unknown if entry.intent_id.endswith(intent_id)]
    if len(found) != 1:
        known = ", ".join(entry.intent_id for entry in unknown) or "there is none"
        raise ValueError(f"{intent_id!r} is not one of the unknown changes of {incident}: {known}")
    record = Record()
    named = replace(options, record=True, incident=incident)
    record.open(named, ClusterId(options.context), for_note=True)
    try:
        asyncio.run(record.recorded(record.conclude_change(found[0], seen)))
        return incident
    finally:
        record.close()


def _refused(record: Record) -> str:
    raise RecordUnavailable(f"NOT RECORDED ({record.view().reason})")


def write_draft(options: Options, name: str, target: Path | None, shape: Shape) -> Written:
    """Write or update the Markdown draft. Raises OSError, ValueError for an unknown template or
    zone."""
    with _opened(options, name) as journal:
        return exports.write_draft(journal, target or journal.path.with_suffix(DRAFT), shape)


def export(options: Options, name: str, form: str, shape: Shape = exports.STANDARD) -> str:
    """The record as text in one of `FORMATS`. Raises ValueError for an unknown template or
    zone."""
    with _opened(options, name) as journal:
        return exports.export(journal, form, shape)


def write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises OSError."""
    exports.write_atomic(path, text)


def import_file(
    options: Options, lines: Sequence[str], target: Path | None
) -> tuple[str, int, Path]:
    """Make a record from a JSON Lines export. Returns (incident, entries, file)."""
    try:
        name = str(json.loads(lines[0])["incident"])
    except (IndexError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise JournalError(
            "this is not an export of a record: its first line names no incident"
        ) from error
    safe = (
        "".join(character for character in name if character.isalnum() or character in "-_")
        or "imported"
    )
    path = target or directory(options) / f"{safe}.db"
    taken = target is None and any(path.parent.glob(f"{path.stem}.*"))
    if taken:
        path = free_path(path, "imported")
    with exports.import_jsonl(
        lines, path, clean=clean_uncut, incident_id=path.stem if taken else ""
    ) as journal:
        return journal.id, len(journal.entries()), path


def verify(options: Options, name: str, anchor: str = "") -> tuple[str, Verification]:
    """Whether the record is unchanged since it was written. `anchor` is the path of an export or
    the beginning of a hash. Raises OSError."""
    known = read_anchor(anchor) if anchor else None
    with _opened(options, name) as journal:
        return journal.id, journal.verify(known)


def read_anchor(text: str) -> tuple[int, str]:
    """The head that an export names, or a hash. Raises OSError, JournalError."""
    if re.fullmatch(r"[0-9a-f]{8,64}", text) and not Path(text).exists():
        return 0, text
    try:
        return exports.find_anchor(Path(text).read_text(encoding="utf-8", errors="replace"))
    except ValueError as error:
        raise JournalError(f"{text}: {error}") from error


def merge_file(options: Options, lines: Sequence[str], name: str) -> tuple[str, int, int]:
    """Append the entries of an export to the record `name`. Returns (incident, added, already
    known)."""
    with Journal.open(find(options, name).path, clean=clean_uncut) as journal:
        return journal.id, *exports.merge_jsonl(lines, journal)


def _writing(options: Options) -> Journal:
    """The incident that the options name, opened for writing. Entries name the incident's
    cluster."""
    found = find(options, options.incident)
    journal = Journal.open(found.path, clean=clean_uncut, literals=_literals(options))
    cluster = found.summary.cluster
    journal.bind(context=cluster.context, cluster_uid=cluster.uid)
    return journal


def revise(options: Options, action: RevisionAction, what: str, words: str) -> str:
    """Edit, hide or pin the entry with the seq `what` by appending an entry. Returns the incident's
    id. `words` are the new text of an edit, else the reason. Raises ValueError for an unknown
    entry."""
    with _writing(options) as journal:
        entry = next((e for e in journal.entries(pending=False) if what == str(e.seq)), None)
        if entry is None:
            raise ValueError(
                f"{journal.id} has no entry {what!r}; `timeline show -o json` has seqs"
            )
        if action != "edit":
            journal.revise(entry.id, action, reason=words)
        elif words:
            journal.revise(entry.id, action, text=words)
        else:
            raise ValueError("an edit needs the new text")
        return journal.id


def purge(options: Options, what: str, reason: str) -> tuple[str, str]:
    """Remove for good the words of the entry with the seq `what`, or the evidence whose hash begins
    with it. Returns (incident, what was removed). Raises ValueError when nothing matches or it
    cannot be removed."""
    with _writing(options) as journal:
        for entry in journal.entries(pending=False):
            if what == str(entry.seq):
                journal.purge(entry, reason)
                return journal.id, f"the words of entry {entry.seq} and the evidence under it"
            for sha256 in entry.evidence:
                if len(what) >= 6 and sha256.startswith(what):
                    journal.purge_evidence(sha256, reason)
                    return journal.id, f"the evidence {sha256[:12]}"
        raise ValueError(
            f"{journal.id} has no entry {what!r}; give its number, or 6 digits of an evidence hash"
        )


@dataclass(frozen=True, slots=True)
class Prunable:
    """A finished, old incident: its files and their size in bytes."""

    incident: Incident
    files: Sequence[Path]
    size: int


def prunable(options: Options, older_than: timedelta, now: datetime) -> Sequence[Prunable]:
    """Closed or resolved incidents whose last entry is older than that. Drills need not be closed.
    Open and damaged incidents are never listed."""
    found = []
    for each in incidents(options):
        over = each.state in ("closed", "resolved") or (
            each.id.startswith(REHEARSED) and each.state != "damaged"
        )
        if over and each.last_at is not None and now - each.last_at > older_than:
            beside = each.path.parent.glob(f"{each.path.stem}.*")
            files = sorted(
                {
                    *(path for path in beside if path.suffix != DRAFT),
                    *each.path.parent.glob(f"{each.path.name}-*"),
                }
            )
            found.append(Prunable(each, files, sum(path.stat().st_size for path in files)))
    return found


def abandoned(options: Options, now: datetime) -> Sequence[Path]:
    """Files of incidents that a killed process never began, also of drills."""
    return [
        path
        for each in (options, drill_options(options))
        for path in index.abandoned(directory(each), clean=clean_uncut, now=now)
    ]


def remove(files: Iterable[Path]) -> None:
    """Delete the files. Raises OSError."""
    for path in files:
        path.unlink(missing_ok=True)


def save_what_is_left(options: Options, name: str, target: Path | None) -> Salvaged:
    return salvage(find(options, name).path, target)


def brief(options: Options, name: str) -> str:
    with _opened(options, name) as journal:
        return handoff(journal, datetime.now(UTC))

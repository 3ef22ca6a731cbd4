"""JSON Lines, without loss: a header, every entry in canonical form, every piece of evidence, an
end line.

An import checks the chain first and writes the entries unchanged, so the imported record has the
same hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from timeline.entry import Entry, canonical, from_record, stamp, to_record
from timeline.export.source import ExportSource
from timeline.journal import files, storage
from timeline.journal.evidence import EvidenceBlob
from timeline.journal.journal import Journal
from timeline.journal.rows import to_row
from timeline.journal.storage import JournalError
from timeline.journal.verification import verify_chain
from timeline.redaction.clean import Clean

SCHEMA: Final = "stanch.timeline/1"


def lines_of(source: ExportSource, created_at: str) -> Iterator[str]:
    """The lines, without line feeds."""
    yield canonical(
        {
            "schema": SCHEMA,
            "type": "incident",
            "incident": source.incident_id,
            "title": source.title,
            "created_at": created_at,
        }
    )
    for entry in sorted(source.entries, key=lambda entry: entry.seq):
        yield canonical({"type": "entry", "entry": to_record(entry)})
    for blob in source.evidence:
        content = base64.b64encode(blob.content).decode() if blob.content is not None else None
        yield canonical({"type": "evidence", "evidence": {**blob.record(), "content": content}})
    yield canonical(
        {
            "type": "end",
            "entries": source.head[0],
            "head": source.head[1],
            "evidence": len(source.evidence),
        }
    )


def import_jsonl(
    lines: Iterable[str], path: Path, *, clean: Clean, incident_id: str = ""
) -> Journal:
    """Make a new incident file at `path` from an export and open it. `incident_id` is its id where
    that of the export is taken.

    Raises JournalError when a line cannot be read, the chain or a piece of evidence does not hold,
    the end line is missing, or `path` exists.
    """
    header, entries, evidence = read_jsonl(lines)
    try:
        if not path.parent.exists():
            files.private_directory(path.parent)
        meta = {
            "incident_id": incident_id or str(header["incident"]),
            "created_at": str(header["created_at"]),
            "schema": SCHEMA,
        }
        storage.create_file(path, meta)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"{path} cannot be created: {error}; name a file that does not exist"
        ) from error
    try:
        database, _ = storage.connect_writer(path)
        try:
            with database.atomic():
                for blob in evidence:
                    row = blob.record() | {
                        "truncated": int(blob.truncated),
                        "stored_at": stamp(entries[0].recorded_at),
                        "content": blob.content,
                    }
                    database.table("evidence").insert(row)
                for entry in entries:
                    database.table("entry").insert(to_row(entry))
        finally:
            database.close()
        files.write_head(path, entries[-1].seq, entries[-1].hash)
    except (OSError, sqlite3.Error) as error:
        path.unlink(missing_ok=True)
        raise JournalError(f"the import into {path} failed: {error}") from error
    return Journal.open(path, clean=clean)


def merge_jsonl(lines: Iterable[str], journal: Journal) -> tuple[int, int]:
    """Append the entries of another record of the same incident to `journal`, with their ids, times
    and authors. Returns how many were added, and how many were known already. Raises JournalError.
    """
    header, entries, evidence = read_jsonl(lines)
    known = {entry.id for entry in journal.entries()}
    blobs = {blob.sha256: blob for blob in evidence}
    fresh = [entry for entry in entries if entry.id not in known and entry.kind not in _OWN]
    for entry in fresh:
        journal.adopt(
            entry, str(header["incident"]), [blobs[sha] for sha in entry.evidence if sha in blobs]
        )
    return len(fresh), len(entries) - len(fresh)


_OWN: Final = frozenset({"incident-opened"})
"""Kinds that each record has of its own."""


def read_jsonl(lines: Iterable[str]) -> tuple[dict[str, Any], list[Entry], list[EvidenceBlob]]:
    """Header, entries by seq and evidence of an export. Raises JournalError."""
    header, entries, evidence = _parse(lines)
    problems = verify_chain(entries)
    if problems:
        raise JournalError(f"the export does not hold together: {problems[0].what}")
    return header, entries, evidence


def _parse(lines: Iterable[str]) -> tuple[dict[str, Any], list[Entry], list[EvidenceBlob]]:
    header: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    entries: list[Entry] = []
    evidence: list[EvidenceBlob] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            kind = record["type"]
            if kind == "incident":
                header = record
                if record["schema"] != SCHEMA:
                    raise JournalError(
                        f"line {number}: schema {record['schema']!r} is not {SCHEMA!r}; use the "
                        "version that wrote it"
                    )
            elif kind == "entry":
                entries.append(from_record(record["entry"]))
            elif kind == "evidence":
                evidence.append(_blob(record["evidence"]))
            elif kind == "end":
                end = record
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise JournalError(f"line {number} of the export cannot be read: {error}") from error
    if header is None or not entries or "incident" not in header or "created_at" not in header:
        raise JournalError(f"this is no {SCHEMA} export: the header or the entries are missing")
    if (
        end is None
        or end.get("entries") != len(entries)
        or end.get("head") != entries[-1].hash
        or end.get("evidence") != len(evidence)
    ):
        raise JournalError(
            "the export was cut: its end line is missing or does not fit; export again"
        )
    return header, entries, evidence


def _blob(record: dict[str, Any]) -> EvidenceBlob:
    content = record.get("content")
    blob = EvidenceBlob.from_record(
        {**record, "content": base64.b64decode(content) if content is not None else None}
    )
    if blob.content is not None and hashlib.sha256(blob.content).hexdigest() != blob.sha256:
        raise ValueError(f"evidence {blob.sha256[:12]} does not have its hash")
    return blob

"""Saves the readable part of a damaged incident file into a new one. Row T16.

Entries keep seq and hash, so the remaining links still verify, and `verify` names what is missing.
"""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from timeline.entry import Entry, digest, stamp
from timeline.journal.files import create_private, read_head
from timeline.journal.pages import scan
from timeline.journal.rows import to_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.storage import (
    JournalError,
    connect_writer,
    create_file,
    create_triggers,
)


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """The report of losses. `lost` are seqs that could not be read; `changed` ones were read and
    kept, but do not match their hash."""

    path: Path
    entries: int
    lost: tuple[int, ...]
    changed: tuple[int, ...]
    evidence: int
    evidence_lost: int
    waiting: int


def salvage(path: Path, target: Path | None = None) -> Salvaged:
    """Read `path` page by page into `target` (``<id>-salvaged.db`` beside it), which is an incident
    of its own. The damaged file is not touched.

    Entries that wait in the sidecar come along in a copy of it and are merged when `target` is
    opened. Raises JournalError when nothing can be read or `target` exists.
    """
    try:
        found = scan(path)
    except OSError as error:
        raise JournalError(
            f"{path} cannot be read at all: {error}; look for a copy or an export"
        ) from error
    if not found.entries:
        raise JournalError(f"no entry of {path} can be read; look for a copy or an export")
    target = target or free_path(path, "salvaged")
    entries = [found.entries[seq] for seq in sorted(found.entries)]
    cited = {sha256 for entry in entries for sha256 in entry.evidence}
    evidence = [found.evidence[sha256] for sha256 in sorted(cited & found.evidence.keys())]
    meta = {
        "created_at": entries[0].recorded_at.isoformat(),
        "schema": "stanch.timeline/1",
        **found.meta,
        "incident_id": target.stem,
        "salvaged_from": path.stem,
        "salvaged_at": stamp(datetime.now(UTC)),
    }
    waiting = Sidecar(path).entries()
    try:
        create_file(target, meta)
        _write(target, entries, evidence)
        if waiting:
            shutil.copyfile(Sidecar(path).path, Sidecar(target).path)
            Sidecar(target).path.chmod(0o600)
        key = path.with_suffix(".key")
        if key.exists():
            create_private(target.with_suffix(".key"), key.read_bytes())
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"{target} cannot be written: {error}; name another file with --to"
        ) from error
    head = read_head(path)
    last = max(entries[-1].seq, head[0] if head else 0)
    return Salvaged(
        path=target,
        entries=len(entries),
        lost=tuple(seq for seq in range(1, last + 1) if seq not in found.entries),
        changed=tuple(entry.seq for entry in entries if digest(entry) != entry.hash),
        evidence=len(evidence),
        evidence_lost=len(cited) - len(evidence),
        waiting=len(waiting),
    )


def free_path(path: Path, why: str) -> Path:
    """A path beside `path` that no incident uses: ``<id>-<why>.db``, ``<id>-<why>-2.db`` ..."""
    for number in itertools.count(1):
        stem = f"{path.stem}-{why}" + (f"-{number}" if number > 1 else "")
        if not any(path.parent.glob(f"{stem}.*")):
            return path.with_name(f"{stem}.db")
    raise AssertionError("there is always a next number")


def _write(target: Path, entries: Iterable[Entry], evidence: Iterable[Mapping[str, Any]]) -> None:
    database, _ = connect_writer(target)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("DROP TRIGGER entry_gapless")  # The gaps are the losses.
        for row in evidence:
            database.table("evidence").insert(dict(row))
        for entry in entries:
            database.table("entry").insert(to_row(entry))
        create_triggers(database)
        database.commit()
    finally:
        database.close()

"""Saving what can be read of a damaged incident file into a new one. Row T16.

SQLite's own recovery failed on the kind of damage that was tried; reading by primary key got nearly
everything. Entries keep their seq and hash, so the links that are left still verify, and `verify`
names what is missing.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlite_utils import Database

from timeline.entry import Entry, digest, stamp
from timeline.journal import storage
from timeline.journal.rows import to_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.snapshot import open_snapshot
from timeline.journal.storage import (
    JournalError,
    connect_writer,
    create_file,
    create_private,
    create_triggers,
)
from timeline.journal.verification import Problem, last_seq, read_by_seq


class Salvaged(msgspec.Struct, frozen=True, kw_only=True):
    """The report of losses. `lost` are seqs that could not be read, `changed` ones that were read
    but do not have their hash (kept)."""

    path: Path
    entries: int
    lost: tuple[int, ...]
    changed: tuple[int, ...]
    evidence: int
    evidence_lost: int
    waiting: int


def salvage(path: Path, target: Path | None = None) -> Salvaged:
    """Read `path` entry by entry into `target` (``<id>-salvaged.db`` beside it). The damaged file
    is not touched.

    Entries that wait in the sidecar come along in a copy of it and are merged when `target` is
    opened. Raises JournalError when nothing can be read or `target` exists.
    """
    target = target or path.with_name(f"{path.stem}-salvaged.db")
    try:
        damaged, release, _ = open_snapshot(path)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"{path} cannot be opened at all: {error}; look for a copy or an export"
        ) from error
    try:
        problems: list[Problem] = []
        last = last_seq(damaged)
        entries = read_by_seq(damaged, last, problems)
        if not entries:
            raise JournalError(f"no entry of {path} can be read; look for a copy or an export")
        blobs, evidence_lost = _read_evidence(
            damaged, {sha256 for entry in entries for sha256 in entry.evidence}
        )
        meta = _meta(damaged, path, entries)
    finally:
        damaged.close()
        release()
    waiting = Sidecar(path).entries()
    try:
        create_file(target, meta)
        _write(target, entries, blobs)
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
    present = {entry.seq for entry in entries}
    return Salvaged(
        path=target,
        entries=len(entries),
        lost=tuple(seq for seq in range(1, last + 1) if seq not in present),
        changed=tuple(entry.seq for entry in entries if digest(entry) != entry.hash),
        evidence=len(blobs),
        evidence_lost=evidence_lost,
        waiting=len(waiting),
    )


def _read_evidence(database: Database, cited: set[str]) -> tuple[list[storage.Row], int]:
    found: list[storage.Row] = []
    for sha256 in sorted(cited):
        with suppress(sqlite3.Error):
            row = database.execute(
                "SELECT sha256, size, original_size, truncated, media_type, stored_at, content "
                "FROM evidence WHERE sha256 = ?",
                [sha256],
            ).fetchone()
            if row is not None and (row[6] is None or hashlib.sha256(row[6]).hexdigest() == sha256):
                found.append(dict(zip(storage.EVIDENCE_COLUMNS, row, strict=True)))
    return found, len(cited) - len(found)


def _meta(database: Database, path: Path, entries: list[Entry]) -> dict[str, str]:
    meta = {
        "incident_id": path.stem,
        "created_at": entries[0].recorded_at.isoformat(),
        "schema": "stanch.timeline/1",
    }
    with suppress(sqlite3.Error):
        meta |= storage.read_meta(database)
    return meta | {"salvaged_at": stamp(datetime.now(UTC))}


def _write(target: Path, entries: list[Entry], blobs: list[storage.Row]) -> None:
    database, _ = connect_writer(target)
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "DROP TRIGGER entry_gapless"
        )  # the gaps are the losses; the trigger comes back below
        for row in blobs:
            database.table("evidence").insert(row)
        for entry in entries:
            database.table("entry").insert(to_row(entry))
        create_triggers(database)
        database.commit()
    finally:
        database.close()

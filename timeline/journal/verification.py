"""Whether a record is what was written: chain, gaps, triggers, evidence, database. Rows T16 and T17
of the timeline reference.

The chain shows edits and rotten bits; it does not show a truncated tail, which only a head noted
elsewhere (an export's footer) can. SQLite's own checks do not see damage inside a value.
"""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec
from sqlite_utils import Database

from timeline.entry import NO_HASH, Entry, digest
from timeline.journal.rows import SELECT, from_row
from timeline.journal.storage import missing_triggers


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong; `seq` is the entry concerned, None when it is not about one."""

    seq: int | None
    what: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. `entries` were read, `head` is the last seq and hash found, `purged` counts
    evidence removed on purpose."""

    ok: bool
    entries: int
    head: tuple[int, str]
    purged: int
    problems: tuple[Problem, ...]


def verify_database(database: Database, anchor: tuple[int, str] | None = None) -> Verification:
    """Check everything; never raises for a damaged file."""
    problems: list[Problem] = []
    entries = _read_all(database, problems)
    previous_seq, previous_hash = 0, NO_HASH
    for entry in entries:
        if entry.seq != previous_seq + 1:
            gap = (
                f"{previous_seq + 1}"
                if entry.seq == previous_seq + 2
                else f"{previous_seq + 1} to {entry.seq - 1}"
            )
            problems.append(Problem(entry.seq, f"entries {gap} are missing"))
        elif entry.prev_hash != previous_hash:
            problems.append(
                Problem(
                    entry.seq,
                    f"entry {entry.seq} does not follow from entry {previous_seq}: prev_hash "
                    "differs",
                )
            )
        if digest(entry) != entry.hash:
            problems.append(
                Problem(
                    entry.seq,
                    f"entry {entry.seq} was changed after it was written: its hash differs",
                )
            )
        previous_seq, previous_hash = entry.seq, entry.hash
    purged = _check_evidence(database, entries, problems)
    if anchor is not None:
        hashes = {entry.seq: entry.hash for entry in entries}
        if hashes.get(anchor[0]) != anchor[1]:
            problems.append(
                Problem(
                    anchor[0],
                    f"entry {anchor[0]} is not the one that was exported: it is missing or differs",
                )
            )
    try:
        problems.extend(
            Problem(None, f"trigger {name} is missing or was changed")
            for name in missing_triggers(database)
        )
        checks = [str(row[0]) for row in database.execute("PRAGMA quick_check(10)")]
        problems.extend(Problem(None, f"SQLite: {check}") for check in checks if check != "ok")
    except sqlite3.Error as error:  # quick_check itself raises on some damage
        problems.append(Problem(None, f"SQLite: {error}"))
    return Verification(
        ok=not problems,
        entries=len(entries),
        head=(previous_seq, previous_hash),
        purged=purged,
        problems=tuple(problems),
    )


def verify_chain(entries: list[Entry]) -> list[Problem]:
    """The chain alone, for entries that are not in a database (an import)."""
    problems: list[Problem] = []
    previous_seq, previous_hash = 0, NO_HASH
    for entry in entries:
        if (
            entry.seq != previous_seq + 1
            or entry.prev_hash != previous_hash
            or digest(entry) != entry.hash
        ):
            problems.append(
                Problem(
                    entry.seq,
                    f"entry {entry.seq} does not follow from entry {previous_seq} or was changed",
                )
            )
        previous_seq, previous_hash = entry.seq, entry.hash
    return problems


def read_by_seq(database: Database, last: int, problems: list[Problem]) -> list[Entry]:
    """Entries one at a time by primary key: what a damaged file still gives."""
    found: list[Entry] = []
    for seq in range(1, last + 1):
        try:
            row = database.execute(SELECT + " WHERE seq = ?", [seq]).fetchone()
            if row is not None:
                found.append(from_row(row))
        except (sqlite3.Error, ValueError) as error:
            problems.append(Problem(seq, f"entry {seq} cannot be read: {error}"))
    return found


def last_seq(database: Database) -> int:
    """The highest seq that can be found, by the cheapest way that the damage allows."""
    for query in (
        "SELECT max(seq) FROM entry",
        "SELECT max(rowid) FROM entry INDEXED BY idx_entry_id",
        "SELECT max(id) FROM entry_fts_docsize",
    ):
        try:
            row = database.execute(query).fetchone()
        except sqlite3.Error:
            continue
        if row and row[0]:
            return int(row[0])
    return 0


def _read_all(database: Database, problems: list[Problem]) -> list[Entry]:
    try:
        return [from_row(row) for row in database.execute(SELECT + " ORDER BY seq")]
    except (sqlite3.Error, ValueError):
        return read_by_seq(database, last_seq(database), problems)


def _check_evidence(database: Database, entries: list[Entry], problems: list[Problem]) -> int:
    stored: set[str] = set()
    purged = 0
    try:
        hashes = [str(row[0]) for row in database.execute("SELECT sha256 FROM evidence")]
    except sqlite3.Error as error:
        problems.append(Problem(None, f"evidence cannot be read: {error}"))
        return 0
    for sha256 in hashes:
        stored.add(sha256)
        try:
            (content,) = database.execute(
                "SELECT content FROM evidence WHERE sha256 = ?", [sha256]
            ).fetchone()
        except (sqlite3.Error, TypeError) as error:
            problems.append(Problem(None, f"evidence {sha256[:12]} cannot be read: {error}"))
            continue
        if content is None:
            purged += 1
        elif hashlib.sha256(content).hexdigest() != sha256:
            problems.append(
                Problem(None, f"evidence {sha256[:12]} was changed after it was stored")
            )
    for entry in entries:
        problems.extend(
            Problem(
                entry.seq, f"entry {entry.seq} cites evidence {sha256[:12]}, which is not stored"
            )
            for sha256 in entry.evidence
            if sha256 not in stored
        )
    return purged

"""Verifies a record: chain, gaps, triggers, evidence, database. Rows T16 and T17 of the timeline
reference.

The chain shows edits and damaged bits, but not that entries at the end are missing. A comparison
with the head file beside it, or with the head in an export, shows that. SQLite's own checks do not
notice damage inside a value.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlite_utils import Database

from timeline.entry import LOST, NO_HASH, Entry, digest
from timeline.journal.pages import scan
from timeline.journal.rows import SELECT, from_row
from timeline.journal.storage import missing_triggers

Anchor = tuple[int, str]
"""seq (0: any) and hash (a prefix is enough) of an entry that must exist."""


class RecordFault(msgspec.Struct, frozen=True):
    """One fault; `seq` is the entry, None when it is about no single one."""

    seq: int | None
    what: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome. `entries` were read, `head` is the last seq and hash found, `purged` counts
    evidence removed on purpose. `end_known`: the end was compared with a head from outside the
    file."""

    ok: bool
    end_known: bool
    entries: int
    head: tuple[int, str]
    purged: int
    problems: tuple[RecordFault, ...]


def verify_database(
    database: Database,
    path: Path,
    beside: tuple[int, str] | None = None,
    anchor: Anchor | None = None,
) -> Verification:
    """Check everything; a damaged file gives problems, not an exception. `beside` is the head from
    the file next to it, `anchor` one from elsewhere. Raises OSError."""
    problems: list[RecordFault] = []
    entries = _read_all(database, path, problems)
    previous_seq, previous_hash = 0, NO_HASH
    for entry in entries:
        if entry.seq != previous_seq + 1:
            gap = (
                f"{previous_seq + 1}"
                if entry.seq == previous_seq + 2
                else f"{previous_seq + 1} to {entry.seq - 1}"
            )
            problems.append(RecordFault(entry.seq, f"entries {gap} are missing"))
        elif entry.prev_hash != previous_hash:
            problems.append(
                RecordFault(
                    entry.seq,
                    f"entry {entry.seq} does not follow from entry {previous_seq}: prev_hash "
                    "differs",
                )
            )
        if digest(entry) != entry.hash:
            problems.append(
                RecordFault(
                    entry.seq,
                    f"entry {entry.seq} was changed after it was written: its hash differs",
                )
            )
        previous_seq, previous_hash = entry.seq, entry.hash
    purged = _check_evidence(database, entries, problems)
    problems.extend(_check_end(entries, beside, anchor))
    try:
        problems.extend(
            RecordFault(None, f"trigger {name} is missing or was changed")
            for name in missing_triggers(database)
        )
        checks = [str(row[0]) for row in database.execute("PRAGMA quick_check(10)")]
        problems.extend(RecordFault(None, f"SQLite: {check}") for check in checks if check != "ok")
    except sqlite3.Error as error:  # quick_check itself raises on some damage.
        problems.append(RecordFault(None, f"SQLite: {error}"))
    return Verification(
        ok=not problems,
        end_known=beside is not None or anchor is not None,
        entries=len(entries),
        head=(previous_seq, previous_hash),
        purged=purged,
        problems=tuple(problems),
    )


def _check_end(
    entries: list[Entry], beside: tuple[int, str] | None, anchor: Anchor | None
) -> Iterator[RecordFault]:
    """Entries that are missing at the end, now or earlier."""
    if not entries:
        yield RecordFault(None, "there is no entry in it: a record has one from its first second")
    hashes = {entry.seq: entry.hash for entry in entries}
    last = max(hashes, default=0)
    if beside is not None and beside[0] and hashes.get(beside[0]) != beside[1]:
        if beside[0] > last:
            which = f"{beside[0]} is" if beside[0] == last + 1 else f"{last + 1} to {beside[0]} are"
            yield RecordFault(beside[0], f"entries {which} missing: the file ends before its head")
        else:
            yield RecordFault(beside[0], f"entry {beside[0]} is not the one that the head names")
    if anchor is not None and not any(
        each.startswith(anchor[1]) and anchor[0] in (0, seq) for seq, each in hashes.items()
    ):
        which = f"entry {anchor[0]}" if anchor[0] else f"the entry with the hash {anchor[1][:16]}"
        yield RecordFault(
            anchor[0] or None,
            f"{which} is not the one that was exported: it is missing or differs",
        )
    for entry in entries:
        if entry.kind == "session" and entry.data.get("event") == LOST:
            yield RecordFault(entry.seq, f"before entry {entry.seq}: {entry.text}")


def verify_chain(entries: list[Entry]) -> list[RecordFault]:
    """Check only the chain, for entries outside a database (an import)."""
    problems: list[RecordFault] = []
    previous_seq, previous_hash = 0, NO_HASH
    for entry in entries:
        if (
            entry.seq != previous_seq + 1
            or entry.prev_hash != previous_hash
            or digest(entry) != entry.hash
        ):
            problems.append(
                RecordFault(
                    entry.seq,
                    f"entry {entry.seq} does not follow from entry {previous_seq} or was changed",
                )
            )
        previous_seq, previous_hash = entry.seq, entry.hash
    return problems


def _read_all(database: Database, path: Path, problems: list[RecordFault]) -> list[Entry]:
    try:
        return [from_row(row) for row in database.execute(SELECT + " ORDER BY seq")]
    except (sqlite3.Error, ValueError) as error:
        problems.append(RecordFault(None, f"SQLite cannot read the entries: {error}"))
        found = scan(path).entries
        return [found[seq] for seq in sorted(found)]


def _check_evidence(database: Database, entries: list[Entry], problems: list[RecordFault]) -> int:
    stored: set[str] = set()
    purged = 0
    try:
        hashes = [str(row[0]) for row in database.execute("SELECT sha256 FROM evidence")]
    except sqlite3.Error as error:
        problems.append(RecordFault(None, f"evidence cannot be read: {error}"))
        return 0
    for sha256 in hashes:
        stored.add(sha256)
        try:
            (content,) = database.execute(
                "SELECT content FROM evidence WHERE sha256 = ?", [sha256]
            ).fetchone()
        except (sqlite3.Error, TypeError) as error:
            problems.append(RecordFault(None, f"evidence {sha256[:12]} cannot be read: {error}"))
            continue
        if content is None:
            purged += 1
        elif hashlib.sha256(content).hexdigest() != sha256:
            problems.append(
                RecordFault(None, f"evidence {sha256[:12]} was changed after it was stored")
            )
    for entry in entries:
        problems.extend(
            RecordFault(
                entry.seq, f"entry {entry.seq} cites evidence {sha256[:12]}, which is not stored"
            )
            for sha256 in entry.evidence
            if sha256 not in stored
        )
    return purged

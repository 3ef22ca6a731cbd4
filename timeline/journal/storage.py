"""The SQLite file of one incident: where it may live, how it is opened, what it holds.

One connection writes, at most one reader per journal reads. `synchronous` belongs to a connection
and not to the file, so it is set and read back at every open. SQLite 3.7.0 to 3.51.2 can corrupt a
WAL when two connections write and checkpoint at the same instant (sqlite.org/wal.html#walresetbug);
writers of all processes therefore take the lock file of the incident, and readers never checkpoint.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlite_utils import Database

from timeline.journal.files import MOUNTINFO, create_private, file_system, head_path, sync_directory

SCHEMA_VERSION: Final = 3
"""Version 2 hashed the words themselves, so they could not be purged. Version 1 also had an index
on `id` and a full-text table, for which each note wrote 24 KB of WAL."""
PAGE_SIZE: Final = 1024
"""Bytes. A note is one page, or four where a page is full: 2 KB of WAL, at most 6."""
APPLICATION_ID: Final = 0x73746E63  # "stnc"
_NETWORK: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "fuse.sshfs",
        "ceph",
        "glusterfs",
        "fuse.glusterfs",
        "afs",
        "lustre",
    ]
)
_SYNCHRONOUS: Final = {1: "NORMAL", 2: "FULL", 3: "EXTRA", 0: "OFF"}


_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
JsonObject = dict[str, Any]


class JournalError(Exception):
    """The record cannot be opened or written. The message is one sentence: what, which file, what
    to try."""


_ENTRY: Final = """
seq id recorded_at mono_ns occurred_at occurred_precision occurred_end time_source kind
phase actor host context cluster_uid namespace object_kind object_namespace object_name
object_uid object_resource_version text evidence confidence run_id step_id audit_id
redactions supersedes reason data prev_hash hash
"""
ENTRY_COLUMNS: Final[dict[str, type]] = {
    name: int if name in ("seq", "mono_ns") else str for name in _ENTRY.split()
}
EVIDENCE_COLUMNS: Final[dict[str, type]] = {
    "sha256": str,
    "size": int,
    "original_size": int,
    "truncated": int,
    "media_type": str,
    "stored_at": str,
    "content": bytes,
}
TRIGGERS: Final[dict[str, str]] = {
    # Words may be purged: the chain covers their commitment, which `data` keeps.
    "entry_no_update": (
        "BEFORE UPDATE ON entry WHEN NEW.text <> '' OR NEW.reason <> '' OR "
        "json_extract(OLD.data, '$.salt') IS NULL OR json_extract(NEW.data, '$.purged') IS NULL OR "
        + " OR ".join(
            f"NEW.{name} IS NOT OLD.{name}"
            for name in ENTRY_COLUMNS
            if name not in ("text", "reason", "data")
        )
        + " BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END"
    ),
    "entry_no_delete": "BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'the timeline is "
    "append-only'); END",
    "entry_gapless": (
        "BEFORE INSERT ON entry WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM entry) "
        "BEGIN SELECT RAISE(ABORT, 'the next seq is the last one plus one'); END"
    ),
    # Content may be purged (legal redaction); its hash stays, so the chain still verifies.
    "evidence_no_update": (
        "BEFORE UPDATE ON evidence WHEN NEW.content IS NOT NULL OR NEW.sha256 <> OLD.sha256 OR "
        "NEW.size <> OLD.size "
        "OR NEW.original_size <> OLD.original_size OR NEW.truncated <> OLD.truncated OR "
        "NEW.media_type <> OLD.media_type "
        "BEGIN SELECT RAISE(ABORT, 'evidence can only be purged'); END"
    ),
    "evidence_no_delete": "BEFORE DELETE ON evidence BEGIN SELECT RAISE(ABORT, 'evidence can only "
    "be purged'); END",
    "meta_no_update": "BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'meta is written once'); "
    "END",
    "meta_no_delete": "BEFORE DELETE ON meta BEGIN SELECT RAISE(ABORT, 'meta is written once'); "
    "END",
}


def connect_writer(
    path: Path, *, mountinfo: Path = MOUNTINFO, timeout: float = 5.0
) -> tuple[Database, str]:
    """Open the only writing connection of this process. Returns it with its mode, for example
    "WAL+FULL".

    Raises JournalError when the durable mode cannot be set, sqlite3.Error when the file cannot be
    opened.
    """
    connection = sqlite3.connect(path, timeout=timeout, check_same_thread=False)
    try:
        network = file_system(path.parent, mountinfo) in _NETWORK
        mode = "" if network else str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        if mode.upper() != "WAL":
            mode = str(connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()[0])
        connection.execute(f"PRAGMA synchronous={'FULL' if mode.upper() == 'WAL' else 'EXTRA'}")
        for pragma in (
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "mmap_size=0",
            "wal_autocheckpoint=0",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
        level = int(connection.execute("PRAGMA synchronous").fetchone()[0])
        mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
        read_back = f"{mode.upper()}+{_SYNCHRONOUS.get(level, str(level))}"
        if read_back not in ("WAL+FULL", "TRUNCATE+EXTRA"):
            raise JournalError(
                f"{path} opened as {read_back}, which may lose entries; move the incident "
                "directory to a local disk"
            )
    except BaseException:
        connection.close()
        raise
    return Database(connection, execute_plugins=False, recursive_triggers=True), read_back


def connect_reader(path: Path, *, immutable: bool = False, timeout: float = 5.0) -> Database:
    """Open a connection that cannot write. Raises sqlite3.Error."""
    query = "?immutable=1" if immutable else "?mode=ro"
    connection = sqlite3.connect(
        path.absolute().as_uri() + query, uri=True, timeout=timeout, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA mmap_size=0")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return Database(connection, execute_plugins=False)


def create_file(path: Path, meta: Mapping[str, str]) -> None:
    """Create `path` (0600) with the tables, the append-only triggers and the meta rows. Leaves
    nothing when that fails. Raises FileExistsError, OSError, sqlite3.Error.

    The empty file takes the name. The tables are made beside it, so that a process that is killed
    leaves nothing that looks damaged (`is_begun`).
    """
    create_private(path)
    making = path.with_name(f"{path.name}.new")
    try:
        create_private(making)
        database = Database(sqlite3.connect(making), execute_plugins=False)
        try:
            database.execute(f"PRAGMA page_size={PAGE_SIZE}")
            database.execute("PRAGMA synchronous=EXTRA")
            database.execute("BEGIN IMMEDIATE")
            _create_tables(database, meta)
            database.commit()
        finally:
            database.close()
        making.replace(path)
        sync_directory(path.parent)
    except BaseException:
        for made in (path, making, making.with_name(f"{making.name}-journal")):
            made.unlink(missing_ok=True)
        raise


def is_begun(path: Path) -> bool:
    """Whether the file was ever filled with tables. An empty one with no head beside it is the name
    that a process had taken when it was killed; nothing was recorded. Raises OSError."""
    return path.stat().st_size > 0 or head_path(path).exists()


def _create_tables(database: Database, meta: Mapping[str, str]) -> None:
    database.table("meta").create(
        {"key": str, "value": str}, pk="key", not_null=["value"], strict=True
    )
    database.table("entry").create(
        ENTRY_COLUMNS,
        pk="seq",
        not_null=[name for name in ENTRY_COLUMNS if name != "occurred_end"],
        strict=True,
    )
    database.table("evidence").create(
        EVIDENCE_COLUMNS,
        pk="sha256",
        not_null=[name for name in EVIDENCE_COLUMNS if name != "content"],
        strict=True,
    )
    for key, value in meta.items():
        database.table("meta").insert({"key": key, "value": value})
    create_triggers(database)
    database.execute(f"PRAGMA application_id={APPLICATION_ID}")
    database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


_NO_UPDATE_2: Final = (
    "BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'the timeline is append-only'); END"
)
"""`entry_no_update` of schema 2."""


def upgrade(database: Database) -> None:
    """Let a file of schema 2 purge what is recorded from now on. Raises sqlite3.Error."""
    if int(database.execute("PRAGMA user_version").fetchone()[0]) == 2:
        database.execute("BEGIN IMMEDIATE")
        database.execute("DROP TRIGGER IF EXISTS entry_no_update")
        create_triggers(database)
        database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        database.commit()


def create_triggers(database: Database) -> None:
    """(Re-)create the triggers that make the tables append-only; also after every migration,
    because a migration drops triggers silently."""
    for name, body in TRIGGERS.items():
        database.execute(f"CREATE TRIGGER IF NOT EXISTS {name} {body}")


def missing_triggers(database: Database) -> list[str]:
    """Names of triggers that are absent or not as written here."""
    found = dict(database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    expected = dict(TRIGGERS)
    if int(database.execute("PRAGMA user_version").fetchone()[0]) < 3:
        expected["entry_no_update"] = _NO_UPDATE_2
    return [
        name
        for name, body in expected.items()
        if found.get(name) != f"CREATE TRIGGER {name} {body}"
    ]


def check_schema(database: Database, path: Path) -> None:
    """Raise JournalError when the file is not an incident of a known version."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    application = int(database.execute("PRAGMA application_id").fetchone()[0])
    if application != APPLICATION_ID:
        raise JournalError(
            f"{path} is not an incident file; name one that `stanch timeline list` shows"
        )
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"{path} was written by a newer version (schema {version}, this one reads "
            f"{SCHEMA_VERSION}); upgrade stanch"
        )


def copy_database(database: Database, target: Path) -> None:
    """Copy what a reading connection sees into a new file that needs no WAL. Raises
    FileExistsError, OSError, JournalError."""
    create_private(target)
    try:
        copy = sqlite3.connect(target)
        try:
            database.conn.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE").fetchone()
        finally:
            copy.close()
        sync_directory(target.parent)
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise JournalError(f"no copy could be written to {target}: {error}") from error
        raise


def read_meta(database: Database) -> dict[str, str]:
    return {str(key): str(value) for key, value in database.execute("SELECT key, value FROM meta")}


class Opened(NamedTuple):
    """A reading connection, a function to call after it is closed, and whether it sees later
    writes."""

    database: Database
    tidy: Callable[[], None]
    follows: bool


def open_reader(path: Path) -> Opened:
    """Open for reading, including what another process writes meanwhile. Raises sqlite3.Error,
    OSError.

    A running or killed writer leaves a WAL. It is read through mode=ro, which does not remove it at
    the end; without permission in the directory, from a private copy. Without a WAL, `immutable=1`
    needs no permission and creates no files.
    """
    wal = path.with_name(path.name + "-wal")
    if not wal.exists():
        return Opened(connect_reader(path, immutable=True), _nothing, False)
    try:
        return Opened(connect_reader(path), _nothing, True)
    except sqlite3.OperationalError:
        pass  # the copy below can be read
    scratch = tempfile.TemporaryDirectory(prefix="stanch-read-")
    copied = Path(scratch.name) / path.name
    shutil.copyfile(path, copied)
    shutil.copyfile(wal, copied.with_name(wal.name))
    try:
        return Opened(connect_reader(copied), scratch.cleanup, False)
    except BaseException:
        scratch.cleanup()
        raise


def _nothing() -> None:
    """For a reader that has nothing to clean up."""


def redaction_key(path: Path, *, create: bool = True) -> bytes:
    """The incident's redaction key, from its own file so that a shared copy does not carry it."""
    file = path.with_suffix(".key")
    try:
        key = file.read_bytes()
        if len(key) >= 32:
            return key
    except OSError:
        key = b""
    fresh = secrets.token_bytes(32)
    if not create:
        return fresh
    try:
        file.unlink(missing_ok=True)
        create_private(file, fresh)
    except OSError:
        return fresh  # Tokens of this session then match no other session's.
    return fresh


def free_names(directory: Path, now: datetime) -> Iterator[Path]:
    """Paths ``<date>-<letters>.db`` without a file, not even the sidecar of a removed incident.
    Another process may take one at the same instant."""
    for number in itertools.count():
        rest, letters = number, ""
        while True:
            letters = _LETTERS[rest % 26] + letters
            rest = rest // 26 - 1
            if rest < 0:
                break
        stem = f"{now:%Y-%m-%d}-{letters}"
        if not any(directory.glob(f"{stem}.*")):
            yield directory / f"{stem}.db"


# -- the head: seq and hash of the last entry, kept beside the file. A WAL that was deleted or cut,
# rows deleted at the end and a copy of the `.db` alone leave a shorter chain that holds; the head
# shows what is gone. It is written after each commit without a sync: it may lag, never lead.


# -- the lock file between processes

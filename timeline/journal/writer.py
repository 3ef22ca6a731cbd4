"""Writes the file of an incident: one thread in each process.

For each batch: take the lock file of the incident, BEGIN IMMEDIATE, read the head, insert, COMMIT
(synced), then notify the caller. When SQLite refuses (full, I/O error, locked, file gone), the
entry goes to the sidecar; when that refuses too, the caller is notified and the entry stays in
memory. Both are tried again every second. Sources: rows T13 to T15 of the timeline reference.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from errno import EDQUOT, EFBIG, ENOSPC
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlite_utils import Database

from timeline.entry import NO_HASH, Entry, seal, stamp
from timeline.journal.evidence import EvidenceBlob
from timeline.journal.files import MOUNTINFO, read_head, release, take, write_head
from timeline.journal.rows import SELECT, cleaned, from_foreign_row, to_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.storage import (
    JournalError,
    check_schema,
    connect_writer,
    open_reader,
    upgrade,
)
from timeline.redaction.clean import Clean

_BATCH: Final = 64
_CHECKPOINT_EVERY: Final = 400
"""Entries between checkpoints: the WAL then stays at about a megabyte."""
_CHECKPOINT_IDLE: Final = 2.0
"""Seconds without an entry after which the WAL is folded into the file, so that a copy of the file
alone holds everything."""
_RETRY_SECONDS: Final = 1.0
_FOLLOW_SECONDS: Final = 0.5
"""Seconds between two readings of entries of other processes."""
QUOTA: Final = 512 * 1024 * 1024
"""Size of a record, in bytes, above which only the hash of evidence is stored."""
_NO_SPACE: Final = 64 * 1024
"""Bytes that SQLite needs for its shared memory and a commit. With less, its I/O errors mean a full
disk."""
_REFUSALS: Final = (sqlite3.Error, OSError, JournalError)

_LOG: Final = logging.getLogger(__name__)

PreparedEntry = tuple[Entry, Sequence[EvidenceBlob]]
WriterState = Literal["ok", "sidecar", "failing", "read-only", "closed"]


class NotRecorded(JournalError):
    """Neither the database nor the sidecar took the entry."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"NOT RECORDED ({reason})")


class WriterHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether entries reach the database.

    `state`: ok; sidecar (entries are on disk beside it, merged when it accepts them); failing (an
    entry could not be kept on disk); read-only; closed. `pending` entries are in the sidecar,
    `unwritten` ones in memory only. `seq` and `head` are the last entry in the database.
    """

    state: WriterState
    reason: str = ""
    pending: int = 0
    unwritten: int = 0
    mode: str = ""
    seq: int = 0
    head: str = NO_HASH


class _Append(msgspec.Struct):
    prepare: Callable[[], PreparedEntry]
    future: Future[Entry]
    keep: bool


class _Call(msgspec.Struct):
    function: Callable[[Database], Any]
    future: Future[Any]


class _Item(msgspec.Struct):
    """One prepared entry on its way to the disk; `keep`: try again after a refusal."""

    entry: Entry
    evidence: Sequence[EvidenceBlob]
    future: Future[Entry]
    keep: bool


class JournalWriter:
    """Owns the writing connection.

    Callbacks come from the writer's thread: `on_health` when state, reason or counts change,
    `on_stored` with entries that reached the disk, this process's and others', in the order of the
    record (entries in the sidecar have seq 0 and come again with their seq). `clean` is applied to
    what is read.
    """

    def __init__(
        self,
        path: Path,
        *,
        mountinfo: Path = MOUNTINFO,
        patience: float = 5.0,
        on_health: Callable[[WriterHealth], None] | None = None,
        on_stored: Callable[[Sequence[Entry]], None] | None = None,
        clean: Clean,
    ) -> None:
        self._path = path
        self._clean = clean
        self._patience = patience
        self._on_health = on_health
        self._on_stored = on_stored
        self._sidecar = Sidecar(path)
        self._jobs: queue.Queue[_Append | _Call | None] = queue.Queue()
        self._lock_path = path.with_suffix(".lock")
        self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._mountinfo = mountinfo
        self._database: Database | None = None
        self._inode = (0, 0)
        self._since_checkpoint = 0
        self._written_at = 0.0
        self._retry_at = 0.0
        self._kept: list[_Item] = []
        self._reported = 0
        self._data_version = -1
        self._closing = False
        self.health = WriterHealth(state="ok")
        self.lost: tuple[int, int] | None = None
        """First and last seq of entries that the head file names and the database lacks."""
        try:
            try:
                self._connect()
            except (sqlite3.Error, OSError) as error:
                if not _may_pass(error):
                    raise
                self.health = WriterHealth(state="sidecar", reason=_explain(error, path))
                self._read_snapshot()
            self._retry()
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name=f"journal-{path.stem}", daemon=True)
        self._thread.start()

    def submit(self, prepare: Callable[[], PreparedEntry], *, keep: bool = False) -> Future[Entry]:
        """Queue one entry; `prepare` runs in the writer's thread.

        The future is done when the entry is on disk, and fails with `NotRecorded` when nothing
        takes it. With `keep` it then stays in memory and is tried again every second; `on_stored`
        reports its success.
        """
        future: Future[Entry] = Future()
        self._put(_Append(prepare, future, keep))
        return future

    def call(self, function: Callable[[Database], Any]) -> Future[Any]:
        """Run `function` between entries, inside the lock and one transaction, and fold the WAL, so
        that it does not keep what was purged."""
        future: Future[Any] = Future()
        self._put(_Call(function, future))
        return future

    def close(self, timeout: float = 10.0) -> None:
        """Write the queue, fold the WAL into the file, stop; each call waits for the thread.
        Entries that could not be written stay in `unwritten`."""
        if not self._closing:
            self._closing = True
            self._jobs.put(None)
        self._thread.join(timeout)

    @property
    def unwritten(self) -> Sequence[Entry]:
        """Entries that are only in memory because the disk refused them."""
        return [item.entry for item in self._kept]

    def _put(self, job: _Append | _Call) -> None:
        if self._closing:
            raise JournalError(f"the record {self._path.name} is closed; open it again to write")
        self._jobs.put(job)

    # -- the thread

    def _run(self) -> None:
        while True:
            jobs = self._next()
            if not jobs:
                self._idle()
                continue
            appends: list[_Append] = []
            for job in jobs:
                if isinstance(job, _Append):
                    appends.append(job)
                    continue
                self._append(appends)
                appends = []
                if job is None:
                    self._shut()
                    return
                self._serve(job)
            self._append(appends)

    def _connect(self) -> Database:
        """The writing connection. Raises JournalError for a file that must not be written;
        sqlite3.Error or OSError when it cannot be opened now."""
        if self._database is not None:
            return self._database
        take(self._lock, self._lock_path, self._wait)
        try:
            database, mode = connect_writer(
                self._path, mountinfo=self._mountinfo, timeout=self._wait
            )
        finally:
            release(self._lock)
        try:
            check_schema(database, self._path)
            upgrade(database)
            seq, head = _last(database)
            self._inode = self._identity()
            self.lost = _lost(database, seq, read_head(self._path))
            self._data_version = -1
            self._follow(database)
        except BaseException:
            database.close()
            raise
        self._database = database
        self.health = msgspec.structs.replace(self.health, mode=mode, seq=seq, head=head)
        return database

    def _read_snapshot(self) -> None:
        """Report the content of a file that cannot be opened for writing."""
        if self._on_stored is None:
            return
        with suppress(*_REFUSALS, ValueError):
            database, tidy, _ = open_reader(self._path)
            try:
                self._read_new(database)
            finally:
                database.close()
                tidy()

    @property
    def _wait(self) -> float:
        """Seconds to wait for another process that holds the file; less after it held it once, so
        that it does not delay each entry."""
        return 0.1 if self._refusing else self._patience

    def _next(self) -> list[_Append | _Call | None]:
        """The waiting entries, up to a batch; empty when it is time for other work."""
        timeout = _FOLLOW_SECONDS if self._on_stored is not None else None
        if self._refusing:
            timeout = _RETRY_SECONDS
        elif self._since_checkpoint:
            timeout = min(timeout or _CHECKPOINT_IDLE, _CHECKPOINT_IDLE / 2)
        jobs: list[_Append | _Call | None] = []
        with suppress(queue.Empty):
            jobs.append(self._jobs.get(timeout=timeout))
            while len(jobs) < _BATCH:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _idle(self) -> None:
        if self._refusing:
            self._retry()
        elif self._database is not None:
            with suppress(*_REFUSALS, ValueError):  # Reading shows that a file is damaged.
                self._follow(self._database)
            if self._since_checkpoint and time.monotonic() - self._written_at >= _CHECKPOINT_IDLE:
                self._checkpoint("TRUNCATE")

    @property
    def _refusing(self) -> bool:
        return self.health.state in ("sidecar", "failing")

    def _append(self, appends: Sequence[_Append]) -> None:
        items: list[_Item] = []
        for job in appends:
            if not job.future.set_running_or_notify_cancel():
                # The caller stopped waiting: the entry is recorded all the same.
                job.future = Future()
            try:
                entry, evidence = job.prepare()
            except Exception as error:  # The caller's mistake, reported to the caller.
                job.future.set_exception(error)
            else:
                items.append(_Item(entry, evidence, job.future, job.keep))
        if not items:
            return
        if self._refusing and time.monotonic() >= self._retry_at:
            self._retry()
        if not self._refusing:
            try:
                stored = self._commit(items)
            except _REFUSALS as error:
                self._set_aside(items, _explain(error, self._path), self.health.pending)
            else:
                self._tell(state="ok", reason="", pending=0)
                for item, entry in zip(items, stored, strict=True):
                    item.future.set_result(entry)
                if self._since_checkpoint >= _CHECKPOINT_EVERY:
                    self._checkpoint("PASSIVE")
        else:
            self._set_aside(items, self.health.reason, self.health.pending)

    def _set_aside(self, items: Sequence[_Item], reason: str, pending: int) -> None:
        """Write entries to the sidecar, which already holds `pending`. The first that it refuses,
        and all after that, stay in memory."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        refused = False
        for item in items:
            if not self._kept:
                try:
                    self._sidecar.append(item.entry, item.evidence)
                except OSError as error:
                    refused = True
                    reason = _explain(error, self._path)
                else:
                    pending += 1
                    self._report([item.entry])
                    if not item.future.done():
                        item.future.set_result(item.entry)
                    continue
            if item.keep:
                self._kept.append(item)
            if not item.future.done():
                item.future.set_exception(NotRecorded(reason))
        state: WriterState = "failing" if self._kept or refused else "sidecar"
        self._tell(state=state, reason=reason, pending=pending)

    def _commit(self, items: Sequence[_Item]) -> list[Entry]:
        """Insert and commit. Raises sqlite3.Error or OSError, and then stores nothing."""
        database = self._connect()
        if self._identity() != self._inode:
            raise FileNotFoundError("the file was removed or replaced")
        take(self._lock, self._lock_path, self._wait)
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                seq, head = _last(database)
                sealed = []
                keep = self._path.stat().st_size <= QUOTA
                for item in items:
                    for blob in item.evidence:
                        row = blob.record() | {
                            "truncated": int(blob.truncated),
                            "stored_at": stamp(item.entry.recorded_at),
                            "content": blob.content if keep else None,
                        }
                        database.table("evidence").insert(row, ignore=True)
                    placed = seal(item.entry, seq + 1, head)
                    database.table("entry").insert(to_row(placed))
                    seq, head = placed.seq, placed.hash
                    sealed.append(placed)
                database.commit()
            except BaseException:
                database.rollback()
                raise
            with suppress(OSError):  # Then it lags, which shows less and nothing wrong.
                write_head(self._path, seq, head)
        finally:
            release(self._lock)
        self._written_at = time.monotonic()
        self._since_checkpoint += len(sealed)
        self.health = msgspec.structs.replace(self.health, seq=seq, head=head)
        if sealed and sealed[0].seq == self._reported + 1:
            self._report(sealed)
        else:
            with suppress(*_REFUSALS, ValueError):
                self._read_new(database)
        return sealed

    def _follow(self, database: Database) -> None:
        """Report entries that other processes wrote. Raises sqlite3.Error, ValueError for a damaged
        row."""
        if self._on_stored is None:
            return
        (version,) = database.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            self._read_new(database)

    def _read_new(self, database: Database) -> None:
        if self._on_stored is not None:
            rows = database.execute(
                SELECT + " WHERE seq > ? ORDER BY seq", [self._reported]
            ).fetchall()
            self._report([from_foreign_row(row, self._clean) for row in rows])

    def _report(self, entries: Sequence[Entry]) -> None:
        self._reported = max([self._reported, *(entry.seq for entry in entries)])
        if entries and self._on_stored is not None:
            self._call_listener(self._on_stored, entries)

    def _retry(self) -> None:
        """Move entries from the sidecar and from memory into the database; on success the state is
        ok again."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        try:
            database = self._connect()
            with self._sidecar.draining() as waiting:
                known = (
                    {row[0] for row in database.execute("SELECT id FROM entry")}
                    if waiting
                    else set()
                )
                fresh = [
                    _Item(entry, evidence, Future(), False)
                    for entry, evidence in waiting
                    if entry.id not in known
                ]
                if fresh or self._refusing:
                    self._commit([*fresh, *self._kept])
                    self._kept = []
            self._sidecar.keep_reserve()
        except _REFUSALS as error:
            kept, self._kept = self._kept, []
            try:
                beside = [entry for entry, _ in self._sidecar.entries()]
            except OSError:
                beside = []
            self._report([cleaned(entry, self._clean) for entry in beside])
            self._set_aside(kept, _explain(error, self._path), len(beside))
        else:
            self._tell(state="ok", reason="", pending=0)

    def _serve(self, job: _Call) -> None:
        try:
            database = self._connect()
            take(self._lock, self._lock_path, self._patience)
            try:
                database.execute("BEGIN IMMEDIATE")
                try:
                    result = job.function(database)
                    database.commit()
                except BaseException:
                    database.rollback()
                    raise
            finally:
                release(self._lock)
        except Exception as error:  # For the caller.
            job.future.set_exception(error)
        else:
            self._checkpoint("TRUNCATE")
            job.future.set_result(result)

    def _checkpoint(self, how: str) -> None:
        """Fold the WAL into the file. A failure loses nothing: the WAL holds the committed rows,
        and the next checkpoint tries again."""
        if self._database is None:
            return
        with suppress(*_REFUSALS):
            take(self._lock, self._lock_path, 0.5)
            try:
                busy, _, _ = self._database.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
            finally:
                release(self._lock)
            if not busy:
                self._since_checkpoint = 0

    def _shut(self) -> None:
        if self.health.pending or self._kept:
            self._retry()
        self._checkpoint("TRUNCATE")
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
        os.close(self._lock)
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                job.future.set_exception(JournalError(f"the record {self._path.name} was closed"))
        self._tell(state="closed", reason="", pending=self.health.pending)

    def _tell(self, *, state: WriterState, reason: str, pending: int) -> None:
        before = self.health
        self.health = msgspec.structs.replace(
            before, state=state, reason=reason, pending=pending, unwritten=len(self._kept)
        )
        if self._on_health is not None and self.health != before:
            self._call_listener(self._on_health, self.health)

    def _call_listener(self, listener: Callable[[Any], None], news: object) -> None:
        try:
            listener(news)
        except Exception:  # A listener that fails must not end the record.
            _LOG.exception("a listener to the record %s failed", self._path.name)

    def _identity(self) -> tuple[int, int]:
        """Device and inode of the path: entries written to an open file that was removed would be
        lost silently."""
        status = self._path.stat()
        return status.st_dev, status.st_ino


def _last(database: Database) -> tuple[int, str]:
    row = database.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1])) if row else (0, NO_HASH)


def _lost(database: Database, seq: int, known: tuple[int, str] | None) -> tuple[int, int] | None:
    """Entries that the head file names and the database lacks."""
    if known is None or not known[0]:
        return None
    row = database.execute("SELECT hash FROM entry WHERE seq = ?", [known[0]]).fetchone()
    if row is not None and row[0] == known[1]:
        return None
    return min(seq + 1, known[0]), known[0]


def _may_pass(error: Exception) -> bool:
    """Whether the file may be opened later: it is locked, or the disk is full or failing."""
    name = getattr(error, "sqlite_errorname", "")
    return isinstance(error, OSError) or name.startswith(
        ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN")
    )


def _is_full(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _NO_SPACE


def _explain(error: Exception, path: Path) -> str:
    """The reason in a few words, for a banner and after NOT RECORDED."""
    name = getattr(error, "sqlite_errorname", "")
    full = name == "SQLITE_FULL" or getattr(error, "errno", None) in (ENOSPC, EDQUOT, EFBIG)
    if full or (name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _is_full(path)):
        return f"no space left for {path.name}; free space on its disk"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or isinstance(error, TimeoutError):
        return f"{path.name} is locked by another process; close the other stanch or wait"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"{path.name} is damaged; run `stanch timeline verify` and `salvage`"
    if isinstance(error, JournalError):
        return str(error)
    return f"{path.name} cannot be written ({name or error}); check its disk"

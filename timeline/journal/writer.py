"""The one thread of this process that writes an incident's file.

Order of events for each entry: lock file of the incident, BEGIN IMMEDIATE, read the head, insert,
COMMIT (synced), then the caller is told. When SQLite refuses (full, I/O error, locked, file gone),
the entry goes to the sidecar instead, `health` says so, and a merge is tried until the database
takes it. Sources: rows T13 to T15 of the timeline reference.
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
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from sqlite_utils import Database

from timeline.entry import NO_HASH, Entry, seal, stamp
from timeline.journal.evidence import Evidence
from timeline.journal.lock import release, take
from timeline.journal.rows import to_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.storage import MOUNTINFO, JournalError, check_schema, connect_writer

_BATCH: Final = 64
_CHECKPOINT_EVERY: Final = 400
"""Entries between checkpoints: the WAL then stays at a few megabytes."""
_RETRY_SECONDS: Final = 1.0
_REFUSALS: Final = (sqlite3.Error, OSError)

_LOG: Final = logging.getLogger(__name__)

Prepared = tuple[Entry, Sequence[Evidence]]
State = Literal["ok", "sidecar", "failing", "read-only", "closed"]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether entries reach the database.

    `state`: ok; sidecar (entries are on disk beside it, merged when it accepts them); failing (an
    entry could not be kept at all); read-only; closed. `seq` and `head` are the last entry in the
    database.
    """

    state: State
    reason: str = ""
    pending: int = 0
    mode: str = ""
    seq: int = 0
    head: str = NO_HASH


class _Append(msgspec.Struct):
    prepare: Callable[[], Prepared]
    future: Future[Entry]


class _Call(msgspec.Struct):
    function: Callable[[Database], Any]
    future: Future[Any]


class Writer:
    """Owns the writing connection. `on_health` is called from the writer's thread when state,
    reason or pending change."""

    def __init__(
        self,
        path: Path,
        *,
        mountinfo: Path = MOUNTINFO,
        patience: float = 5.0,
        on_health: Callable[[Health], None] | None = None,
    ) -> None:
        self._path = path
        self._patience = patience
        self._on_health = on_health
        self._sidecar = Sidecar(path)
        self._jobs: queue.Queue[_Append | _Call | None] = queue.Queue()
        self._lock_path = path.with_suffix(".lock")
        self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._since_checkpoint = 0
        self._retry_at = 0.0
        self._closing = False
        try:
            take(self._lock, self._lock_path, patience)
            try:
                self._database, self._mode = connect_writer(
                    path, mountinfo=mountinfo, timeout=patience
                )
            finally:
                release(self._lock)
            check_schema(self._database, path)
            seq, head = self._read_head()
        except BaseException:
            os.close(self._lock)
            raise
        self._inode = self._identity()
        self.health = Health(state="ok", mode=self._mode, seq=seq, head=head)
        self._sidecar.keep_reserve()
        self._merge()
        self._thread = threading.Thread(target=self._run, name=f"journal-{path.stem}", daemon=True)
        self._thread.start()

    def submit(self, prepare: Callable[[], Prepared]) -> Future[Entry]:
        """Queue one entry; `prepare` runs in the writer's thread. The future is done when the entry
        is on disk."""
        future: Future[Entry] = Future()
        self._put(_Append(prepare, future))
        return future

    def call(self, function: Callable[[Database], Any]) -> Future[Any]:
        """Run `function` between entries, inside the lock and one transaction."""
        future: Future[Any] = Future()
        self._put(_Call(function, future))
        return future

    def close(self, timeout: float = 10.0) -> None:
        """Write what is queued, fold the WAL into the file, stop. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._jobs.put(None)
        self._thread.join(timeout)

    def _put(self, job: _Append | _Call) -> None:
        if self._closing:
            raise JournalError(f"the record {self._path.name} is closed; open it again to write")
        self._jobs.put(job)

    # -- the thread

    def _run(self) -> None:
        while True:
            jobs = self._next()
            if not jobs:
                self._merge()
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

    def _next(self) -> list[_Append | _Call | None]:
        """All that waits, up to a batch; nothing when it is time to try a merge."""
        waiting = self.health.state in ("sidecar", "failing")
        jobs: list[_Append | _Call | None] = []
        with suppress(queue.Empty):
            jobs.append(self._jobs.get(timeout=_RETRY_SECONDS if waiting else None))
            while len(jobs) < _BATCH:
                jobs.append(self._jobs.get_nowait())
        return jobs

    def _append(self, appends: Sequence[_Append]) -> None:
        prepared: list[tuple[Future[Entry], Prepared]] = []
        for job in appends:
            if not job.future.set_running_or_notify_cancel():
                # given up by the caller, who had already said what happened: it is recorded all the
                # same
                job.future = Future()
            try:
                prepared.append((job.future, job.prepare()))
            except Exception as error:  # the caller's mistake, told to the caller
                job.future.set_exception(error)
        if not prepared:
            return
        if self.health.state in ("sidecar", "failing") and time.monotonic() >= self._retry_at:
            self._merge()
        reason = self.health.reason
        if self.health.state == "ok":
            try:
                stored = self._commit([item for _, item in prepared])
            except _REFUSALS as error:
                reason = _explain(error, self._path)
            else:
                self._tell(state="ok", reason="", pending=0)
                for (future, _), entry in zip(prepared, stored, strict=True):
                    future.set_result(entry)
                self._checkpoint_sometimes(len(stored))
                return
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        for future, (entry, evidence) in prepared:
            try:
                self._sidecar.append(entry, evidence)
            except OSError as error:
                self._tell(
                    state="failing",
                    reason=f"{reason}; the sidecar refused too: {error.strerror or error}",
                    pending=self.health.pending,
                )
                future.set_exception(
                    JournalError(f"the entry was not recorded: {self.health.reason}")
                )
            else:
                self._tell(state="sidecar", reason=reason, pending=self.health.pending + 1)
                future.set_result(entry)

    def _commit(self, items: Sequence[Prepared]) -> list[Entry]:
        """Insert and commit. Raises sqlite3.Error or OSError, with nothing of it in the
        database."""
        if self._identity() != self._inode:
            raise FileNotFoundError("the file was removed or replaced")
        database = self._database
        take(self._lock, self._lock_path, self._patience if self.health.state == "ok" else 0.1)
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                seq, head = self._read_head()
                sealed = []
                for entry, evidence in items:
                    for blob in evidence:
                        row = blob.record() | {
                            "truncated": int(blob.truncated),
                            "stored_at": stamp(entry.recorded_at),
                            "content": blob.content,
                        }
                        database.table("evidence").insert(row, ignore=True)
                    placed = seal(entry, seq + 1, head)
                    database.table("entry").insert(to_row(placed))
                    seq, head = placed.seq, placed.hash
                    sealed.append(placed)
                database.commit()
            except BaseException:
                database.rollback()
                raise
        finally:
            release(self._lock)
        self.health = msgspec.structs.replace(self.health, seq=seq, head=head)
        return sealed

    def _merge(self) -> None:
        """Move what waits in the sidecar into the database; on success the state is ok again."""
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        try:
            with self._sidecar.draining() as waiting:
                known = (
                    {row[0] for row in self._database.execute("SELECT id FROM entry")}
                    if waiting
                    else set()
                )
                fresh = [item for item in waiting if item[0].id not in known]
                if fresh or self.health.state != "ok":
                    self._commit(fresh)
            self._sidecar.keep_reserve()
        except _REFUSALS as error:
            with suppress(OSError):
                self._tell(
                    state="sidecar",
                    reason=_explain(error, self._path),
                    pending=len(self._sidecar.entries()),
                )
        else:
            self._tell(state="ok", reason="", pending=0)

    def _serve(self, job: _Call) -> None:
        try:
            take(self._lock, self._lock_path, self._patience)
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    result = job.function(self._database)
                    self._database.commit()
                except BaseException:
                    self._database.rollback()
                    raise
            finally:
                release(self._lock)
        except Exception as error:  # told to the caller, who waits for it
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

    def _checkpoint_sometimes(self, written: int) -> None:
        self._since_checkpoint += written
        if self._since_checkpoint >= _CHECKPOINT_EVERY:
            self._since_checkpoint = 0
            self._checkpoint("PASSIVE")

    def _checkpoint(self, how: str) -> None:
        """Fold the WAL into the file. Failing loses nothing: the WAL holds what was committed, and
        the next one tries again."""
        try:
            take(self._lock, self._lock_path, 0.5)
            try:
                self._database.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            finally:
                release(self._lock)
        except _REFUSALS:
            return

    def _shut(self) -> None:
        if self.health.pending:
            self._merge()
        self._checkpoint("TRUNCATE")
        if not self.health.pending:
            with suppress(OSError):
                self._sidecar.release_reserve()
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

    def _tell(self, *, state: State, reason: str, pending: int) -> None:
        before = self.health
        self.health = msgspec.structs.replace(before, state=state, reason=reason, pending=pending)
        changed = (before.state, before.reason, before.pending) != (state, reason, pending)
        if changed and self._on_health is not None:
            try:
                self._on_health(self.health)
            except Exception:  # a listener that fails must not end the record
                _LOG.exception("a listener to the health of %s failed", self._path.name)

    def _read_head(self) -> tuple[int, str]:
        row = self._database.execute(
            "SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return (int(row[0]), str(row[1])) if row else (0, NO_HASH)

    def _identity(self) -> tuple[int, int]:
        """Device and inode of the path; an open file that was removed would swallow entries without
        a word."""
        status = self._path.stat()
        return status.st_dev, status.st_ino


def _explain(error: Exception, path: Path) -> str:
    """One sentence for a banner."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL" or getattr(error, "errno", None) == 28:
        return f"no space left for {path.name}; free space on its disk"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or isinstance(error, TimeoutError):
        return f"{path.name} is locked by another process; close the other stanch or wait"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return f"{path.name} is damaged; run `stanch timeline verify` and `salvage`"
    return f"{path.name} cannot be written ({name or error}); check its disk"

"""The record of one incident: one SQLite file, append-only, hash-chained.

`append` returns when the entry is on disk (in the database, or in the sidecar when the database
refuses; `health` then says so). All methods may be called from any thread. A second process may
hold the same incident open; seq stays gapless.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypedDict, Unpack

import msgspec
from sqlite_utils import Database

from timeline.entry import (
    LOST,
    NO_HASH,
    Entry,
    NewEntry,
    RevisionAction,
    canonical,
    order,
    purged,
    stamp,
)
from timeline.intents import unfinished
from timeline.journal import files, storage
from timeline.journal.evidence import EvidenceBlob
from timeline.journal.files import MOUNTINFO, read_head
from timeline.journal.preparation import EntryIdentity, EntryOrigin, check, here, new_ulid, prepare
from timeline.journal.rows import SELECT, cleaned, from_foreign_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.storage import (
    JournalError,
    Opened,
    free_names,
    open_reader,
    redaction_key,
)
from timeline.journal.verification import Anchor, Verification, verify_database
from timeline.journal.writer import JournalWriter, NotRecorded, WriterHealth
from timeline.redaction.clean import Clean
from timeline.redaction.redact import Redactor
from timeline.revisions import RevisedEntry, latest
from timeline.summary import summarize

__all__ = ["EntryIdentity", "EntryOrigin", "Journal", "JournalError", "NotRecorded", "WriterHealth"]


class Settings(TypedDict, total=False):
    """Options for writing a journal.

    `origin` is the author; `literals` are strings to redact; `monotonic` gives nanoseconds;
    `patience` is how many seconds to wait for another process that holds the file. `on_health` and
    `on_stored`: see `JournalWriter`.
    """

    origin: EntryOrigin
    literals: Iterable[str]
    clock: Callable[[], datetime]
    monotonic: Callable[[], int]
    mountinfo: Path
    patience: float
    on_health: Callable[[WriterHealth], None]
    on_stored: Callable[[Sequence[Entry]], None]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """An incident on disk. Made by `create`, `open` or `open_read_only`; closed by `close` or as a
    context manager."""

    def __init__(
        self,
        path: Path,
        *,
        writer: JournalWriter | None,
        opened: Opened,
        redactor: Redactor,
        origin: EntryOrigin,
        clock: Callable[[], datetime],
        monotonic: Callable[[], int],
    ) -> None:
        self.path = path
        self.redactor = redactor
        self.origin = origin
        self._writer = writer
        self._opened = opened
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._read: list[Entry] = []
        self._sorted: tuple[tuple[int, tuple[str, ...]], Sequence[Entry]] | None = None
        self._lines: tuple[Sequence[Entry], Sequence[RevisedEntry]] | None = None
        self._closed = False
        self.meta = {
            redactor.clean(key): redactor.clean(value)
            for key, value in storage.read_meta(opened.database).items()
        }

    # -- opening

    @classmethod
    def create(
        cls,
        directory: Path,
        title: str = "",
        *,
        clean: Clean,
        data: Mapping[str, Any] | None = None,
        **settings: Unpack[Settings],
    ) -> Journal:
        """Open a new incident in `directory` (made 0700) under the next free id of the day, such as
        ``2026-11-21-a``.

        The first entry is `incident-opened`, with `data`. `clean` is applied to all text that comes
        in. Raises JournalError.
        """
        now = settings.get("clock", _utc_now)().astimezone(UTC)
        try:
            files.private_directory(directory)
            for path in free_names(directory, now):
                meta = {
                    "incident_id": path.stem,
                    "created_at": now.isoformat(),
                    "schema": "stanch.timeline/1",
                }
                try:
                    storage.create_file(path, meta)
                    break
                except FileExistsError:
                    continue
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"no incident could be opened in {directory}: {error}; check the directory and "
                "its disk"
            ) from error
        journal = cls.open(path, clean=clean, **settings)
        try:
            journal.append(
                NewEntry(
                    kind="incident-opened",
                    text=title,
                    occurred_at=now,
                    data={"incident_id": path.stem, **(data or {})},
                )
            )
        except JournalError:
            journal.close()
            for made in directory.glob(f"{path.stem}.*"):
                made.unlink(missing_ok=True)
            raise
        return journal

    @classmethod
    def open(cls, path: Path, *, clean: Clean, **settings: Unpack[Settings]) -> Journal:
        """Open an incident for writing, and merge the sidecar of a dead process.

        While another process holds the file for longer than `patience`, or its disk is full,
        entries go to the sidecar until it can be opened. Raises JournalError.
        """
        _require(path)
        redactor = Redactor(redaction_key(path), clean, settings.get("literals", ()))
        try:
            writer = JournalWriter(
                path,
                clean=clean,
                mountinfo=settings.get("mountinfo", MOUNTINFO),
                patience=settings.get("patience", 5.0),
                on_health=settings.get("on_health"),
                on_stored=settings.get("on_stored"),
            )
        except (OSError, sqlite3.Error, ValueError) as error:
            raise JournalError(
                f"{path} cannot be opened for writing: {error}; try `stanch timeline verify`"
            ) from error
        try:
            opened = open_reader(path)
        except (OSError, sqlite3.Error) as error:
            writer.close()
            raise _unreadable(path, error) from error
        journal = cls(
            path,
            writer=writer,
            opened=opened,
            redactor=redactor,
            origin=settings.get("origin") or here(),
            clock=settings.get("clock", _utc_now),
            monotonic=settings.get("monotonic", time.monotonic_ns),
        )
        if writer.lost is not None:
            journal.submit(_lost(*writer.lost), keep=True)
        return journal

    @classmethod
    def open_read_only(cls, path: Path, *, clean: Clean, literals: Iterable[str] = ()) -> Journal:
        """Open an incident, or a copy of one in a place that cannot be written, for reading.
        `literals` are redacted in exports. Raises JournalError."""
        _require(path)
        try:
            opened = open_reader(path)
        except (OSError, sqlite3.Error) as error:
            raise _unreadable(path, error) from error
        try:
            storage.check_schema(opened.database, path)
            return cls(
                path,
                writer=None,
                opened=opened,
                redactor=Redactor(redaction_key(path, create=False), clean, literals),
                origin=here(),
                clock=_utc_now,
                monotonic=time.monotonic_ns,
            )
        except (JournalError, sqlite3.Error) as error:
            opened.database.close()
            opened.tidy()
            raise (
                error
                if isinstance(error, JournalError)
                else JournalError(f"{path} cannot be read: {error}")
            ) from error

    # -- writing

    def append(self, draft: NewEntry) -> Entry:
        """Record one entry; on return it is on disk. Raises ValueError for a bad draft,
        JournalError when it could not be kept."""
        return self.submit(draft).result()

    def submit(
        self, draft: NewEntry, identity: EntryIdentity | None = None, *, keep: bool = False
    ) -> Future[Entry]:
        """Queue an entry without waiting for the disk. Entries keep the order of the calls.

        The future is done when the entry is on disk, and fails with `NotRecorded` when the disk
        refuses it. With `keep` a refused entry stays in memory and is tried again every second.
        Raises ValueError for an invalid draft, JournalError when nothing can be recorded.
        """
        if self._writer is None:
            raise JournalError(
                f"{self.path.name} was opened read-only; nothing can be recorded in it"
            )
        check(draft)
        known, origin = identity or self.identify(), self.origin
        return self._writer.submit(lambda: prepare(draft, known, origin, self.redactor), keep=keep)

    def adopt(self, entry: Entry, source: str, evidence: Sequence[EvidenceBlob]) -> Entry:
        """Append an entry of another record, `source`, unchanged, at the next place in the
        chain."""
        if self._writer is None:
            raise JournalError(f"{self.path.name} was opened read-only")
        data = {**entry.data, "merged_from": source, "merged_seq": entry.seq}
        taken = msgspec.structs.replace(entry, seq=0, prev_hash="", hash="", data=data)
        taken = cleaned(taken, self.redactor.clean)
        return self._writer.submit(lambda: (taken, evidence)).result()

    def identify(self) -> EntryIdentity:
        """Id and times for an entry of now."""
        now = self._clock()
        return EntryIdentity(new_ulid(now), now, self._monotonic())

    @property
    def unwritten(self) -> Sequence[Entry]:
        """Entries that are only in memory because the disk refused them."""
        return self._writer.unwritten if self._writer is not None else ()

    def bind(self, *, context: str | None = None, cluster_uid: str | None = None) -> None:
        """Change the defaults for drafts that leave these fields empty."""
        given = {"context": context, "cluster_uid": cluster_uid}
        self.origin = msgspec.structs.replace(
            self.origin, **{name: value for name, value in given.items() if value is not None}
        )

    def revise(
        self,
        entry_id: str,
        action: RevisionAction,
        *,
        reason: str = "",
        text: str | None = None,
        occurred_at: datetime | None = None,
        phase: str | None = None,
    ) -> Entry:
        """Revise the view of an entry by appending an entry; nothing stored changes. `undo` names
        the revision to take back. Raises ValueError when there is no such entry."""
        if not any(entry.id == entry_id for entry in self.entries()):
            raise ValueError(f"there is no entry {entry_id} in {self.path.stem}")
        data: dict[str, Any] = {"action": action}
        if text is not None:
            data["text"] = text
        if occurred_at is not None:
            data["occurred_at"] = stamp(occurred_at)
        if phase is not None:
            data["phase"] = phase
        return self.append(
            NewEntry(
                kind="revision", supersedes=entry_id, reason=reason, time_source="human", data=data
            )
        )

    def purge_evidence(self, sha256: str, reason: str) -> Entry:
        """Remove the bytes of one piece of evidence for good. Its hash stays and the chain still
        verifies."""
        return self._purge([], [sha256], sha256, reason)

    def purge(self, entry: Entry, reason: str) -> Entry:
        """Remove for good the words of an entry, of its revisions, and the evidence that only they
        cite. The chain still verifies. Raises ValueError for an entry of an earlier version."""
        stored = self._stored()
        about = [each for each in stored if entry.id in (each.id, each.supersedes)]
        kept = {sha256 for each in stored if each not in about for sha256 in each.evidence}
        cited = {sha256 for each in about for sha256 in each.evidence} - kept
        return self._purge([purged(each) for each in about], sorted(cited), entry.id, reason)

    def _purge(
        self, without: Sequence[Entry], evidence: Sequence[str], about: str, reason: str
    ) -> Entry:
        if self._writer is None:
            raise JournalError(
                f"{self.path.name} was opened read-only; nothing can be purged from it"
            )
        entry = self.append(
            NewEntry(
                kind="revision",
                supersedes=about,
                reason=reason,
                time_source="human",
                data={"action": "purge", "evidence": list(evidence)},
            )
        )

        def remove(database: Database) -> None:
            for each in without:
                database.execute(
                    "UPDATE entry SET text = '', reason = '', data = ? WHERE seq = ?",
                    [canonical(dict(each.data)), each.seq],
                )
            for sha256 in evidence:
                database.execute("UPDATE evidence SET content = NULL WHERE sha256 = ?", [sha256])

        self._writer.call(remove).result()
        with self._lock:
            self._read, self._sorted, self._lines = [], None, None
        return entry

    # -- reading

    def entries(
        self,
        *,
        kinds: Iterable[str] | None = None,
        after_seq: int = 0,
        pending: bool = True,
    ) -> Sequence[Entry]:
        """Entries as recorded, by the time they happened and then by seq. Those waiting in the
        sidecar have seq 0.

        Raises JournalError when the file is damaged.
        """
        found = self._ordered() if pending else sorted(self._stored(), key=order)
        if kinds is None and not after_seq:
            return found
        wanted = frozenset(kinds) if kinds is not None else None
        return tuple(
            entry
            for entry in found
            if (wanted is None or entry.kind in wanted) and (entry.seq > after_seq or entry.pending)
        )

    def latest(self) -> Sequence[RevisedEntry]:
        """Entries with their revisions applied, hidden ones marked, in the same order."""
        found = self._ordered()
        if self._lines is None or self._lines[0] is not found:
            self._lines = (found, latest(found))
        return self._lines[1]

    def unfinished(self, before_seq: int | None = None) -> Sequence[Entry]:
        """Intents without a result, in order of seq: interrupted, with an unknown outcome, to be
        verified. `before_seq` leaves out this session's: give the seq of its `session` entry."""
        found = unfinished([*self._stored(), *self._waiting()])
        return [
            entry
            for entry in found
            if before_seq is None or (entry.seq < before_seq and not entry.pending)
        ]

    def copy_to(self, target: Path) -> int:
        """Write the whole record as one file (0600) that opens without a folder beside it, for
        sharing, with its head beside it but without the redaction key; returns how many entries
        wait in the sidecar and are not in it. Raises JournalError, FileExistsError, OSError."""
        with self._lock:
            storage.copy_database(self._reader(), target)
        stored = self._stored()
        if stored:
            files.write_head(target, stored[-1].seq, stored[-1].hash)
        return len(self._waiting())

    def evidence(self, sha256: str) -> EvidenceBlob | None:
        """One piece of evidence, None for an unknown hash. Raises JournalError when it cannot be
        read."""
        query = (
            "SELECT sha256, size, original_size, truncated, media_type, content FROM evidence "
            "WHERE sha256 = ?"
        )
        try:
            with self._lock:
                row = self._reader().execute(query, [sha256]).fetchone()
        except sqlite3.Error as error:
            raise _unreadable(self.path, error) from error
        if row is None:
            waiting = (blob for _, blobs in Sidecar(self.path).entries() for blob in blobs)
            return next((blob for blob in waiting if blob.sha256 == sha256), None)
        return EvidenceBlob(
            sha256=row[0],
            size=row[1],
            original_size=row[2],
            truncated=bool(row[3]),
            media_type=row[4],
            content=row[5],
        )

    @property
    def id(self) -> str:
        return self.meta.get("incident_id", self.path.stem)

    @property
    def title(self) -> str:
        return summarize(sorted(self.entries(), key=lambda entry: entry.seq)).title

    @property
    def head(self) -> tuple[int, str]:
        """seq and hash of the last entry in the database."""
        stored = self._stored()
        return (stored[-1].seq, stored[-1].hash) if stored else (0, NO_HASH)

    @property
    def health(self) -> WriterHealth:
        if self._writer is not None:
            return self._writer.health
        seq, head = self.head
        return WriterHealth(state="closed" if self._closed else "read-only", seq=seq, head=head)

    def verify(self, anchor: Anchor | None = None) -> Verification:
        """Check chain, end, gaps, triggers, evidence and database; `anchor` is a seq and hash from
        an earlier export."""
        with self._lock:
            return verify_database(self._reader(), self.path, read_head(self.path), anchor)

    def close(self) -> None:
        """Write what is queued and close. Idempotent.

        The reading connection closes last: a listener reads evidence while the writer's thread
        reports the last entries.
        """
        if self._writer is not None:
            self._writer.close()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._opened.database.close()
            self._opened.tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reader(self) -> Database:
        """The reading connection; the caller holds the lock. A snapshot from a time when the file
        could not be opened is replaced when it can. Raises JournalError after `close`."""
        if self._closed:
            raise JournalError(f"the record {self.path.name} is closed; open it again to read")
        if self._writer is not None and not self._opened.follows:
            with suppress(OSError, sqlite3.Error):
                fresh = open_reader(self.path)
                self._opened.database.close()
                self._opened.tidy()
                self._opened = fresh
        return self._opened.database

    def _stored(self) -> list[Entry]:
        """All entries of the database by seq; only new rows are read."""
        with self._lock:
            if self._closed:
                return self._read
            last = self._read[-1].seq if self._read else 0
            try:
                rows = (
                    self._reader()
                    .execute(SELECT + " WHERE seq > ? ORDER BY seq", [last])
                    .fetchall()
                )
                self._read.extend(from_foreign_row(row, self.redactor.clean) for row in rows)
            except (sqlite3.Error, ValueError) as error:
                raise JournalError(
                    f"{self.path.name} is damaged ({error}); run `stanch timeline salvage`"
                ) from error
            return list(self._read)

    def _waiting(self) -> list[Entry]:
        """Entries of the sidecar, in the order in which they were written."""
        known = {entry.id for entry in self._read}
        try:
            waiting = Sidecar(self.path).entries()
            return [
                cleaned(entry, self.redactor.clean) for entry, _ in waiting if entry.id not in known
            ]
        except OSError:
            return []

    def _ordered(self) -> Sequence[Entry]:
        """All entries by (occurred_at, seq); the same object until something new is recorded."""
        stored, waiting = self._stored(), self._waiting()
        key = (len(stored), tuple(entry.id for entry in waiting))
        if self._sorted is None or self._sorted[0] != key:
            self._sorted = (key, tuple(sorted([*stored, *waiting], key=order)))
        return self._sorted[1]


def _require(path: Path) -> None:
    if not path.is_file():
        raise JournalError(
            f"there is no incident file {path}; `stanch timeline list` shows what there is"
        )


def _unreadable(path: Path, error: Exception) -> JournalError:
    return JournalError(f"{path} cannot be read: {error}; try `stanch timeline salvage`")


def _lost(first: int, last: int) -> NewEntry:
    """An entry that reports the cut: the next entries reuse the numbers of the lost ones."""
    which, verb = (
        (f"entry {last}", "is") if first == last else (f"entries {first} to {last}", "are")
    )
    return NewEntry(
        kind="session",
        text=f"{which}, recorded earlier, {verb} missing from the file",
        data={"event": LOST, "first": first, "last": last},
    )

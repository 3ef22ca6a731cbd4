"""The record of an investigation: writes entries without blocking the event loop, holds all of them
in memory for reading, and keeps the ledger of what exists in the cluster.

Writing never raises into the screens: without a file, entries live in memory, the status line says
so, and whatever needs a record (probes that create something, actions) is refused.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut
from incident.config import ConfigError, load_config
from incident.options import Options
from incident.view import RecordView
from timeline.entry import Draft, Entry, Kind, ObjectRef
from timeline.intents import unfinished
from timeline.journal.preparation import Identity, Origin, outline
from timeline.journal.ulid import new_ulid
from timeline.redaction.redact import Redactor

if TYPE_CHECKING:
    from probes.ledger import Intent
    from timeline.journal.journal import Health, Journal

RESUME_WITHIN = timedelta(hours=12)
"""An open incident of the same context that was written to within this time is gone on with."""

EARLIER = 20
"""Files of other incidents that are searched for objects that may still exist in a cluster."""


class RecordUnavailable(RuntimeError):
    """An entry is not on disk; the message is one sentence with the reason."""


class _Waiting(msgspec.Struct):
    """An entry that is not on disk. `refused`: why not, "" while the disk has not answered.
    `answered` fails when the disk refuses it, `written` is done when it takes it. An entry that is
    not kept when it is refused is not shown before it is on disk (`keep`)."""

    entry: Entry
    draft: Draft
    identity: Identity
    keep: bool
    answered: Future[Entry]
    written: Future[Entry]
    refused: str = ""


class Record:
    """One incident's file, or a list in memory with the reason why there is no file.

    Only `open` and `close` wait for the disk; what else is not a coroutine returns at once. All
    methods may be called from any thread. `on_change` is called, also from another thread, when an
    entry reached the disk or was refused.
    """

    def __init__(
        self,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.journal: Journal | None = None
        self.on_change = on_change
        self._reason = "not opened yet"
        self._opening = True
        self._clock = clock
        self._redactor = Redactor(os.urandom(32), clean_uncut)
        self._lock = threading.RLock()
        self._stored: dict[str, Entry] = {}
        self._waiting: dict[str, _Waiting] = {}
        """In the order in which they were given."""
        self._runbooks: dict[str, str] = {}
        self._by_record: Sequence[Entry] | None = None
        self._by_time: Sequence[Entry] | None = None

    # -- writing

    def append(self, draft: Draft) -> Entry:
        """Give one entry to the record and return it as it is shown until it is on disk
        (`Entry.on_disk`); `recorded` waits for that. Entries keep the order of the calls; what the
        disk refuses is tried again every second. Raises ValueError for a bad draft."""
        return self._give(draft, keep=True).entry

    async def append_durably(self, draft: Draft) -> Entry:
        """As `append`, and return when the entry is on disk: for what must not happen without a
        record. Raises `RecordUnavailable`; the entry is then not kept."""
        if self.journal is None:
            raise RecordUnavailable(f"no incident is being recorded ({self._reason})")
        entry = self._give(draft, keep=False).entry
        return await self.recorded(entry)

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        """Wait until `entry` is in the database or the sidecar, synced, and return it as it stands
        there. Raises `RecordUnavailable` when the disk refuses it; with `again`, wait until the
        disk takes what it refused before. Being cancelled undoes nothing."""
        with self._lock:
            stored, waiting = self._stored.get(entry.id), self._waiting.get(entry.id)
        if stored is not None:
            return stored
        if waiting is None:
            raise RecordUnavailable("NOT RECORDED")
        future = waiting.written if again else waiting.answered
        return await asyncio.shield(asyncio.wrap_future(future))

    def _give(self, draft: Draft, *, keep: bool) -> _Waiting:
        with self._lock:
            now = self._clock()
            identity = Identity(new_ulid(now), now, monotonic_ns())
            origin = self.journal.origin if self.journal is not None else Origin()
            shown = outline(draft, identity, origin, self._redactor)
            waiting = _Waiting(shown, draft, identity, keep, Future(), Future())
            self._waiting[identity.id] = waiting
            self._changed()
            if self.journal is not None or not self._opening:
                self._submit(waiting)
        return waiting

    def _submit(self, waiting: _Waiting) -> None:
        """Queue an entry; the journal's thread tells what became of it, success through `_take`."""
        from timeline.journal.journal import JournalError

        try:
            if self.journal is None:
                raise JournalError(f"NOT RECORDED ({self._reason})")
            future = self.journal.submit(waiting.draft, waiting.identity, keep=waiting.keep)
        except JournalError as error:
            self._refuse(waiting, str(error))
        else:
            future.add_done_callback(partial(self._answered, waiting))

    def _answered(self, waiting: _Waiting, future: Future[Entry]) -> None:
        error = future.exception()
        if error is not None:
            self._refuse(waiting, str(error))

    def _refuse(self, waiting: _Waiting, reason: str) -> None:
        with self._lock:
            waiting.refused = reason
            if not waiting.keep:
                del self._waiting[waiting.entry.id]
            if not waiting.answered.done():
                waiting.answered.set_exception(RecordUnavailable(reason))
        self.on_change()

    def _take(self, entries: Sequence[Entry]) -> None:
        """Entries that are on disk, of this process and of others."""
        self._read_runbooks(entries)
        with self._lock:
            fresh = [
                entry
                for entry in entries
                if entry.id not in self._stored or self._stored[entry.id].seq < entry.seq
            ]
            for entry in fresh:
                self._stored[entry.id] = entry
                waiting = self._waiting.pop(entry.id, None)
                for future in (waiting.answered, waiting.written) if waiting is not None else ():
                    if not future.done():
                        future.set_result(entry)
            self._changed()
        if fresh:
            self.on_change()

    def _read_runbooks(self, entries: Iterable[Entry]) -> None:
        """Keep the texts of the runbooks that were opened: reading one must not wait for the
        disk."""
        for entry in entries:
            if entry.kind == "run-started" and entry.evidence and self.journal is not None:
                blob = self.journal.evidence(entry.evidence[0])
                self._runbooks[entry.run_id] = blob.text if blob is not None else ""

    def _noticed(self, _: Health) -> None:
        self.on_change()

    def _changed(self) -> None:
        self._by_record = self._by_time = None

    # -- opening

    def open(self, options: Options, context: str, server: str) -> None:
        """Blocking: go on with an incident or begin one, as the options say, and write what was
        noted before. Called again when the context is known. Never raises: without a file, entries
        stay in memory and `view` says why."""
        from timeline.journal.journal import JournalError

        if self.journal is None:
            try:
                journal = self._open_journal(options, context)
            except (JournalError, ConfigError, OSError) as error:
                journal, self._reason = None, str(error)
            with self._lock:
                self.journal, self._opening = journal, False
                if journal is not None:
                    self._redactor = journal.redactor
                for waiting in list(self._waiting.values()):
                    self._submit(waiting)
                given = list(self._stored.values())
            self._read_runbooks(given)
        if self.journal is not None:
            self._join(context, server, options)
        self.on_change()

    def _open_journal(self, options: Options, context: str) -> Journal:
        from timeline.journal import index
        from timeline.journal.journal import Journal, JournalError

        if not options.record:
            raise JournalError("this command keeps no record")
        directory = options.state / "incidents"
        literals = load_config(options.config).redact
        path: Path | None = None
        if options.incident and options.incident != "new":
            path = index.find_incident(directory, options.incident, clean=clean_uncut).path
        elif not options.incident:
            found = index.find_resumable(
                directory,
                clean=clean_uncut,
                now=self._clock(),
                context=context,
                within=RESUME_WITHIN,
            )
            path = found.path if found is not None else None
        if path is None:
            return Journal.create(
                directory,
                f"Incident on {context or 'an unknown cluster'}",
                clean=clean_uncut,
                literals=literals,
                clock=self._clock,
                on_stored=self._take,
                on_health=self._noticed,
            )
        return Journal.open(
            path,
            clean=clean_uncut,
            literals=literals,
            clock=self._clock,
            on_stored=self._take,
            on_health=self._noticed,
        )

    def _join(self, context: str, server: str, options: Options) -> None:
        """Say in the record who works on which cluster from now on."""
        assert self.journal is not None
        self.journal.bind(context=context)
        mode = "write" if options.write else "read-only"
        text = f"stanch opened on {context or 'no context'} ({server or 'no server'}), {mode}"
        data = {
            "event": "opened",
            "context": context,
            "server": server,
            "write": options.write,
            "drill": options.drill,
        }
        self.append(Draft(kind="session", text=text, data=data))

    # -- reading

    def by_record(self) -> Sequence[Entry]:
        """Everything given to the record, in the order in which it was given; what is not in the
        database yet comes last."""
        with self._lock:
            if self._by_record is None:
                stored = sorted(self._stored.values(), key=lambda entry: (entry.pending, entry.seq))
                self._by_record = (*stored, *self.unrecorded())
            return self._by_record

    def entries(self) -> Sequence[Entry]:
        """Everything given to the record, by the time it happened."""
        with self._lock:
            if self._by_time is None:
                self._by_time = tuple(sorted(self.by_record(), key=lambda entry: entry.occurred_at))
            return self._by_time

    def unrecorded(self) -> Sequence[Entry]:
        """Entries that are not on disk and would be lost with this process."""
        with self._lock:
            return [each.entry for each in self._waiting.values() if each.keep]

    def unfinished(self) -> Sequence[Entry]:
        """Intents without a result."""
        return unfinished(self.by_record())

    def runbook_text(self, run_id: str) -> str:
        """The runbook's text when this run was started, "" when it is not known."""
        return self._runbooks.get(run_id, "")

    def view(self) -> RecordView:
        with self._lock:
            shown = [each for each in self._waiting.values() if each.keep]
            refused = sum(1 for each in shown if each.refused)
            waiting, count = len(shown) - refused, len(self._stored) + len(shown)
        if self.journal is None:
            return RecordView("", count, "none", self._reason, "", waiting, refused)
        health = self.journal.health
        state = "ok" if health.state in ("ok", "closed") else "sidecar"
        if refused:
            state = "refused"
        return RecordView(
            self.journal.id, count, state, health.reason, health.head, waiting, refused
        )

    async def settled(self, limit: float = 2.0) -> None:
        """Wait until what was given so far is on disk or refused, at most `limit` seconds."""
        with self._lock:
            given = [
                asyncio.wrap_future(each.answered)
                for each in self._waiting.values()
                if not each.refused
            ]
        for each in given:
            each.add_done_callback(_retrieve)
        if given:
            await asyncio.wait(given, timeout=limit)

    def redact(self, text: str) -> str:
        """`text` without secrets, as the record would store it."""
        return self._redactor.text(text)[0]

    def close(self) -> None:
        """Blocking: write what is queued. What could not be written stays in `unrecorded`."""
        if self.journal is not None:
            self.journal.close()


def _retrieve(future: asyncio.Future[Entry]) -> None:
    """A refusal is said by `Record.view`, whoever else waits for it."""
    if not future.cancelled():
        future.exception()


class JournalLedger:
    """The ledger of created objects, kept as intent and result entries of the record."""

    def __init__(self, record: Record, incidents: Path) -> None:
        """`incidents`: the folder with the files of earlier incidents."""
        self._record = record
        self._incidents = incidents

    async def intend(self, intent: Intent) -> None:
        """Raises `RecordUnavailable`: then nothing is created."""
        data = {
            "intent_id": _ledger_key(intent.ref),
            "session": intent.session,
            "purpose": intent.purpose,
            "expires": intent.expires.isoformat(),
            "object": list(intent.ref),
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }
        await self._record.append_durably(
            Draft(
                kind="object-intent",
                text=f"about to create {intent.ref}: {intent.purpose}",
                object=object_ref(intent.ref),
                phase="diagnose",
                data=data,
            )
        )

    def created(self, intent: Intent, uid: str) -> None:
        self._write(
            "object-created",
            intent.ref,
            f"created {intent.ref}",
            {"uid": uid, "session": intent.session},
        )

    def removed(self, ref: Ref, how: str) -> None:
        self._write("object-removed", ref, f"{ref} is gone: {how}", {"how": how})

    async def open_intents(self) -> Sequence[Intent]:
        """Rows without an end, of this incident and of the earlier ones on this machine."""
        return [
            *intents_of(self._record.unfinished()),
            *await asyncio.to_thread(self._earlier_intents),
        ]

    def _earlier_intents(self) -> list[Intent]:
        from timeline.journal.journal import Journal, JournalError

        own = self._record.journal.path if self._record.journal is not None else None
        found: list[Intent] = []
        for path in _newest(self._incidents)[:EARLIER]:
            if path == own:
                continue
            try:
                with Journal.open_read_only(path, clean=clean_uncut) as journal:
                    found += intents_of(journal.unfinished())
            except (JournalError, OSError):
                # A damaged file of an older incident must not stop today's sweep; the sweep by
                # label still finds its objects.
                continue
        return found

    def _write(self, kind: Kind, ref: Ref, text: str, more: Mapping[str, Any]) -> None:
        self._record.append(
            Draft(
                kind=kind,
                text=text,
                object=object_ref(ref),
                phase="diagnose",
                data={"intent_id": _ledger_key(ref), "object": list(ref), **more},
            )
        )


def _newest(directory: Path) -> list[Path]:
    """Incident files, the one written to last first."""
    written: list[tuple[float, Path]] = []
    for path in directory.glob("*.db") if directory.is_dir() else ():
        with suppress(OSError):
            written.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(written, reverse=True)]


def intents_of(entries: Iterable[Entry]) -> list[Intent]:
    from probes.ledger import Intent

    found = []
    for entry in entries:
        parts = entry.data.get("object")
        if (
            entry.kind != "object-intent"
            or not isinstance(parts, list)
            or len(parts) != 3
            or _at_work(entry.data)
        ):
            continue
        expires = datetime.fromisoformat(
            str(entry.data.get("expires", entry.occurred_at.isoformat()))
        )
        found.append(
            Intent(
                str(entry.data.get("session", "")),
                Ref(*map(str, parts)),
                str(entry.data.get("purpose", "")),
                expires,
            )
        )
    return found


def _at_work(data: Mapping[str, Any]) -> bool:
    """Whether another program of ours on this machine still works with the object: then it is not
    for us to remove."""
    pid = data.get("pid")
    if not isinstance(pid, int) or pid == os.getpid() or data.get("host") != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def object_ref(ref: Ref) -> ObjectRef | None:
    return ObjectRef(kind=ref.kind, namespace=ref.namespace, name=ref.name) if ref.name else None


def _ledger_key(ref: Ref) -> str:
    return f"object/{ref.kind}/{ref.namespace}/{ref.name}"

"""The investigation's side of the record: opening or going on with an incident, writing, and the
ledger of what exists in the cluster.

Writing never raises into the screens: when no file can be had, entries live in memory, the status
line says so, and everything that must not happen without a record (probes that create something,
actions) stays shut.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut
from incident.config import ConfigError, load_config
from incident.options import Options
from incident.view import RecordView
from timeline.entry import Draft, Entry, Kind, ObjectRef, order
from timeline.journal.ulid import new_ulid

if TYPE_CHECKING:
    from probes.ledger import Intent
    from timeline.journal.journal import Journal

RESUME_WITHIN = timedelta(hours=12)
"""An open incident of the same context that was written to within this time is gone on with."""


class RecordUnavailable(RuntimeError):
    """There is no file to write to; the message is one sentence with what to try."""


class Record:
    """One incident's file, or a list in memory with the reason why there is no file."""

    def __init__(
        self,
        journal: Journal | None,
        reason: str = "",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.journal = journal
        self._reason = reason
        self._clock = clock
        self._memory: list[Entry] = []
        self._drafts: list[Draft] = []
        self._lock = threading.Lock()

    # -- writing

    def append(self, draft: Draft) -> Entry:
        """Write one entry; on disk when it returns, unless there is no file (then it is in memory
        and `view` says so)."""
        if self.journal is not None:
            from timeline.journal.journal import JournalError

            try:
                return self.journal.append(draft)
            except (JournalError, OSError) as error:
                self._reason = str(error)
        return self._remember(draft)

    def append_durably(self, draft: Draft) -> Entry:
        """As `append`, for what must not happen without a record. Raises `RecordUnavailable`."""
        if self.journal is None:
            raise RecordUnavailable(
                self._reason
                or "no incident is being recorded; start without `--offline` or give --incident"
            )
        from timeline.journal.journal import JournalError

        try:
            return self.journal.append(draft)
        except (JournalError, OSError) as error:
            raise RecordUnavailable(
                f"the record does not take the entry ({error}); free space on its disk"
            ) from error

    def _remember(self, draft: Draft) -> Entry:
        now = self._clock()
        with self._lock:
            entry = Entry(
                seq=0,
                id=new_ulid(now),
                recorded_at=now,
                mono_ns=0,
                occurred_at=draft.occurred_at or now,
                occurred_precision=draft.occurred_precision,
                kind=draft.kind,
                time_source=draft.time_source,
                phase=draft.phase or "",
                text=self.redact(draft.text),
                run_id=draft.run_id,
                step_id=draft.step_id,
                data=draft.data,
            )
            self._memory.append(entry)
            self._drafts.append(msgspec.structs.replace(draft, occurred_at=entry.occurred_at))
            return entry

    # -- opening

    def join(self, context: str, server: str, options: Options) -> None:
        """Say in the record who works on which cluster from now on."""
        if self.journal is not None:
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

    def adopt(self, opened: Record) -> None:
        """Go on in the file of `opened`; what was noted in memory before goes into it."""
        self.journal, self._reason = opened.journal, opened._reason
        if self.journal is None:
            return
        with self._lock:
            waiting, self._drafts, self._memory = self._drafts, [], []
        for draft in waiting:
            self.append(draft)

    # -- reading

    def entries(self) -> Sequence[Entry]:
        """Everything recorded, by the time it happened."""
        if self.journal is None:
            return sorted(self._memory, key=order)
        from timeline.journal.journal import JournalError

        try:
            found = self.journal.entries()
        except JournalError as error:
            self._reason = str(error)
            found = []
        return sorted([*found, *self._memory], key=order) if self._memory else found

    def by_record(self) -> Sequence[Entry]:
        """Everything recorded, in the order in which it was written."""
        return sorted(self.entries(), key=lambda entry: (entry.seq == 0, entry.seq, entry.id))

    def view(self) -> RecordView:
        if self.journal is None:
            return RecordView("", len(self._memory), "none", self._reason)
        health = self.journal.health
        state = "ok" if health.state in ("ok", "read-only") and not self._memory else "sidecar"
        return RecordView(
            self.journal.id,
            health.seq + health.pending,
            state,
            health.reason or self._reason,
            health.head,
        )

    def redact(self, text: str) -> str:
        """`text` without secrets, as the record would store it."""
        if self.journal is None:
            from timeline.redaction.redact import Redactor

            return Redactor(b"\0" * 32, clean_uncut).text(text)[0]
        return self.journal.redactor.text(text)[0]

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()


def begin_record(
    options: Options, context: str, server: str, clock: Callable[[], datetime]
) -> Record:
    """Go on with an incident or begin one, as the options say. Never raises: without a file the
    record is in memory and says why."""
    if not options.record:
        return Record(None, "this command keeps no record", clock)
    from timeline.journal import index
    from timeline.journal.journal import Journal, JournalError

    directory = options.state / "incidents"
    try:
        literals = load_config(options.config).redact
        path: Path | None = None
        if options.incident and options.incident != "new":
            path = index.find_incident(directory, options.incident, clean=clean_uncut).path
        elif not options.incident:
            found = index.find_resumable(
                directory, clean=clean_uncut, now=clock(), context=context, within=RESUME_WITHIN
            )
            path = found.path if found is not None else None
        if path is None:
            journal = Journal.create(
                directory,
                f"Incident on {context or 'an unknown cluster'}",
                clean=clean_uncut,
                literals=literals,
                clock=clock,
            )
        else:
            journal = Journal.open(path, clean=clean_uncut, literals=literals, clock=clock)
        record = Record(journal, clock=clock)
        record.join(context, server, options)
        return record
    except (JournalError, ConfigError, OSError) as error:
        return Record(None, str(error), clock)


class JournalLedger:
    """The ledger of created objects, kept as intent and result entries of the record."""

    def __init__(self, record: Record, earlier: Iterable[Path] = ()) -> None:
        self._record = record
        self._earlier = tuple(earlier)

    def intend(self, intent: Intent) -> None:
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
        self._record.append_durably(
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

    def open_intents(self) -> Sequence[Intent]:
        """Rows without an end, of this incident and of the earlier ones on this machine."""
        found: list[Intent] = []
        if self._record.journal is not None:
            found += intents_of(self._record.journal.unfinished())
        from timeline.journal.journal import Journal, JournalError

        for path in self._earlier:
            try:
                with Journal.open_read_only(path, clean=clean_uncut) as journal:
                    found += intents_of(journal.unfinished())
            except (JournalError, OSError):
                # a damaged file of an older incident must not stop today's sweep; the sweep by
                # label still finds its objects
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

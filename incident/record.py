"""The record of an investigation: writes entries without blocking the event loop, and holds all of
them in memory for reading.

Writing never raises into the screens: without a file, entries live in memory, the status line says
so, and probes that create something and actions are refused, because they need a record.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from cluster.kube.objects import Ref
from cluster.kube.text import clean_line, clean_uncut
from incident.config import ConfigError, load_config
from incident.options import Options
from incident.view import RecordView
from timeline.entry import Entry, EntryKind, NewEntry, ObjectRef
from timeline.intents import own_changes, unknown_changes
from timeline.summary import ClusterId, Summary, summarize

if TYPE_CHECKING:
    from incident.opening import IncidentChoice
    from timeline.journal.journal import Journal, WriterHealth
    from timeline.journal.preparation import EntryIdentity
    from timeline.redaction.redact import Redactor
    from timeline.seen_before import EarlierIncident

T = TypeVar("T")
TITLE = 200
"""Characters of a title or a severity."""
PATIENCE = 2.0
"""Seconds to wait for another process that holds the file, before entries go to the sidecar."""


class RecordUnavailable(RuntimeError):
    """An entry is not on disk; the message is one sentence with the reason."""


class _Waiting(msgspec.Struct):
    """An entry that is not on disk.

    `refused`: why not, "" until the disk answers. `answered` fails when the disk refuses the entry,
    `written` is done when it is on disk. An entry with `keep` is shown before it is on disk and
    stays when it is refused.
    """

    entry: Entry
    draft: NewEntry
    identity: EntryIdentity
    keep: bool
    answered: Future[Entry]
    written: Future[Entry]
    refused: str = ""


class Record:
    """One incident's file, or a list in memory with the reason why there is no file.

    Only `open` and `close` wait for the disk; the other methods that are not coroutines return at
    once. All methods may be called from any thread. `on_change` is called, also from another
    thread, when an entry is on disk or refused.
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
        self._incident = self._notice = ""
        self._opening = True
        self._clock = clock
        self._own_redactor: Redactor | None = None
        self._literals: tuple[str, ...] = ()
        self._lock = threading.RLock()
        self._number = 0
        """Counts the incidents that this process opened."""
        self._left: dict[str, Entry] = {}
        """Entries of incidents that this process left."""
        self._stored: dict[str, Entry] = {}
        self._waiting: dict[str, _Waiting] = {}
        """In the order of the calls."""
        self._runbooks: dict[str, str] = {}
        self.complete: Callable[[NewEntry], NewEntry] = lambda draft: draft
        """Fills in the provenance of a draft (`incident.provenance`)."""
        self._foreign: list[Entry] = []
        """Entries of other processes that `foreign` has not returned yet."""
        self.earlier: Sequence[EarlierIncident] = ()
        """Earlier incidents, the newest first."""
        self.picture: Sequence[Entry] = ()
        """What the last incident of this context saw."""
        self._own: set[str] = set()
        """Ids of the entries of this process."""
        self._made: dict[str, tuple[Sequence[Entry], Any]] = {}
        self._by_record: Sequence[Entry] | None = None
        self._by_time: Sequence[Entry] | None = None

    # -- writing

    def append(self, draft: NewEntry) -> Entry:
        """Queue an entry and return it as it is shown until it is on disk (`Entry.on_disk`);
        `recorded` waits for that.

        Entries keep the order of the calls. An entry that the disk refuses is tried again every
        second. Raises ValueError for an invalid draft.
        """
        return self._give(draft, keep=True).entry

    async def append_durably(self, draft: NewEntry) -> Entry:
        """As `append`, but return when the entry is on disk: for what must not happen without a
        record. Raises `RecordUnavailable`; the entry is then dropped."""
        if self.journal is None:
            raise RecordUnavailable(f"no incident is being recorded ({self._reason})")
        entry = self._give(draft, keep=False).entry
        return await self.recorded(entry)

    async def recorded(self, entry: Entry, *, again: bool = False) -> Entry:
        """Wait until `entry` is synced in the database or the sidecar, and return it as stored.

        Raises `RecordUnavailable` when the disk refuses it; with `again`, wait until the disk takes
        what it refused before. Cancelling undoes nothing.
        """
        with self._lock:
            stored = self._stored.get(entry.id) or self._left.get(entry.id)
            waiting = self._waiting.get(entry.id)
        if stored is not None:
            return stored
        if waiting is None:
            raise RecordUnavailable("NOT RECORDED")
        future = waiting.written if again else waiting.answered
        return await asyncio.shield(asyncio.wrap_future(future))

    def _give(self, draft: NewEntry, *, keep: bool) -> _Waiting:
        from timeline.journal.preparation import EntryIdentity, EntryOrigin, new_ulid, outline

        draft = self.complete(draft)
        if draft.kind == "milestone" and not draft.reason:
            from timeline.metrics import kept
            from timeline.story import doubt

            past = self.by_record()
            against = doubt(past, draft.data.get("name")) or kept(past, draft)
            draft = msgspec.structs.replace(draft, reason=against)
        with self._lock:
            now = self._clock()
            identity = EntryIdentity(new_ulid(now), now, monotonic_ns())
            origin = self.journal.origin if self.journal is not None else EntryOrigin()
            shown = outline(draft, identity, origin, self._redactor)
            waiting = _Waiting(shown, draft, identity, keep, Future(), Future())
            self._waiting[identity.id] = waiting
            self._own.add(identity.id)
            self._changed()
            if self.journal is not None or not self._opening:
                self._submit(waiting)
        return waiting

    def _submit(self, waiting: _Waiting) -> None:
        """Queue an entry. The journal's thread reports failure through the future and success
        through `_take`."""
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

    def _take(self, number: int, entries: Sequence[Entry]) -> None:
        """Take entries that are on disk, of this process and of others. `number` identifies the
        incident."""
        self._read_runbooks(entries)
        with self._lock:
            if number != self._number:
                return
            fresh = [
                entry
                for entry in entries
                if entry.id not in self._stored or self._stored[entry.id].seq < entry.seq
            ]
            foreign = [each for each in fresh if each.id not in self._own]
            if not self._opening:
                self._foreign += foreign
            others = [each for each in foreign if self._is_other_terminal(each)]
            if others and not self._opening:
                self._notice = _also_open(others[-1])
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
        """Keep the texts of the runbooks that were opened, so that reading one does not wait for
        the disk. A text that cannot be read is left out: the entry itself is on disk."""
        for entry in entries:
            if entry.kind == "run-started" and entry.evidence and self.journal is not None:
                from timeline.journal.storage import JournalError

                with contextlib.suppress(JournalError):
                    blob = self.journal.evidence(entry.evidence[0])
                    self._runbooks[entry.run_id] = blob.text if blob is not None else ""

    def _noticed(self, _: WriterHealth) -> None:
        self.on_change()

    def _changed(self) -> None:
        self._by_record = self._by_time = None

    def edit_incident(self, **fields: str) -> Entry:
        """Record another title (`text`) or `severity`. Raises ValueError when it is empty or there
        is no incident."""
        opened = next((each for each in self.by_record() if each.kind == "incident-opened"), None)
        if opened is None:
            raise ValueError(f"there is no incident yet ({self._reason})")
        clean = {name: clean_line(value, TITLE) for name, value in fields.items()}
        if not all(clean.values()):
            raise ValueError("it cannot be empty")
        return self.append(
            NewEntry(
                kind="revision",
                supersedes=opened.id,
                time_source="human",
                data={"action": "edit", **clean},
            )
        )

    def change_state(self, kind: EntryKind, reason: str) -> Entry:
        """Record that the incident is closed or open again."""
        return self.append(NewEntry(kind=kind, text=reason, reason=reason, time_source="human"))

    def revise(self, entry: Entry, action: str, text: str = "") -> Entry:
        """Record that an entry is pinned, unpinned, hidden, unhidden or edited. `text` is its new
        text. The entry itself does not change."""
        data = {"action": action, **({"text": text} if text else {})}
        return self.append(
            NewEntry(kind="revision", supersedes=entry.id, time_source="human", data=data)
        )

    def conclude_change(self, intent: Entry, seen: str) -> Entry:
        """Record what a person found out about a change with an unknown outcome."""
        return self.append(
            NewEntry(
                kind="action-result",
                text=seen,
                object=intent.object,
                run_id=intent.run_id,
                step_id=intent.step_id,
                time_source="human",
                confidence="reported",
                data={
                    "intent_id": intent.intent_id,
                    "action": intent.data.get("action", ""),
                    "event": "verified",
                },
            )
        )

    # -- opening

    def open(self, options: Options, cluster: ClusterId, *, for_note: bool = False) -> None:
        """Continue an incident or begin one, as the options say, and write the entries given before
        (blocking).

        Called again when the cluster is known. Never raises: without a file, entries stay in memory
        and `view` says why.
        """
        if self.journal is not None:
            self._join(options, cluster)
            return
        choice, journal = self._choose(options, cluster, for_note=for_note)
        if journal is None:  # Screens redact too when nothing is stored.
            with contextlib.suppress(ConfigError):
                self._literals, self._own_redactor = load_config(options.config).redact, None
        with self._lock:
            self.journal, self._opening = journal, False
            if journal is not None:
                self._own_redactor, self._incident = journal.redactor, journal.id
                journal.bind(context=cluster.context, cluster_uid=cluster.uid)
            for waiting in list(self._waiting.values()):
                self._submit(waiting)
            given = self.by_record()
        self._read_runbooks(given)
        self._notice = choice.problem if choice is not None else ""
        if choice is not None and journal is not None:
            if choice.path is not None:
                from incident.opening import going_on

                self._notice = going_on(self._incident, given, self._clock())
            if choice.problem:
                self.append(
                    NewEntry(kind="session", text=choice.problem, data={"event": "unreadable"})
                )
            if for_note:
                known = self.summary.cluster
                journal.bind(context=cluster.context or known.context, cluster_uid=known.uid)
            else:
                self._join(options, cluster)
            if choice.path is None and options.page:
                self._keep_page(options.page)
        self.on_change()

    def _keep_page(self, page: str) -> None:
        """The page is how the incident was detected."""
        from timeline.note import parse_note

        draft = parse_note(f"!detected {page}", self._clock()).draft()
        self.append(msgspec.structs.replace(draft, data={**draft.data, "page": True}))

    def _choose(
        self, options: Options, cluster: ClusterId, *, for_note: bool
    ) -> tuple[IncidentChoice | None, Journal | None]:
        """The incident and its file. Imports here what only a record needs: SQLite, 0.1 s."""
        if not options.record:
            self._reason = "this command keeps no record"
            return None, None
        from incident.opening import choose
        from timeline.journal.journal import JournalError

        choice = None
        try:
            choice = choose(options, cluster, self._clock(), for_note=for_note)
            return choice, self._open_journal(options, choice.path, cluster)
        except (JournalError, ConfigError, OSError) as error:
            self._reason = str(error)
            return choice, None

    def _open_journal(self, options: Options, path: Path | None, cluster: ClusterId) -> Journal:
        """Raises JournalError, ConfigError, OSError."""
        from timeline.journal.journal import Journal

        more: dict[str, Any] = {
            "clean": clean_uncut,
            "literals": load_config(options.config).redact,
            "clock": self._clock,
            "patience": PATIENCE,
            "on_stored": partial(self._take, self._number),
            "on_health": self._noticed,
        }
        if path is not None:
            return Journal.open(path, **more)
        return Journal.create(
            options.state / "incidents",
            options.page.partition(": ")[0]
            or f"Incident on {cluster.context or 'an unknown cluster'}",
            data={"server": cluster.server},
            **more,
        )

    def _join(self, options: Options, cluster: ClusterId) -> None:
        """Record the beginning of a session: who works, on which cluster."""
        assert self.journal is not None
        uid = (
            cluster.uid or self.summary.cluster.uid
        )  # `identify` notices when it is another cluster.
        self.journal.bind(context=cluster.context, cluster_uid=uid)
        context, server = cluster.context or "no context", cluster.server or "no server"
        mode = "write" if options.write else "read-only"
        data = {
            "event": "opened",
            "context": cluster.context,
            "server": cluster.server,
            "write": options.write,
            "drill": options.drill,
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }
        others = [each for each in self.by_record() if self._is_other_terminal(each)]
        if others:
            self._notice = "; ".join(filter(None, (self._notice, _also_open(others[-1]))))
        text = f"stanch opened on {context} ({server}), {mode}"
        self.append(NewEntry(kind="session", text=text, data=data))

    def _is_other_terminal(self, entry: Entry) -> bool:
        """Whether this entry opens a session of another live process on this machine, on the same
        incident."""
        opened = entry.kind == "session" and entry.data.get("event") == "opened"
        return opened and entry.id not in self._own and at_work(entry.data)

    def identify(self, options: Options, cluster: ClusterId) -> bool:
        """Set the cluster's uid once it is known (blocking). Begins a new incident, and returns
        True, when the current one is about another cluster."""
        if self.journal is None:
            return False
        known = self.summary.cluster
        if known.uid and known.uid != cluster.uid:
            why = f"{self._incident} is about another cluster ({known.server or known.context})"
            self.begin(options, cluster, why)
            return True
        if not known.uid:
            self.journal.bind(cluster_uid=cluster.uid)
            text = f"the cluster is the one whose kube-system has the uid {cluster.uid}"
            self.append(NewEntry(kind="session", text=text, data={"event": "identified"}))
        return False

    def begin(self, options: Options, cluster: ClusterId, why: str) -> None:
        """Leave the incident and begin a new one (blocking)."""
        if self.journal is not None:
            left, before = self.journal, self._incident
            left.append(NewEntry(kind="session", text=f"left: {why}", data={"event": "left"}))
            with self._lock:
                self.journal, self._opening = None, True
                self._left |= self._stored
                self._stored, self._number = {}, self._number + 1
                self._changed()
            left.close()
            why = f"{why}; it goes on in a new one ({before} stays as it is)"
        self.open(msgspec.structs.replace(options, incident="new"), cluster)
        self._notice = f"A new incident begins: {why}"
        self.append(NewEntry(kind="session", text=self._notice, data={"event": "begun"}))
        self.on_change()

    # -- reading

    def by_record(self) -> Sequence[Entry]:
        """All entries in the order of the calls; those that are not in the database yet come
        last."""
        with self._lock:
            if self._by_record is None:
                stored = sorted(self._stored.values(), key=lambda entry: (entry.pending, entry.seq))
                self._by_record = (*stored, *self.unrecorded())
            return self._by_record

    def entries(self) -> Sequence[Entry]:
        """All entries, by the time they happened."""
        with self._lock:
            if self._by_time is None:
                self._by_time = tuple(sorted(self.by_record(), key=lambda entry: entry.occurred_at))
            return self._by_time

    def evidence_text(self, sha256: str) -> str:
        """The text of one piece of evidence, or one sentence that says why it is not available
        (blocking)."""
        from timeline.journal.storage import JournalError

        try:
            found = self.journal.evidence(sha256) if self.journal is not None else None
        except JournalError as error:
            return str(error)
        if found is None or found.content is None:
            return "It is not in this record, or it was purged."
        return clean_uncut(found.content.decode("utf-8", "replace"))

    def foreign(self) -> Sequence[Entry]:
        """Entries that other processes wrote since the last call, in the order of the record."""
        with self._lock:
            given, self._foreign = self._foreign, []
        return given

    def unrecorded(self) -> Sequence[Entry]:
        """Entries that are not on disk; they are lost if this process ends."""
        with self._lock:
            return [each.entry for each in self._waiting.values() if each.keep]

    @property
    def summary(self) -> Summary:
        return self._derived("summary", summarize)

    @property
    def unknown_changes(self) -> Sequence[Entry]:
        """Changes of an earlier session without a recorded result, until the same action on the
        same object has one."""
        return self._derived("unknown", lambda entries: unknown_changes(entries, self._own))

    def _derived(self, name: str, make: Callable[[Sequence[Entry]], T]) -> T:
        """The result of `make` for the entries, computed once for the same entries."""
        with self._lock:
            entries = self.by_record()
            known = self._made.get(name)
            if known is None or known[0] is not entries:
                known = self._made[name] = (entries, make(entries))
            return cast("T", known[1])

    def runbook_text(self, run_id: str) -> str:
        """The runbook's text when this run began, "" when it is not known."""
        return self._runbooks.get(run_id, "")

    def view(self) -> RecordView:
        with self._lock:
            shown = [each for each in self._waiting.values() if each.keep]
            refused = sum(1 for each in shown if each.refused)
            waiting, count = len(shown) - refused, len(self._stored) + len(shown)
        if self.journal is None:
            return RecordView(
                "", count, "none", self._reason, "", waiting, refused, notice=self._notice
            )
        health = self.journal.health
        state = "ok" if health.state in ("ok", "closed") else "sidecar"
        if refused:
            state = "refused"
        return RecordView(
            self._incident,
            count,
            state,
            health.reason,
            health.head,
            waiting,
            refused,
            notice=self._notice,
            summary=self.summary,
            unknown=self.unknown_changes,
            changed=self._derived("changed", own_changes),
            earlier=self.earlier,
            picture=self.picture,
        )

    async def settled(self, limit: float = 2.0) -> None:
        """Wait until the entries given so far are on disk or refused, at most `limit` seconds."""
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

    @property
    def _redactor(self) -> Redactor:
        """The redactor of the incident, or one for entries in memory."""
        if self._own_redactor is None:
            from timeline.redaction.redact import Redactor

            self._own_redactor = Redactor(os.urandom(32), clean_uncut, self._literals)
        return self._own_redactor

    def redact(self, text: str) -> str:
        """`text` without secrets, as the record would store it."""
        return self._redactor.text(text)[0]

    def close(self) -> None:
        """Write the queued entries and close the file (blocking). Entries that could not be written
        stay in `unrecorded`."""
        if self.journal is not None:
            self.journal.close()


def _also_open(session: Entry) -> str:
    who = session.actor or "another terminal"
    return (
        f"{who} works on this incident in another terminal since "
        f"{session.recorded_at:%H:%M:%S} UTC (process {session.data.get('pid')})"
    )


def at_work(data: Mapping[str, Any]) -> bool:
    """Whether the process with the entry's `pid` and `host` is another live one on this machine."""
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


def _retrieve(future: asyncio.Future[Entry]) -> None:
    """Retrieve the exception, so that asyncio does not log it: `Record.view` shows the refusal."""
    if not future.cancelled():
        future.exception()


def object_ref(ref: Ref) -> ObjectRef | None:
    return ObjectRef(kind=ref.kind, namespace=ref.namespace, name=ref.name) if ref.name else None

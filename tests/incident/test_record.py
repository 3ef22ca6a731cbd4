"""The record never holds up the event loop: entries are shown at once and acknowledged when they
are on disk."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut as clean
from incident.config import FILE
from incident.ledger import JournalLedger
from incident.options import Options
from incident.record import Record, RecordUnavailable
from probes.ledger import Intent
from tests.timeline.conftest import START, Clock
from timeline.entry import Capture, NewEntry
from timeline.journal.journal import Journal, JournalError
from timeline.journal.sidecar import Sidecar
from timeline.journal.writer import JournalWriter
from timeline.summary import ClusterId


class SlowDisk:
    """A database whose commits wait until `answer` is called, and a disk that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._free = threading.Event()
        self._free.set()
        self.full = False
        commit, append = JournalWriter._commit, Sidecar.append

        def slow_commit(writer: JournalWriter, items: Any) -> Any:
            assert self._free.wait(60)
            if self.full:
                raise OSError(28, "No space left on device")
            return commit(writer, items)

        def slow_append(sidecar: Sidecar, *what: Any) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            append(sidecar, *what)

        monkeypatch.setattr(JournalWriter, "_commit", slow_commit)
        monkeypatch.setattr(Sidecar, "append", slow_append)

    def hang(self) -> None:
        self._free.clear()

    def answer(self) -> None:
        self._free.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(monkeypatch)
    yield disk
    disk.answer()


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(state=tmp_path / "state", config=tmp_path / "config", record=True)


@pytest.fixture
def record(disk: SlowDisk, options: Options, clock: Clock) -> Iterator[Record]:
    record = Record(clock)
    record.open(options, ClusterId("prod-eu1", "https://api.prod-eu1:6443"))
    yield record
    disk.full = False
    disk.answer()
    record.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def changes(record: Record, holds: Callable[[], bool]) -> None:
    """Wait until the record tells of a change after which `holds` is true."""
    heard = threading.Event()
    record.on_change = heard.set
    while not holds():
        assert await asyncio.to_thread(heard.wait, 60)
        heard.clear()


def note(text: str) -> NewEntry:
    return NewEntry(kind="note", text=text, time_source="human")


async def test_a_disk_that_hangs_does_not_hold_up_the_loop(record: Record, disk: SlowDisk) -> None:
    """Everything that the screens call returns while the disk has not answered."""
    await record.settled()
    before = record.view()
    disk.hang()
    first, second = record.append(note("first password=hunter2")), record.append(note("second"))
    assert [entry.text for entry in record.entries()][-2:] == [first.text, "second"]
    assert [entry.text for entry in record.by_record()][-2:] == [first.text, "second"]
    assert "hunter2" not in first.text
    assert not first.on_disk
    assert first.pending
    assert {entry.id for entry in record.unrecorded()} == {first.id, second.id}
    assert (record.view().entries, record.view().waiting) == (before.entries + 2, 2)
    assert record.view().head == before.head
    acknowledged = asyncio.create_task(record.recorded(second))
    intended = asyncio.create_task(
        record.append_durably(NewEntry(kind="action-intent", text="cordon node-1"))
    )
    await asyncio.sleep(0)
    assert not acknowledged.done()
    assert not intended.done()
    disk.answer()
    stored = await acknowledged
    assert stored.id == second.id
    assert stored.on_disk
    assert (await intended).on_disk
    await record.settled()
    assert [entry.seq for entry in record.by_record()] == list(range(1, before.entries + 4))
    assert [entry.text for entry in record.by_record()][-3:] == [
        first.text,
        "second",
        "cordon node-1",
    ]
    assert record.view().waiting == 0
    assert record.unrecorded() == []


async def test_what_the_disk_refuses_is_said_kept_and_tried_again(
    record: Record, disk: SlowDisk
) -> None:
    await record.settled()
    disk.full = True
    entry = record.append(note("users report 502s"))
    with pytest.raises(RecordUnavailable, match=r"NOT RECORDED \(no space left"):
        await record.recorded(entry)
    view = record.view()
    assert (view.state, view.refused, view.waiting) == ("refused", 1, 0)
    assert [each.id for each in record.unrecorded()] == [entry.id]
    with pytest.raises(RecordUnavailable, match="NOT RECORDED"):
        await record.append_durably(NewEntry(kind="action-intent", text="cordon node-1"))
    assert "cordon node-1" not in [each.text for each in record.entries()]
    later = record.append(note("later"))
    disk.full = False
    assert (await record.recorded(entry, again=True)).on_disk
    assert (await record.recorded(later, again=True)).on_disk
    assert [each.text for each in record.by_record()][-2:] == ["users report 502s", "later"]
    await changes(record, lambda: record.view().state == "ok")


async def test_closing_leaves_what_would_be_lost(record: Record, disk: SlowDisk) -> None:
    await record.settled()
    disk.full = True
    entry = record.append(note("lost"))
    with pytest.raises(RecordUnavailable):
        await record.recorded(entry)
    await asyncio.to_thread(record.close)
    assert [each.text for each in record.unrecorded()] == ["lost"]


async def test_notes_from_before_the_file_keep_their_times_and_come_first(
    options: Options, clock: Clock
) -> None:
    record = Record(clock)
    entry = record.append(note("paged"))
    acknowledged = asyncio.create_task(record.recorded(entry))
    clock.forward(minutes=5)
    await asyncio.to_thread(record.open, options, ClusterId("prod-eu1", "https://api"))
    stored = await acknowledged
    assert (stored.id, stored.recorded_at, stored.occurred_at) == (
        entry.id,
        entry.recorded_at,
        entry.occurred_at,
    )
    assert stored.context == "prod-eu1"  # what is recorded with this cluster is about it
    await record.settled()
    assert [each.kind for each in record.by_record()] == ["incident-opened", "note", "session"]
    record.close()


async def test_without_a_file_nothing_is_noted(options: Options, clock: Clock) -> None:
    record = Record(clock)
    entry = record.append(note("paged"))
    options.state.mkdir(parents=True)
    (options.state / "incidents").write_text("in the way")
    await asyncio.to_thread(record.open, options, ClusterId("prod-eu1", "https://api"))
    with pytest.raises(RecordUnavailable, match="NOT RECORDED"):
        await record.recorded(entry)
    assert record.view().state == "none"
    assert [each.text for each in record.entries()] == ["paged"]
    with pytest.raises(RecordUnavailable):
        await record.append_durably(note("an intent"))


async def test_the_record_is_in_memory_once_it_is_open(
    record: Record, options: Options, clock: Clock
) -> None:
    """What was read at the start, what another terminal writes, and the texts of runbooks."""
    await record.recorded(record.append(opened_runbook("run-1")))
    assert record.runbook_text("run-1") == "# a runbook\n"
    assert record.journal is not None
    with Journal.open(record.journal.path, clean=clean) as other:
        written = other.append(note("from the other terminal"))
    await changes(record, lambda: written.id in [entry.id for entry in record.entries()])
    again = Record(clock)
    await asyncio.to_thread(again.open, options, PROD)
    await again.settled()
    assert [entry.id for entry in again.by_record()][: len(record.by_record())] == [
        entry.id for entry in record.by_record()
    ]
    assert again.runbook_text("run-1") == "# a runbook\n"
    again.close()


def opened_runbook(run_id: str) -> NewEntry:
    captures = (Capture(content=b"# a runbook\n"),)
    return NewEntry(kind="run-started", text="opened", run_id=run_id, captures=captures)


async def test_the_last_entries_are_reported_while_the_record_closes(
    record: Record, disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener reads evidence of an entry that reaches the disk after `close` began."""
    await record.settled()
    closing, close = threading.Event(), JournalWriter.close

    def noticed_close(writer: JournalWriter) -> None:
        closing.set()
        close(writer)

    monkeypatch.setattr(JournalWriter, "close", noticed_close)
    disk.hang()
    run = record.append(opened_runbook("run-1"))
    closed = asyncio.create_task(asyncio.to_thread(record.close))
    assert await asyncio.to_thread(closing.wait, 60)
    disk.answer()
    await closed
    assert (await record.recorded(run)).on_disk
    assert record.runbook_text("run-1") == "# a runbook\n"


@pytest.mark.parametrize("error", [JournalError, sqlite3.Error])
async def test_an_entry_counts_as_recorded_when_its_evidence_cannot_be_read(
    record: Record, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(_: Journal) -> None:
        raise error("closed")

    monkeypatch.setattr(Journal, "_reader", refuse)
    run = await record.recorded(record.append(opened_runbook("run-1")))
    assert (run.on_disk, record.runbook_text("run-1")) == (True, "")
    assert "closed" in record.evidence_text(run.evidence[0])


async def test_the_ledger_reads_earlier_incidents_without_the_loop(
    record: Record, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = Ref("Pod", "nginx", "stanch-probe-x")
    with Journal.create(options.state / "incidents", "before", clean=clean) as earlier:
        earlier.append(
            NewEntry(
                kind="object-intent",
                text="about to create",
                data={"object": list(ref), "session": "gone", "expires": START.isoformat()},
            )
        )
    threads: list[int] = []
    opened: Callable[..., Journal] = Journal.open_read_only

    def noticed(path: Path, **options: Any) -> Journal:
        threads.append(threading.get_ident())
        return opened(path, **options)

    monkeypatch.setattr(Journal, "open_read_only", noticed)
    ledger = JournalLedger(record, options.state / "incidents")
    own = Intent("now", Ref("Pod", "nginx", "own"), "probe", START + timedelta(minutes=9))
    await ledger.intend(own)
    ledger.removed(own.ref, "deleted")
    assert [intent.ref for intent in await ledger.open_intents()] == [ref]
    assert threads
    assert threading.get_ident() not in threads


PROD = ClusterId("prod-eu1", "https://api.prod-eu1:6443", "uid-1")


async def _opened(options: Options, clock: Clock, cluster: ClusterId = PROD) -> Record:
    record = Record(clock)
    await asyncio.to_thread(record.open, options, cluster)
    await record.settled()
    return record


async def test_going_on_is_said_with_the_age_and_the_step(options: Options, clock: Clock) -> None:
    first = await _opened(options, clock)
    assert first.view().notice == ""
    first.append(NewEntry(kind="run-started", run_id="run-1", data={"runbook": "coredns-oom"}))
    first.append(NewEntry(kind="step-intent", run_id="run-1", step_id="memory-limit"))
    await asyncio.to_thread(first.close)
    clock.forward(minutes=40)
    second = await _opened(options, clock)
    assert second.view().incident == first.view().incident
    assert second.view().notice == (
        f"Continuing {first.view().incident}, 40 min old, step memory-limit of coredns-oom; "
        "{.new_incident} begins a new one"
    )
    await asyncio.to_thread(second.close)


async def test_a_new_incident_begins_when_the_last_is_resolved_or_about_another_cluster(
    options: Options, clock: Clock
) -> None:
    ids = []
    for cluster, mark in (
        (PROD, "resolved"),
        (PROD, "mitigated"),
        (ClusterId("prod-eu1", PROD.server, "uid-2"), "mitigated"),
        (ClusterId("prod-eu1", "https://elsewhere"), "mitigated"),
    ):
        record = await _opened(options, clock, cluster)
        ids.append(record.view().incident)
        record.append(NewEntry(kind="milestone", data={"name": mark}))
        await asyncio.to_thread(record.close)
        clock.forward(minutes=1)
    assert len(set(ids)) == 4
    again = await _opened(options, clock)
    assert again.view().incident == ids[1]
    assert again.view().summary.cluster == PROD
    await asyncio.to_thread(again.close)


async def test_a_server_that_turns_out_to_be_another_cluster_begins_a_new_incident(
    options: Options, clock: Clock
) -> None:
    first = await _opened(options, clock)
    await asyncio.to_thread(first.close)
    record = await _opened(options, clock, ClusterId(PROD.context, PROD.server))
    assert record.view().incident == first.view().incident
    other = ClusterId(PROD.context, PROD.server, "uid-2")
    assert await asyncio.to_thread(record.identify, options, other)
    await record.settled()
    assert record.view().incident != first.view().incident
    assert "is about another cluster" in record.view().notice
    assert record.summary.cluster == other
    assert not await asyncio.to_thread(record.identify, options, other)
    await asyncio.to_thread(record.close)


async def test_a_new_incident_can_be_begun_and_what_is_given_meanwhile_goes_into_it(
    options: Options, clock: Clock
) -> None:
    record = await _opened(options, clock)
    left = record.view().incident
    beginning = asyncio.create_task(asyncio.to_thread(record.begin, options, PROD, "a drill ends"))
    entry = record.append(note("which one?"))
    await beginning
    assert (await record.recorded(entry)).on_disk
    assert record.view().incident != left
    assert {each.kind for each in record.entries()} <= {"incident-opened", "session", "note"}
    assert "a drill ends" in record.view().notice
    record.edit_incident(text="DNS is slow")
    record.edit_incident(severity="SEV 2")
    record.change_state("incident-closed", "over")
    await record.settled()
    summary = record.view().summary
    assert (summary.title, summary.severity, summary.state) == ("DNS is slow", "SEV 2", "closed")
    with pytest.raises(ValueError, match="empty"):
        record.edit_incident(text=" \n ")
    await asyncio.to_thread(record.close)


async def test_a_record_that_cannot_be_read_is_named(options: Options, clock: Clock) -> None:
    first = await _opened(options, clock)
    await asyncio.to_thread(first.close)
    assert first.journal is not None
    connection = sqlite3.connect(first.journal.path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    clock.now = datetime.now(UTC)
    screens = await _opened(options, clock)
    assert screens.view().incident != first.view().incident
    assert f"{first.view().incident} cannot be continued" in screens.view().notice
    assert any("newer version" in entry.text for entry in screens.entries())
    await asyncio.to_thread(screens.close)
    os.utime(first.journal.path, (clock.now.timestamp() + 60,) * 2)
    command = Record(clock)
    await asyncio.to_thread(partial(command.open, options, PROD, for_note=True))
    assert command.view().state == "none"
    assert "newer version" in command.view().reason


async def test_a_change_of_before_a_crash_stands_until_a_person_says_what_became_of_it(
    options: Options, clock: Clock
) -> None:
    first = await _opened(options, clock)
    await first.append_durably(
        NewEntry(kind="action-intent", text="cordon Node node-1", data={"action": "cordon"})
    )
    assert first.view().unknown == ()
    await asyncio.to_thread(first.close)
    second = await _opened(options, clock)
    (unknown,) = second.view().unknown
    assert unknown.text == "cordon Node node-1"
    second.conclude_change(unknown, "it is cordoned")
    assert second.view().unknown == ()
    await asyncio.to_thread(second.close)


async def test_a_leftover_is_removed_once(options: Options, clock: Clock) -> None:
    """The row of an earlier incident is ended by an entry of a later one."""
    ref = Ref("Pod", "nginx", "stanch-probe-x")
    first = await _opened(options, clock)
    await JournalLedger(first, options.state / "incidents").intend(
        Intent("gone", ref, "probe", START + timedelta(minutes=9))
    )
    await asyncio.to_thread(first.close)
    for rows in ([ref], []):
        later = await _opened(options, clock, ClusterId("other", "https://other"))
        ledger = JournalLedger(later, options.state / "incidents")
        left = [intent.ref for intent in await ledger.open_intents()]
        assert left == rows
        if rows:
            ledger.removed(ref, "deleted")
        await asyncio.to_thread(later.close)
        clock.forward(hours=13)


def test_a_second_terminal_is_told_and_reads_what_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = ClusterId("prod", "https://api:6443")
    first, second = Record(), Record()
    first.open(Options(state=tmp_path), cluster)
    asyncio.run(first.recorded(first.append(NewEntry(kind="note", text="seen"))))
    monkeypatch.setattr(os, "getpid", lambda: os.getppid())  # the first is another, living process
    second.open(Options(state=tmp_path), cluster)
    try:
        assert "in another terminal since" in second.view().notice
        assert second.foreign() == []
        told = first.append(NewEntry(kind="note", text="told"))
        deadline = time.monotonic() + 60
        while not (given := second.foreign()) and time.monotonic() < deadline:
            asyncio.run(second.settled(0.05))
        assert [entry.id for entry in given] == [told.id]
        assert second.foreign() == []
    finally:
        first.close()
        second.close()


def test_the_screens_redact_what_the_settings_name_also_without_a_record(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('redact = ["plum-pear"]')
    options = Options(context="x", state=tmp_path, config=tmp_path, record=False)
    record = Record()
    assert record.redact("plum-pear") == "plum-pear", "the settings are not read yet"
    record.open(options, ClusterId("x"))
    assert "plum" not in record.redact("a plum-pear")


async def test_a_page_names_a_new_incident_and_is_how_it_was_detected(
    options: Options, clock: Clock
) -> None:
    page, cluster = "Slow: one request in thirty takes five seconds", ClusterId("prod-eu1")
    for paged in (page, "Another page"):  # the second session continues the incident
        record = Record(clock)
        record.open(msgspec.structs.replace(options, page=paged), cluster)
        await record.settled()
        assert record.view().summary.title == "Slow"
        assert record.view().summary.page == page
        marks = [entry for entry in record.entries() if entry.kind == "milestone"]
        assert [(mark.text, mark.data["name"]) for mark in marks] == [(page, "detected")]
        record.close()

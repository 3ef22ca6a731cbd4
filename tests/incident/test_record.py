"""The record never holds up the event loop: entries are shown at once and acknowledged when they
are on disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut as clean
from incident.options import Options
from incident.record import JournalLedger, Record, RecordUnavailable
from probes.ledger import Intent
from tests.timeline.conftest import START, Clock
from timeline.entry import Capture, Draft
from timeline.journal.journal import Journal
from timeline.journal.sidecar import Sidecar
from timeline.journal.writer import Writer


class SlowDisk:
    """A database whose commits wait until `answer` is called, and a disk that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._free = threading.Event()
        self._free.set()
        self.full = False
        commit, append = Writer._commit, Sidecar.append

        def slow_commit(writer: Writer, items: Any) -> Any:
            assert self._free.wait(60)
            if self.full:
                raise OSError(28, "No space left on device")
            return commit(writer, items)

        def slow_append(sidecar: Sidecar, *what: Any) -> None:
            if self.full:
                raise OSError(28, "No space left on device")
            append(sidecar, *what)

        monkeypatch.setattr(Writer, "_commit", slow_commit)
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
    record.open(options, "prod-eu1", "https://api.prod-eu1:6443")
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


def note(text: str) -> Draft:
    return Draft(kind="note", text=text, time_source="human")


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
        record.append_durably(Draft(kind="action-intent", text="cordon node-1"))
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
        await record.append_durably(Draft(kind="action-intent", text="cordon node-1"))
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
    await asyncio.to_thread(record.open, options, "prod-eu1", "https://api")
    stored = await acknowledged
    assert (stored.id, stored.recorded_at, stored.occurred_at) == (
        entry.id,
        entry.recorded_at,
        entry.occurred_at,
    )
    assert stored.context == ""
    await record.settled()
    assert [each.kind for each in record.by_record()] == ["incident-opened", "note", "session"]
    record.close()


async def test_without_a_file_nothing_is_noted(options: Options, clock: Clock) -> None:
    record = Record(clock)
    entry = record.append(note("paged"))
    options.state.mkdir(parents=True)
    (options.state / "incidents").write_text("in the way")
    await asyncio.to_thread(record.open, options, "prod-eu1", "https://api")
    with pytest.raises(RecordUnavailable, match="NOT RECORDED"):
        await record.recorded(entry)
    assert record.view().state == "none"
    assert [each.text for each in record.entries()] == ["paged"]
    with pytest.raises(RecordUnavailable):
        await record.append_durably(note("an intent"))


async def test_the_record_is_in_memory_once_it_is_open(record: Record, options: Options) -> None:
    """What was read at the start, what another terminal writes, and the texts of runbooks."""
    run = record.append(
        Draft(
            kind="run-started",
            text="runbook x opened",
            run_id="run-1",
            captures=(Capture(content=b"# a runbook\n"),),
        )
    )
    await record.recorded(run)
    assert record.runbook_text("run-1") == "# a runbook\n"
    assert record.journal is not None
    with Journal.open(record.journal.path, clean=clean) as other:
        written = other.append(note("from the other terminal"))
    await changes(record, lambda: written.id in [entry.id for entry in record.entries()])
    again = Record()
    await asyncio.to_thread(again.open, options, "prod-eu1", "https://api")
    await again.settled()
    assert [entry.id for entry in again.by_record()][: len(record.by_record())] == [
        entry.id for entry in record.by_record()
    ]
    assert again.runbook_text("run-1") == "# a runbook\n"
    again.close()


async def test_the_ledger_reads_earlier_incidents_without_the_loop(
    record: Record, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = Ref("Pod", "nginx", "stanch-probe-x")
    with Journal.create(options.state / "incidents", "before", clean=clean) as earlier:
        earlier.append(
            Draft(
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

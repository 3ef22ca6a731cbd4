"""The journal as callers use it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from datetime import timedelta
from operator import methodcaller
from pathlib import Path

import msgspec
import pytest

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START, Clock
from timeline.entry import Capture, NewEntry, ObjectRef, digest
from timeline.export import to_markdown
from timeline.journal import preparation, storage, writer
from timeline.journal.files import file_system
from timeline.journal.index import list_incidents
from timeline.journal.journal import Journal, JournalError, WriterHealth
from timeline.journal.storage import TRIGGERS, connect_writer, missing_triggers
from timeline.revisions import RevisedEntry
from timeline.selection import select

SECRET = "marmalade-4711"


def test_a_new_incident_has_an_id_an_opening_entry_and_private_files(
    journal: Journal, new_journal: Callable[..., Journal]
) -> None:
    assert journal.id == "2026-11-21-a"
    assert new_journal().id == "2026-11-21-b"
    first = journal.entries()[0]
    assert (first.seq, first.kind, first.text, first.actor, first.context) == (
        1,
        "incident-opened",
        journal.title,
        "jo.banks",
        "prod-eu1",
    )
    journal.append(NewEntry(kind="note", text="x", captures=(Capture(content=b"y"),)))
    directory = journal.path.parent
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_the_27th_incident_of_a_day(tmp_path: Path, clock: Clock) -> None:
    for letter in "abcdefghijklmnopqrstuvwxyz":
        (tmp_path / f"2026-11-21-{letter}.db").touch()
    with Journal.create(tmp_path, clock=clock, clean=clean_uncut) as journal:
        assert journal.id == "2026-11-21-aa"


def test_entries_come_by_the_time_they_happened(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="third", occurred_at=START + timedelta(minutes=30)))
    journal.append(NewEntry(kind="note", text="first", occurred_at=START - timedelta(minutes=30)))
    journal.append(NewEntry(kind="note", text="second", occurred_at=START + timedelta(minutes=15)))
    assert [entry.text for entry in journal.entries(kinds=["note"])] == ["first", "second", "third"]
    assert [entry.seq for entry in journal.entries(kinds=["note"])] == [3, 4, 2]
    assert [entry.text for entry in journal.entries(after_seq=3)] == ["second"]


def test_append_only_whatever_way_is_tried(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="kept", captures=(Capture(content=b"seen"),)))
    writer = journal._writer
    assert writer is not None
    for statement in (
        "UPDATE entry SET text = 'other'",
        "DELETE FROM entry",
        "REPLACE INTO entry SELECT * FROM entry WHERE seq = 1",
        "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 2",
        "INSERT INTO entry SELECT 9, 'x' || id, "
        + ", ".join(name for name in _columns(journal)[2:])
        + " FROM entry WHERE seq = 1",
        "DELETE FROM evidence",
        "UPDATE evidence SET content = x'00'",
        "UPDATE meta SET value = 'x'",
    ):
        with pytest.raises(
            sqlite3.IntegrityError,
            match=r"append-only|last one plus one|only be purged|written once",
        ):
            writer.call(methodcaller("execute", statement)).result()
    assert journal.verify().ok
    assert set(TRIGGERS) <= {
        row[0]
        for row in journal._reader().execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        )
    }


def _columns(journal: Journal) -> list[str]:
    return [str(row[1]) for row in journal._reader().execute("PRAGMA table_info(entry)")]


def test_revisions_change_the_view_and_nothing_else(journal: Journal) -> None:
    note = journal.append(NewEntry(kind="note", text="original words"))
    for number in range(5):
        journal.revise(note.id, "edit", text=f"edit {number}", reason="typo")
    moved = journal.revise(note.id, "edit", occurred_at=START - timedelta(hours=1))
    line = next(line for line in journal.latest() if line.entry.id == note.id)
    assert line.entry.text == "edit 4"
    assert line.entry.occurred_at == START - timedelta(hours=1)
    assert line.original == note
    assert len(line.revisions) == 6
    undo = journal.revise(moved.id, "undo")
    assert _line(journal, note.id).entry.occurred_at == note.occurred_at
    journal.revise(undo.id, "undo")
    assert _line(journal, note.id).entry.occurred_at == START - timedelta(hours=1)
    journal.revise(note.id, "hide", reason="duplicate")
    assert _line(journal, note.id).hidden
    assert not _line(journal, note.id).in_draft
    with pytest.raises(ValueError, match="no entry"):
        journal.revise("nothing", "pin")
    assert next(entry for entry in journal.entries() if entry.id == note.id) == note
    assert journal.verify().ok


def _line(journal: Journal, identifier: str) -> RevisedEntry:
    return next(line for line in journal.latest() if line.entry.id == identifier)


def test_intents_without_a_result_are_unfinished(journal: Journal) -> None:
    probe = journal.append(NewEntry(kind="probe-intent", text="connectivity"))
    assert probe.intent_id == probe.id
    pod = journal.append(
        NewEntry(kind="object-intent", text="Pod stanch-probe-1", data={"intent_id": "pod-1"})
    )
    step = journal.append(
        NewEntry(kind="step-intent", text="look at events", run_id="r1", step_id="s1")
    )
    action = journal.append(
        NewEntry(kind="action-intent", text="cordon node-2", data={"intent_id": "a1"})
    )
    assert [entry.id for entry in journal.unfinished()] == [probe.id, pod.id, step.id, action.id]
    journal.append(
        NewEntry(kind="object-created", text="Pod stanch-probe-1", data={"intent_id": "pod-1"})
    )
    journal.append(
        NewEntry(kind="probe-result", text="refused", data={"intent_id": probe.intent_id})
    )
    journal.append(
        NewEntry(
            kind="step-skipped",
            text="look at events",
            reason="known",
            data={"intent_id": step.intent_id},
        )
    )
    journal.append(NewEntry(kind="action-declined", text="cordon node-2", data={"intent_id": "a1"}))
    assert [entry.id for entry in journal.unfinished()] == [pod.id]
    session = journal.append(NewEntry(kind="session", text="resumed"))
    journal.append(NewEntry(kind="probe-intent", text="under way now"))
    assert [entry.id for entry in journal.unfinished(before_seq=session.seq)] == [pod.id]
    journal.append(
        NewEntry(kind="object-removed", text="Pod stanch-probe-1", data={"intent_id": "pod-1"})
    )
    assert journal.unfinished(before_seq=session.seq) == []


def test_a_result_ends_what_came_before_it_only(journal: Journal) -> None:
    """The same object, made again under the same name, is open again."""
    data = {"intent_id": "object/ConfigMap/shop/stanch-owner"}
    for _ in range(2):
        journal.append(
            NewEntry(kind="object-intent", text="ConfigMap shop/stanch-owner", data=data)
        )
        assert len(journal.unfinished()) == 1
        journal.append(
            NewEntry(kind="object-removed", text="ConfigMap shop/stanch-owner", data=data)
        )
        assert journal.unfinished() == []
    last = journal.append(
        NewEntry(kind="object-intent", text="ConfigMap shop/stanch-owner", data=data)
    )
    assert [entry.id for entry in journal.unfinished()] == [last.id]
    draft = to_markdown(journal)
    assert draft.count("| removed |") == 2
    assert draft.count("not known to be removed") == 1


def test_reading_again_costs_nothing_when_nothing_is_new(journal: Journal) -> None:
    before = (journal.entries(), journal.latest())
    assert journal.entries() is before[0]
    assert journal.latest() is before[1]
    journal.append(NewEntry(kind="note", text="new"))
    assert journal.entries()[-1].text == "new"
    assert journal.latest()[-1].entry.text == "new"


def test_secrets_and_escapes_never_reach_the_disk(
    journal: Journal, new_journal: Callable[..., Journal]
) -> None:
    entry = journal.append(
        NewEntry(
            kind="note",
            text=f"\x1b]52;c;eA==\x07env shows DB_PASSWORD={SECRET}\u202e",
            reason=f"token={SECRET}",
            data={"password": SECRET, "argv": [f"--set x.password={SECRET}"]},
            captures=(
                Capture(content=f"DB_PASSWORD: {SECRET}".encode(), source=f"curl -u a:{SECRET} x"),
            ),
        )
    )
    assert entry.text.startswith("env shows DB_PASSWORD=⟦PASSWORD:")
    assert entry.redactions["PASSWORD"] >= 4
    for path in journal.path.parent.iterdir():
        content = path.read_bytes()
        assert SECRET.encode() not in content
        assert b"\x1b]52" not in content
    blob = journal.evidence(entry.evidence[0])
    assert blob is not None
    tokens = {entry.data["password"], blob.text.split(": ")[1]}
    assert len(tokens) == 1
    other = new_journal().append(NewEntry(kind="note", data={"password": SECRET}))
    assert other.data["password"] not in tokens


def test_tokens_are_the_same_after_reopening(journal: Journal) -> None:
    before = journal.append(NewEntry(kind="note", text=f"password={SECRET}"))
    journal.close()
    with Journal.open(journal.path, clean=clean_uncut) as again:
        assert again.append(NewEntry(kind="note", text=f"password={SECRET}")).text == before.text


def test_literals_are_redacted(tmp_path: Path) -> None:
    with Journal.create(tmp_path, "ACME is down", literals=["ACME"], clean=clean_uncut) as journal:
        assert journal.title.startswith("⟦LITERAL:")


def test_evidence_is_capped_deduplicated_and_can_be_purged(journal: Journal) -> None:
    log = "".join(f"line {number} of a long log\n" for number in range(100_000)).encode()
    entry = journal.append(
        NewEntry(
            kind="observation",
            text="log",
            captures=(Capture(content=log, source="logs market-1", exit_code=0, duration=1.5),),
        )
    )
    again = journal.append(
        NewEntry(
            kind="observation",
            text="log again",
            captures=(Capture(content=log, source="logs market-1 -p"),),
        )
    )
    assert entry.evidence == again.evidence
    assert entry.data["captures"] == [
        {
            "sha256": entry.evidence[0],
            "source": "logs market-1",
            "exit_code": 0,
            "duration_ms": 1500,
        }
    ]
    blob = journal.evidence(entry.evidence[0])
    assert blob is not None
    assert blob.truncated
    assert blob.original_size == len(log)
    assert blob.size <= 256 * 1024 + 200
    assert blob.text.startswith("line 0 of")
    assert blob.text.rstrip().endswith("line 99999 of a long log")
    assert f"{len(log)} bytes were seen" in blob.text
    journal.purge_evidence(blob.sha256, "customer data")
    purged = journal.evidence(blob.sha256)
    assert purged is not None
    assert purged.content is None
    verification = journal.verify()
    assert verification.ok
    assert verification.purged == 1


@pytest.mark.parametrize(
    "words",
    [
        "web-7d",
        "o'brien",
        "*",
        'a "b',
        "kube-system",
        "col:x",
        "AND OR NOT",
        "(",
        "",
        "   ",
        "^",
        "refused marketplace",
    ],
)
def test_a_selection_takes_any_words(journal: Journal, words: str) -> None:
    journal.append(
        NewEntry(
            kind="note",
            text="o'brien saw web-7d in kube-system: connections refused to marketplace",
        )
    )
    found = [line.entry for line in select(journal.latest(), words, lambda entry: entry.text)]
    expected = words.strip() in ("", "web-7d", "o'brien", "kube-system", "refused marketplace")
    assert any(entry.kind == "note" for entry in found) is expected


def test_many_threads_one_chain(journal: Journal) -> None:
    def write(thread: int) -> None:
        for number in range(40):
            journal.append(NewEntry(kind="note", text=f"{thread} {number}"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.seq for entry in sorted(journal.entries(), key=lambda entry: entry.seq)] == list(
        range(1, 202)
    )
    assert journal.verify().ok


def test_submitted_entries_keep_the_order_of_the_calls(journal: Journal) -> None:
    queued = [journal.submit(NewEntry(kind="note", text=str(number))) for number in range(50)]
    entries = sorted((each.result() for each in queued), key=lambda entry: entry.seq)
    assert [entry.text for entry in entries] == [str(number) for number in range(50)]


def test_modes_are_read_back(journal: Journal, tmp_path: Path) -> None:
    assert journal.health.mode == "WAL+FULL"
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(
        f"21 1 8:1 / / rw - ext4 /dev/sda rw\n36 21 0:30 / {tmp_path} rw,relatime - nfs4 "
        "server:/home rw\n"
    )
    assert file_system(tmp_path, mountinfo) == "nfs4"
    with Journal.create(tmp_path / "net", mountinfo=mountinfo, clean=clean_uncut) as remote:
        assert remote.health.mode == "TRUNCATE+EXTRA"
        remote.append(NewEntry(kind="note", text="on a network disk"))
        assert remote.verify().ok
        assert not Path(f"{remote.path}-wal").exists()


def test_mount_points_with_spaces_and_nesting(tmp_path: Path) -> None:
    mountinfo = tmp_path / "m"
    mountinfo.write_text(
        "1 0 8:1 / / rw - ext4 a rw\n2 1 0:3 / /data\\040disk rw - cifs b rw\n3 1 0:4 / /data rw "
        "- xfs c rw\nbroken\n"
    )
    assert file_system(Path("/data disk/x"), mountinfo) == "cifs"
    assert file_system(Path("/data/x"), mountinfo) == "xfs"
    assert file_system(Path("/database"), mountinfo) == "ext4"
    assert file_system(Path("/"), tmp_path / "absent") == ""


def test_read_only_and_closed_journals_refuse_to_record(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="seen"))
    with Journal.open_read_only(journal.path, clean=clean_uncut) as reader:
        assert [entry.text for entry in reader.entries(kinds=["note"])] == ["seen"]
        assert reader.health.state == "read-only"
        with pytest.raises(JournalError, match="read-only"):
            reader.append(NewEntry(kind="note"))
        journal.append(NewEntry(kind="note", text="a follower sees this"))
        assert len(reader.entries(kinds=["note"])) == 2
    journal.close()
    assert journal.health.state == "closed"
    with pytest.raises(JournalError, match="closed"):
        journal.append(NewEntry(kind="note"))
    with pytest.raises(JournalError, match="closed"):
        journal.evidence("a" * 64)
    with pytest.raises(JournalError, match="closed"):
        journal.verify()


def test_opening_what_is_no_incident(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no incident file"):
        Journal.open(tmp_path / "absent.db", clean=clean_uncut)
    text = tmp_path / "text.db"
    text.write_text("hello " * 1000)
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(text, clean=clean_uncut)
    with pytest.raises(JournalError, match="cannot be read"):
        Journal.open_read_only(text, clean=clean_uncut)
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE t(x)")
    connection.close()
    for opener in (Journal.open, Journal.open_read_only):
        with pytest.raises(JournalError, match="not an incident file"):
            opener(foreign, clean=clean_uncut)
    newer = tmp_path / "newer.db"
    Journal.create(tmp_path / "d", clean=clean_uncut).close()
    newer.write_bytes(next((tmp_path / "d").glob("*.db")).read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalError, match="newer version"):
        Journal.open_read_only(newer, clean=clean_uncut)


def test_triggers_are_found_missing(tmp_path: Path) -> None:
    with Journal.create(tmp_path, clean=clean_uncut) as journal:
        path = journal.path
    database, _ = connect_writer(path)
    assert missing_triggers(database) == []
    database.execute("DROP TRIGGER entry_no_update")
    assert missing_triggers(database) == ["entry_no_update"]
    database.close()


def test_health_is_told(new_journal: Callable[..., Journal]) -> None:
    told: list[WriterHealth] = []
    journal = new_journal(on_health=told.append)
    journal.append(NewEntry(kind="note", object=ObjectRef(kind="Pod", name="x")))
    assert journal.health.state == "ok"
    assert (journal.health.seq, journal.health.head) == journal.head
    journal.close()
    assert [health.state for health in told] == ["closed"]
    assert os.path.getsize(journal.path) > 0


def test_the_record_goes_on_whatever_a_caller_does(new_journal: Callable[..., Journal]) -> None:
    def failing(_: WriterHealth) -> None:
        raise RuntimeError("a listener that fails")

    journal = new_journal(on_health=failing)
    futures = [journal.submit(NewEntry(kind="note", text=str(number))) for number in range(100)]
    for future in futures:
        future.cancel()
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises((ValueError, RecursionError)):
        journal.append(NewEntry(kind="note", data={"deep": deep}))
    entry = journal.append(
        NewEntry(
            kind="revision",
            supersedes="\ud800",
            evidence=("\ud800",),
            run_id="\udfff",
            actor="\ud83d",
        )
    )
    assert entry.supersedes == "\\ud800"
    assert len(journal.entries(kinds=["note"])) == 100


def test_looking_at_incidents_leaves_nothing_behind(journal: Journal) -> None:
    journal.close()
    before = sorted(path.name for path in journal.path.parent.iterdir())
    with Journal.open_read_only(journal.path, clean=clean_uncut) as reader:
        assert reader.entries()
    assert list_incidents(journal.path.parent, clean=clean_uncut)[0].entries == 1
    assert sorted(path.name for path in journal.path.parent.iterdir()) == before


def test_the_words_of_an_entry_are_purged_and_the_chain_holds(
    new_journal: Callable[..., Journal],
) -> None:
    journal = new_journal()
    note = journal.append(
        NewEntry(
            kind="note",
            text="door code swordfish",
            reason="swordfish again",
            captures=(Capture(content=b"pasted swordfish"),),
        )
    )
    edit = journal.revise(note.id, "edit", text="door code swordfish, second floor")
    later = journal.append(NewEntry(kind="note", text="life goes on"))
    journal.purge(note, "a secret in it")
    assert journal.verify().ok
    found = {entry.id: entry for entry in journal.entries()}
    assert found[note.id].text == found[note.id].reason == ""
    assert "text" not in found[edit.id].data
    assert (found[note.id].hash, found[later.id].text) == (note.hash, "life goes on")
    blob = journal.evidence(note.evidence[0])
    assert blob is not None
    assert blob.content is None
    for path in journal.path.parent.glob(f"{journal.path.stem}.*"):
        assert b"swordfish" not in path.read_bytes(), path.name
    assert journal._writer is not None
    with pytest.raises(sqlite3.Error, match="append-only"):
        journal._writer.call(
            lambda db: db.execute("UPDATE entry SET text = '' WHERE seq = ?", [later.seq])
        ).result()


def test_a_word_changed_after_a_purge_shows(journal: Journal) -> None:
    note = journal.append(NewEntry(kind="note", text="swordfish"))
    journal.purge(note, "")
    purged = next(entry for entry in journal.entries() if entry.id == note.id)
    assert digest(purged) == note.hash
    forged = msgspec.structs.replace(purged, data={**purged.data, "purged": "0" * 64})
    assert digest(forged) != note.hash


def test_a_file_of_the_schema_before_is_upgraded_and_its_entries_cannot_be_purged(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "SALT", "unsalted")
    old = journal.append(NewEntry(kind="note", text="from before"))
    journal.close()
    database = sqlite3.connect(journal.path)
    database.execute("DROP TRIGGER entry_no_update")
    database.execute(f"CREATE TRIGGER entry_no_update {storage._NO_UPDATE_2}")
    database.execute("PRAGMA user_version=2")
    database.close()
    with Journal.open_read_only(journal.path, clean=clean_uncut) as before:
        assert before.verify().ok
    with Journal.open(journal.path, clean=clean_uncut) as again:
        assert again.verify().ok
        with pytest.raises(ValueError, match="earlier version"):
            again.purge(old, "")


def test_beyond_the_quota_evidence_is_kept_by_its_hash_only(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUOTA", 0)
    entry = journal.append(
        NewEntry(kind="note", text="x" * 70_000, captures=(Capture(content=b"y"),))
    )
    assert entry.text.endswith("… (cut; 70,000 characters)")
    blob = journal.evidence(entry.evidence[0])
    assert blob is not None
    assert (blob.content, blob.size) == (None, 1)
    assert journal.verify().ok


def test_a_copy_is_one_file_that_verifies_without_a_folder_and_has_no_key(
    journal: Journal, tmp_path: Path
) -> None:
    for number in range(50):
        journal.append(NewEntry(kind="note", text=f"note {number}"))
    folder = tmp_path / "shared"
    folder.mkdir()
    copy = folder / "copy.db"
    assert journal.copy_to(copy) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["copy.db", "copy.head"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    folder.chmod(0o500)
    try:
        with Journal.open_read_only(copy, clean=clean_uncut) as read:
            assert read.head == journal.head
            assert read.verify().ok
    finally:
        folder.chmod(0o700)
    with pytest.raises(FileExistsError):
        journal.copy_to(copy)

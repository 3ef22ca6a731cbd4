"""Damage is named, and what is left can be saved. Rows T16 and T17."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from cluster.kube.text import clean_uncut
from timeline.entry import Capture, NewEntry
from timeline.journal.files import head_path
from timeline.journal.journal import Journal, JournalError
from timeline.journal.salvage import salvage
from timeline.journal.storage import TRIGGERS


def _fill(journal: Journal, count: int) -> None:
    futures = [
        journal.submit(
            NewEntry(kind="note", text=f"note number {number} with some more words in it")
        )
        for number in range(count)
    ]
    for future in futures:
        future.result()


def _tamper(path: Path, statement: str) -> None:
    """Changes the file as SQLite allows: drops the triggers, runs the statement, creates the
    triggers again."""
    connection = sqlite3.connect(path)
    for name in TRIGGERS:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    for name, body in TRIGGERS.items():
        connection.execute(f"CREATE TRIGGER {name} {body}")
    connection.commit()
    connection.close()


def test_one_flipped_bit_is_named_by_its_seq(journal: Journal) -> None:
    _fill(journal, 20)
    journal.close()
    content = bytearray(journal.path.read_bytes())
    position = content.index(b"note number 7 with")
    content[position + 5] ^= 1
    journal.path.write_bytes(content)
    with Journal.open_read_only(journal.path, clean=clean_uncut) as damaged:
        verification = damaged.verify()
    assert not verification.ok
    assert [(problem.seq, "hash differs" in problem.what) for problem in verification.problems] == [
        (9, True)
    ]


@pytest.mark.parametrize(
    ("statement", "seq", "words"),
    [
        ("UPDATE entry SET text = 'other' WHERE seq = 5", 5, "was changed"),
        ("DELETE FROM entry WHERE seq = 5", 6, "entries 5 are missing"),
        ("DELETE FROM entry WHERE seq IN (5, 6, 7)", 8, "entries 5 to 7 are missing"),
        ("UPDATE entry SET prev_hash = 'x' WHERE seq = 5", 5, "does not follow"),
        ("UPDATE evidence SET content = x'41'", None, "was changed"),
        ("DELETE FROM evidence", 2, "which is not stored"),
        ("SELECT 1", None, ""),
    ],
)
def test_what_was_changed_is_named(
    journal: Journal, statement: str, seq: int | None, words: str
) -> None:
    journal.append(
        NewEntry(kind="observation", text="first", captures=(Capture(content=b"bytes"),))
    )
    _fill(journal, 8)
    journal.close()
    _tamper(journal.path, statement)
    with Journal.open_read_only(journal.path, clean=clean_uncut) as damaged:
        verification = damaged.verify()
    assert verification.ok is (words == "")
    if words:
        assert any(
            problem.seq == seq and words in problem.what for problem in verification.problems
        ), verification.problems


def test_a_dropped_trigger_is_named(journal: Journal) -> None:
    journal.close()
    connection = sqlite3.connect(journal.path)
    connection.execute("DROP TRIGGER entry_no_delete")
    connection.close()
    with Journal.open_read_only(journal.path, clean=clean_uncut) as damaged:
        assert [problem.what for problem in damaged.verify().problems] == [
            "trigger entry_no_delete is missing or was changed"
        ]


def test_a_cut_tail_shows_against_the_head_beside_the_file_or_one_from_elsewhere(
    journal: Journal,
) -> None:
    _fill(journal, 20)
    anchor = journal.head
    journal.close()
    _tamper(journal.path, "DELETE FROM entry WHERE seq > 11")
    with Journal.open_read_only(journal.path, clean=clean_uncut) as cut:
        assert [problem.what for problem in cut.verify().problems] == [
            "entries 12 to 21 are missing: the file ends before its head"
        ]
        head_path(journal.path).unlink()
        alone = cut.verify()
        assert alone.ok
        assert not alone.end_known
        verification = cut.verify(anchor)
    assert not verification.ok
    assert verification.problems[0].seq == anchor[0]


def _trash(path: Path, pages: int) -> None:
    """Overwrite leaf pages of the entry table with rubbish."""
    connection = sqlite3.connect(path)
    size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    content = bytearray(path.read_bytes())
    hit = 0
    for page in range(len(content) // size // 2, len(content) // size):
        start = page * size
        if (
            content[start] == 0x0D
            and b"note number" in content[start : start + size]
            and hit < pages
        ):
            content[start : start + size] = bytes((start + index) % 251 for index in range(size))
            hit += 1
    assert hit == pages
    path.write_bytes(content)


def test_salvage_gets_nearly_everything_out_of_a_trashed_file(
    new_journal: Callable[..., Journal],
) -> None:
    journal = new_journal()
    journal.append(
        NewEntry(kind="observation", text="first", captures=(Capture(content=b"bytes"),))
    )
    _fill(journal, 1500)
    entries = {entry.seq: entry for entry in journal.entries()}
    journal.close()
    _trash(journal.path, 2)
    damaged_bytes = journal.path.read_bytes()
    with Journal.open_read_only(journal.path, clean=clean_uncut) as damaged:
        with pytest.raises(JournalError, match="salvage"):
            damaged.entries()
        assert not damaged.verify().ok
    report = salvage(journal.path)
    assert journal.path.read_bytes() == damaged_bytes
    assert report.entries >= 0.98 * len(entries)
    assert report.entries + len(report.lost) == len(entries)
    assert report.lost
    assert (report.changed, report.evidence, report.evidence_lost) == ((), 1, 0)
    with Journal.open(report.path, clean=clean_uncut) as saved:
        assert {entry.seq: entry for entry in saved.entries()} == {
            seq: entry for seq, entry in entries.items() if seq not in report.lost
        }
        assert all(
            "missing" in problem.what or "does not follow" in problem.what
            for problem in saved.verify().problems
        )
        assert saved.append(NewEntry(kind="note", text="life goes on")).seq == len(entries) + 1
        assert any(entry.text == "life goes on" for entry in saved.entries())
    with pytest.raises(JournalError, match="cannot be written"):
        salvage(journal.path, report.path)
    assert salvage(journal.path).path.stem == f"{journal.path.stem}-salvaged-2"


def test_salvage_brings_what_waits_in_the_sidecar(journal: Journal) -> None:
    _fill(journal, 3)
    aside = journal.path.with_suffix(".aside")
    journal.path.rename(aside)
    waiting = journal.append(NewEntry(kind="note", text="waiting"))
    journal.close()
    aside.rename(journal.path)
    report = salvage(journal.path)
    assert report.waiting == 1
    with Journal.open(report.path, clean=clean_uncut) as saved:
        assert saved.entries()[-1].id == waiting.id
        assert saved.verify().ok


def _blank(journal: Journal, size: int) -> None:
    content = bytearray(journal.path.read_bytes())
    content[:size] = b"\0" * size
    journal.path.write_bytes(content)


@pytest.mark.parametrize("size", [16, 100, 1024, 4096])
def test_salvage_needs_no_header(journal: Journal, size: int) -> None:
    """Not the first bytes, the header, the schema, nor the first pages of the tables."""
    journal.append(
        NewEntry(kind="observation", text="first", captures=(Capture(content=b"bytes " * 5000),))
    )
    _fill(journal, 40)
    entries = {entry.seq: entry for entry in journal.entries()}
    journal.close()
    _blank(journal, size)
    with pytest.raises(JournalError, match="2026-11-21-a"):
        Journal.open_read_only(journal.path, clean=clean_uncut)
    report = salvage(journal.path)
    if size <= 1024:
        assert (report.lost, report.changed, report.evidence) == ((), (), 1)
    with Journal.open(report.path, clean=clean_uncut) as saved:
        assert saved.id == report.path.stem == "2026-11-21-a-salvaged"
        assert {entry.seq: entry for entry in saved.entries()} == {
            seq: entry for seq, entry in entries.items() if seq not in report.lost
        }


def _live_copy(journal: Journal, folder: Path, *suffixes: str) -> Path:
    """The files of a record that is open, copied as they are."""
    folder.mkdir()
    for suffix in suffixes:
        source = journal.path.with_name(journal.path.stem + suffix)
        shutil.copyfile(source, folder / source.name)
    return folder / journal.path.name


def _problems(path: Path) -> list[str]:
    with Journal.open_read_only(path, clean=clean_uncut) as journal:
        return [problem.what for problem in journal.verify().problems]


def test_what_is_gone_at_the_end_is_found(
    new_journal: Callable[..., Journal], tmp_path: Path
) -> None:
    """A lone file without its WAL; a WAL that is deleted, cut, or has one flipped bit."""
    journal = new_journal(on_stored=lambda _: None)
    _fill(journal, 3)
    _until_folded(journal)
    _fill(journal, 20)
    lone = _live_copy(journal, tmp_path / "lone", ".db")
    with Journal.open_read_only(lone, clean=clean_uncut) as alone:
        verification = alone.verify()
        assert not verification.end_known
        assert verification.entries == 4
    missing = ["entries 5 to 24 are missing: the file ends before its head"]
    assert _problems(_live_copy(journal, tmp_path / "no-wal", ".db", ".head")) == missing
    for name, change in {
        "cut": lambda wal: wal[: len(wal) // 2],
        "flipped": lambda wal: (
            wal[: len(wal) // 2] + bytes([wal[len(wal) // 2] ^ 1]) + wal[len(wal) // 2 + 1 :]
        ),
    }.items():
        path = _live_copy(journal, tmp_path / name, ".db", ".db-wal", ".head")
        wal = path.with_name(f"{path.name}-wal")
        wal.write_bytes(cast("Callable[[bytes], bytes]", change)(wal.read_bytes()))
        (problem,) = _problems(path)
        assert problem.endswith("to 24 are missing: the file ends before its head")
    whole = _live_copy(journal, tmp_path / "whole", ".db", ".db-wal", ".head")
    assert _problems(whole) == []
    flipped = salvage(tmp_path / "flipped" / journal.path.name)
    assert len(flipped.lost) <= 1, "rows behind the flipped bit are in the pages of the WAL"


def _until_folded(journal: Journal) -> None:
    """Wait until the idle record has no WAL left."""
    wal = journal.path.with_name(f"{journal.path.name}-wal")
    deadline = time.monotonic() + 30
    while wal.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_idle_record_is_whole_in_its_file_alone(
    new_journal: Callable[..., Journal], tmp_path: Path
) -> None:
    journal = new_journal()
    _fill(journal, 5)
    assert journal.append(NewEntry(kind="note", text="the last")).seq == 7
    _until_folded(journal)
    copy = _live_copy(journal, tmp_path / "copy", ".db")
    with Journal.open_read_only(copy, clean=clean_uncut) as alone:
        assert alone.entries()[-1].text == "the last"
        assert alone.verify(journal.head).ok
        assert alone.verify((0, journal.head[1][:12])).ok
        assert not alone.verify((0, "0" * 12)).ok


def test_a_record_without_entries_is_not_whole(journal: Journal) -> None:
    journal.close()
    head_path(journal.path).unlink()
    _tamper(journal.path, "DELETE FROM entry")
    assert _problems(journal.path) == [
        "there is no entry in it: a record has one from its first second"
    ]


def test_what_was_lost_is_recorded_before_its_numbers_are_used_again(journal: Journal) -> None:
    _fill(journal, 5)
    journal.close()
    _tamper(journal.path, "DELETE FROM entry WHERE seq > 4")
    with Journal.open(journal.path, clean=clean_uncut) as again:
        kept = again.append(NewEntry(kind="note", text="life goes on"))
        assert kept.seq == 6
        assert [problem.what for problem in again.verify().problems] == [
            "before entry 5: entries 5 to 6, recorded earlier, are missing from the file"
        ]


def test_a_note_costs_at_most_six_kilobytes_of_wal(journal: Journal) -> None:
    wal = journal.path.with_name(f"{journal.path.name}-wal")
    sizes = [wal.stat().st_size]
    for number in range(200):
        journal.append(
            NewEntry(
                kind="note",
                text=f"users report 502s on the marketplace since the rollout, call {number}",
                time_source="human",
            )
        )
        sizes.append(wal.stat().st_size)
    grown = [after - before for before, after in itertools.pairwise(sizes) if after > before]
    assert max(grown) <= 6 * 1024
    assert sum(grown) / len(grown) <= 3 * 1024


def test_nothing_to_salvage(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"\x00\x17" * 5000)
    with pytest.raises(JournalError, match="look for a copy"):
        salvage(path)

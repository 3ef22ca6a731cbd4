"""Damage is named, and what is left can be saved. Rows T16 and T17."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.kube.text import clean_uncut
from timeline.entry import Capture, Draft
from timeline.journal.head import head_path
from timeline.journal.journal import Journal, JournalError
from timeline.journal.salvage import salvage
from timeline.journal.storage import TRIGGERS


def _fill(journal: Journal, count: int) -> None:
    futures = [
        journal.submit(Draft(kind="note", text=f"note number {number} with some more words in it"))
        for number in range(count)
    ]
    for future in futures:
        future.result()


def _tamper(path: Path, statement: str) -> None:
    """What somebody with the file and SQLite can do: take the triggers off, change something, put
    them back."""
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
    journal.append(Draft(kind="observation", text="first", captures=(Capture(content=b"bytes"),)))
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
    journal.append(Draft(kind="observation", text="first", captures=(Capture(content=b"bytes"),)))
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
        assert all("missing" in problem.what for problem in saved.verify().problems)
        assert saved.append(Draft(kind="note", text="life goes on")).seq == len(entries) + 1
        assert any(entry.text == "life goes on" for entry in saved.search("life goes"))
    with pytest.raises(JournalError, match="cannot be written"):
        salvage(journal.path)


def test_salvage_brings_what_waits_in_the_sidecar(journal: Journal) -> None:
    _fill(journal, 3)
    aside = journal.path.with_suffix(".aside")
    journal.path.rename(aside)
    waiting = journal.append(Draft(kind="note", text="waiting"))
    journal.close()
    aside.rename(journal.path)
    report = salvage(journal.path)
    assert report.waiting == 1
    with Journal.open(report.path, clean=clean_uncut) as saved:
        assert saved.entries()[-1].id == waiting.id
        assert saved.verify().ok


def test_nothing_to_salvage(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"\x00\x17" * 5000)
    with pytest.raises(JournalError, match="look for a copy"):
        salvage(path)

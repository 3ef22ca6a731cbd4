"""JSON Lines without loss, JSON, CSV; one order in all of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from cluster.kube.text import clean_uncut
from tests.timeline.conftest import START
from tests.timeline.story import tell
from tests.timeline.test_markdown import HOSTILE
from timeline.entry import KINDS, Capture, EntryKind, NewEntry
from timeline.export import (
    FORMATS,
    Shape,
    export,
    find_anchor,
    import_jsonl,
    to_csv,
    to_html,
    to_json,
    to_jsonl,
    to_markdown,
    write_atomic,
)
from timeline.export.csv_table import safe_cell
from timeline.journal.journal import Journal, JournalError
from timeline.redaction.redact import Redactor


def test_an_import_is_the_same_record(journal: Journal, tmp_path: Path) -> None:
    tell(journal)
    for kind in sorted(KINDS):
        journal.append(
            NewEntry(
                kind=cast("EntryKind", kind),
                text=HOSTILE[0],
                supersedes="x",
                data={"intent_id": "z", "name": "mitigated"},
            )
        )
    purged = journal.entries(kinds=["observation"])[0].evidence[0]
    journal.purge_evidence(purged, "asked for")
    text = to_jsonl(journal)
    copy = import_jsonl(text.splitlines(), tmp_path / "elsewhere" / "copy.db", clean=clean_uncut)
    assert copy.entries() == journal.entries()
    assert copy.head == journal.head
    assert copy.verify().ok
    assert copy.verify(journal.head).ok
    assert to_jsonl(copy) == text
    assert copy.id == journal.id
    assert copy.append(NewEntry(kind="note", text="goes on")).seq == journal.head[0] + 1
    copy.close()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "was cut"),
        (lambda lines: [*lines[:-3], lines[-1]], "hold|was cut"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "does not follow"),
        (lambda lines: [line.replace("node-2", "node-3") for line in lines], "was changed"),
        (
            lambda lines: [lines[0].replace("timeline/1", "timeline/9"), *lines[1:]],
            "use the version",
        ),
        (lambda lines: ["not json", *lines], "line 1"),
        (lambda lines: lines[1:], "header"),
        (lambda lines: [], "header"),
        (
            lambda lines: [
                re.sub(r'"content":"[^"]{8}', '"content":"AAAAAAAA', line) for line in lines
            ],
            "does not have its hash",
        ),
    ],
)
def test_a_damaged_export_is_refused_with_the_reason(
    journal: Journal, tmp_path: Path, change: Callable[[list[str]], str], words: str
) -> None:
    tell(journal)
    target = tmp_path / "copy.db"
    with pytest.raises(JournalError, match=words):
        import_jsonl(change(to_jsonl(journal).splitlines()), target, clean=clean_uncut)
    assert not target.exists()


def test_an_import_does_not_overwrite(journal: Journal) -> None:
    with pytest.raises(JournalError, match="does not exist"):
        import_jsonl(to_jsonl(journal).splitlines(), journal.path, clean=clean_uncut)


def test_one_order_everywhere(journal: Journal) -> None:
    for text, minutes in (("gamma", 30), ("alpha", -30), ("beta", 0)):
        journal.append(
            NewEntry(kind="note", text=text, occurred_at=START + timedelta(minutes=minutes))
        )
    for text in (to_markdown(journal), to_csv(journal), to_html(journal), to_json(journal)):
        places = [text.index(word) for word in ("alpha", "beta", "gamma")]
        assert places == sorted(places)


def test_csv_cells_are_no_formulas(journal: Journal) -> None:
    for text in (
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "＝1",
        "|calc",
        " =1",
        "%0A",
        "plain",
        'quote " and , comma\nline',
    ):
        journal.append(NewEntry(kind="note", text=text, actor=text, reason=text, audit_id=text))
    rows = list(csv.reader(io.StringIO(to_csv(journal))))
    assert len(rows) == 13
    for row in rows[1:]:
        for cell in row:
            assert not cell.lstrip(" ") or cell.lstrip(" ")[0] not in "=+-@\t\r|%＝＋－＠", row
    assert safe_cell("plain") == "plain"


def test_json_has_metrics_factors_and_originals(journal: Journal) -> None:
    tell(journal)
    note = journal.entries(kinds=["note"])[0]
    journal.revise(note.id, "edit", text="shoppers report errors")
    document = json.loads(to_json(journal))
    assert document["schema"] == "stanch.timeline/1"
    assert document["head"] == {"seq": journal.head[0], "hash": journal.head[1]}
    edited = next(entry for entry in document["entries"] if entry["id"] == note.id)
    assert (edited["text"], edited["original"]["text"]) == (
        "shoppers report errors",
        "users report errors",
    )
    assert {metric["name"]: metric["seconds"] for metric in document["metrics"]}["TTD"] == 600
    assert len(document["unknown"]) == 2
    assert document["evidence"][0]["name"] == "E1"


def test_formats_by_name(journal: Journal) -> None:
    for form in FORMATS:
        assert export(journal, form)
        assert export(journal, form) == export(journal, form)
    with pytest.raises(ValueError, match="use one of"):
        export(journal, "pdf")
    with pytest.raises(ValueError, match="use one of"):
        export(journal, "markdown", Shape(template="five-page"))


def test_an_atomic_write_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "draft.md"
    write_atomic(path, "old")
    path.chmod(0o640)
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["draft.md"]
    write_atomic(path, "new")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("form", ["markdown", "html", "json", "jsonl"])
def test_the_head_in_an_export_anchors_the_record(journal: Journal, form: str) -> None:
    journal.append(NewEntry(kind="note", text=f"Head of the chain: seq 1, sha256 {'a' * 64}"))
    anchor = find_anchor(export(journal, form))
    assert anchor == journal.head
    journal.append(NewEntry(kind="note", text="later"))
    assert journal.verify(anchor).ok
    with pytest.raises(ValueError, match="names no head"):
        find_anchor("nothing")


def test_an_export_redacts_once_more(journal: Journal) -> None:
    """What was not known to be a secret when it was recorded may be known now."""
    journal.append(NewEntry(kind="note", text="customer Zebra-Holdings called"))
    journal.redactor = Redactor(b"k" * 32, clean_uncut, ["Zebra-Holdings"])
    for form in ("markdown", "html", "csv", "json"):
        assert "Zebra" not in export(journal, form)
    with pytest.raises(JournalError, match="timeline purge 2"):
        export(journal, "jsonl")


def test_a_csv_cell_is_no_longer_than_a_spreadsheet_takes(journal: Journal) -> None:
    journal.append(NewEntry(kind="note", text="=" + "x" * 40_000))
    (row,) = [row for row in csv.reader(io.StringIO(to_csv(journal))) if "x" * 100 in row[8]]
    assert len(row[8]) == 32_767
    assert row[8].startswith("'=x")
    assert row[8].endswith("(cut; JSON Lines has all of it)")


def test_otlp_has_a_log_record_for_each_entry(journal: Journal) -> None:
    tell(journal)
    (logs,) = json.loads(export(journal, "otlp"))["resourceLogs"]
    (scope,) = logs["scopeLogs"]
    records = scope["logRecords"]
    assert len(records) == len(journal.entries())
    first = records[0]
    assert first["body"] == {"stringValue": "connections refused, 7 of 7 on node-2"}
    assert (first["severityText"], len(first["timeUnixNano"])) == ("ERROR", 19)
    assert {"key": "stanch.seq", "value": {"stringValue": "2"}} in first["attributes"]


def test_an_import_keeps_its_end_and_a_purged_entry_says_so(
    journal: Journal, tmp_path: Path
) -> None:
    entry = journal.append(NewEntry(kind="note", text="the token was abc"))
    journal.purge(entry, "secret")
    assert "note: (its words were purged)" in to_markdown(journal)
    with import_jsonl(to_jsonl(journal).splitlines(), tmp_path / "i.db", clean=clean_uncut) as copy:
        assert copy.verify().end_known


def test_many_pieces_of_evidence_are_named_by_their_range(journal: Journal) -> None:
    captures = tuple(Capture(content=b"%d" % n, source="pasted") for n in range(5))
    journal.append(
        NewEntry(
            kind="milestone",
            text="the Jobs are gone",
            data={"name": "mitigated"},
            captures=captures,
        )
    )
    assert "| E1 to E5 |" in to_markdown(journal)


def test_a_change_by_hand_is_said_once(journal: Journal) -> None:
    data = {"intent_id": "a", "by_hand": True, "outcome": "done by hand"}
    for kind, text in (
        ("action-intent", "by hand: set ndots 2 in the shop"),
        ("action-result", "done by hand: set ndots 2 in the shop"),
    ):
        journal.append(NewEntry(kind=cast("EntryKind", kind), text=text, data=data))
    draft = to_markdown(journal)
    row = next(each for each in draft.split("## Actions")[1].splitlines() if "set ndots" in each)
    assert "| by hand: set ndots 2 in the shop | done by hand |" in row

"""The log: marks, folded objects of probes, revisions, and what was seen last."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from text.timeline import MARKS, log_lines, marked, remembered_lines
from timeline.entry import Entry
from timeline.note import parse_note

SEEN = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


def entry(minute: int, kind: str, text: str, **more: object) -> Entry:
    at = SEEN + timedelta(minutes=minute)
    fixed = {"seq": minute, "id": f"e{minute}", "recorded_at": at, "mono_ns": 0}
    return Entry(**fixed, occurred_at=at, kind=kind, text=text, **more)  # type: ignore[arg-type]  # test data


@pytest.mark.parametrize("word", MARKS)
@pytest.mark.parametrize("time", ["", "-5m ", "@01:30 "])
def test_a_marked_note_is_read_as_its_mark(word: str, time: str) -> None:
    mark = MARKS[word]
    note = parse_note(marked(f"{time}errors are gone", mark), SEEN).draft()
    assert note.text == "errors are gone"
    assert (note.kind == "note") == (not mark.prefix)
    assert (note.occurred_at is None) == (not time)


def test_a_mark_may_stand_alone() -> None:
    assert parse_note(marked("", MARKS["mitigated"]), SEEN).draft().data == {"name": "mitigated"}


def test_what_a_probe_created_and_removed_is_one_line() -> None:
    kinds = ("object-intent", "object-created", "object-removed")
    data = {"intent_id": "pod-1"}
    entries = [entry(n, kind, f"pod {n}", data=data) for n, kind in enumerate(kinds, 1)]
    entries.append(entry(4, "object-created", "pod stays", data={"intent_id": "pod-2"}))
    whole = [row.text for row in log_lines(entries)]
    folded = [row.text for row in log_lines(entries, folded=True)]
    assert len(whole) == 5
    assert len(folded) == 3
    assert "1 object created for a probe and removed again" in folded[1]
    assert "pod stays" in folded[2]


def test_a_cluster_that_never_answered_shows_what_the_record_saw_last() -> None:
    entries = [
        entry(1, "observation", "jobs fail", data={"symptom": "a", "event": "appeared"}),
        entry(2, "observation", "pods fail", data={"symptom": "b", "event": "appeared"}),
        entry(9, "observation", "no longer seen", data={"symptom": "a", "event": "cleared"}),
    ]
    text = "\n".join(row.text for row in remembered_lines(entries, SEEN + timedelta(hours=1)))
    assert "58 min ago  pods fail" in text
    assert "jobs fail" not in text
    (one,) = remembered_lines(entries, SEEN + timedelta(hours=1), limit=1)
    assert one.text == "      last seen 58 min ago: pods fail"
    assert remembered_lines(entries, SEEN + timedelta(hours=1), {"b"}) == []

"""Entries: the canonical form, its hash, and rows."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.entry import (
    KINDS,
    NO_HASH,
    Entry,
    NewEntry,
    ObjectRef,
    canonical,
    digest,
    from_record,
    order,
    seal,
    stamp,
    to_record,
)
from timeline.journal.journal import Journal
from timeline.journal.preparation import check
from timeline.journal.rows import from_row, to_row
from timeline.journal.storage import ENTRY_COLUMNS

AT = datetime(2026, 11, 21, 3, 2, 11, tzinfo=UTC)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # `timezones` adds them
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_ENTRIES = st.builds(
    Entry,
    seq=st.integers(0, 2**40),
    id=st.text(min_size=1, max_size=26, alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ"),
    recorded_at=_TIMES,
    mono_ns=st.integers(0, 2**62),
    occurred_at=_TIMES,
    occurred_end=st.none() | _TIMES,
    kind=st.sampled_from(sorted(KINDS)),
    object=st.none() | st.builds(ObjectRef, kind=st.just("Pod"), name=_TEXT, namespace=_TEXT),
    text=_TEXT,
    evidence=st.lists(_TEXT, max_size=2).map(tuple),
    redactions=st.dictionaries(_TEXT, st.integers(1, 9), max_size=2),
    data=st.dictionaries(_TEXT, _JSON, max_size=3),
)


@given(_ENTRIES)
def test_an_entry_survives_json_and_a_row(entry: Entry) -> None:
    sealed = seal(entry, entry.seq, NO_HASH)
    line = canonical(to_record(sealed))
    assert from_record(json.loads(line)) == sealed
    assert canonical(to_record(from_record(json.loads(line)))) == line
    row = to_row(sealed)
    assert digest(from_row([row[name] for name in ENTRY_COLUMNS])) == sealed.hash


def test_empty_fields_stay_out_of_the_canonical_form() -> None:
    """A field added by a later version must not change the hashes of older entries."""
    entry = seal(
        Entry(seq=0, id="01", recorded_at=AT, mono_ns=5, occurred_at=AT, kind="note", text="down"),
        1,
        NO_HASH,
    )
    record = to_record(entry)
    assert set(record) == {
        "seq",
        "id",
        "recorded_at",
        "mono_ns",
        "occurred_at",
        "occurred_precision",
        "kind",
        "time_source",
        "confidence",
        "text",
        "prev_hash",
        "hash",
    }
    assert record["occurred_at"] == "2026-11-21T03:02:11.000000Z"
    written = (
        '{"confidence":"observed","id":"01","kind":"note","mono_ns":5,"occurred_at":"2026-11-21T03:02:11.000000Z","occurred_precision":"exact",'
        f'"prev_hash":"{"0" * 64}","recorded_at":"2026-11-21T03:02:11.000000Z","seq":1,"text":"down","time_source":"tool"}}'
    )
    assert entry.hash == hashlib.sha256(written.encode()).hexdigest()


def test_times_are_utc_and_never_naive() -> None:
    assert (
        stamp(datetime(2026, 11, 21, 5, 0, tzinfo=timezone(timedelta(hours=2))))
        == "2026-11-21T03:00:00.000000Z"
    )
    with pytest.raises(ValueError, match="no zone"):
        stamp(datetime(2026, 11, 21))  # noqa: DTZ001  # the case under test


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        (NewEntry(kind="probe-result"), "intent_id"),
        (NewEntry(kind="milestone", data={"name": "fixed"}), "one of started"),
        (NewEntry(kind="revision"), "supersedes"),
        (NewEntry(kind="gossip"), "no kind"),  # type: ignore[arg-type]  # test data
        (NewEntry(kind="note", occurred_at=AT, occurred_end=AT - timedelta(1)), "ends before"),
        (NewEntry(kind="note", occurred_at=datetime(2026, 1, 1)), "no zone"),  # noqa: DTZ001  # the case under test
    ],
)
def test_a_bad_draft_is_refused_with_a_sentence(draft: NewEntry, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(draft)


def test_every_kind_can_be_recorded_and_read_back(journal: Journal) -> None:
    for kind in sorted(KINDS):
        data = {"intent_id": "i1", "name": "detected", "nested": {"n": [1, 2.5, None, True]}}
        journal.append(NewEntry(kind=kind, text=f"a {kind}", supersedes="x", data=data))  # type: ignore[arg-type]  # test data
    assert {entry.kind for entry in journal.entries()} == KINDS
    assert journal.verify().ok


def test_order_is_by_occurrence_then_record() -> None:
    base = Entry(seq=2, id="b", recorded_at=AT, mono_ns=0, occurred_at=AT, kind="note")
    earlier = msgspec.structs.replace(base, seq=9, occurred_at=AT - timedelta(minutes=5))
    waiting = msgspec.structs.replace(base, seq=0, id="c")
    assert sorted([waiting, base, earlier], key=order) == [earlier, base, waiting]


def test_what_json_cannot_hold_is_made_plain(journal: Journal) -> None:
    entry = journal.append(
        NewEntry(
            kind="note",
            data={
                "nan": float("nan"),
                "at": AT,
                "set": {"b", "a"},
                "bytes": b"x",
                7: (1, 2),  # type: ignore[dict-item]  # what a careless caller gives
                "lone": "\ud800",
            },
        )
    )
    assert {key: value for key, value in entry.data.items() if key != "salt"} == {
        "nan": "nan",
        "at": str(AT),
        "set": ["a", "b"],
        "bytes": "b'x'",
        "7": [1, 2],
        "lone": "\\ud800",
    }
    assert journal._writer is not None
    with pytest.raises(sqlite3.Error, match="append-only"):
        journal._writer.call(lambda db: db.execute("UPDATE entry SET text = 'x'")).result()

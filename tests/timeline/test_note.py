"""Quick capture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from timeline.note import parse_note

NOW = datetime(2026, 11, 21, 14, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "text", "at", "precision"),
    [
        ("users report 502s", "users report 502s", None, "exact"),
        ("-5m users report 502s", "users report 502s", NOW - timedelta(minutes=5), "minute"),
        ("-1h30m paged", "paged", NOW - timedelta(minutes=90), "minute"),
        ("-90s paged", "paged", NOW - timedelta(seconds=90), "second"),
        ("-1d it began", "it began", NOW - timedelta(days=1), "minute"),
        ("@14:30 deployed", "deployed", NOW - timedelta(minutes=5), "minute"),
        ("@9:05 deployed", "deployed", NOW.replace(hour=9, minute=5), "minute"),
        ("@14:30:05 deployed", "deployed", NOW.replace(minute=30, second=5), "second"),
        (
            "@2026-11-20T23:50 last night",
            "last night",
            datetime(2026, 11, 20, 23, 50, tzinfo=UTC),
            "minute",
        ),
        ("@2026-11-21T14:30Z deployed", "deployed", NOW - timedelta(minutes=5), "minute"),
        ("@2026-11-21T16:30+02:00 deployed", "deployed", NOW - timedelta(minutes=5), "minute"),
        ("@2026-11-21 14:30 deployed", "deployed", NOW - timedelta(minutes=5), "minute"),
        ("@~14:20 about then", "about then", NOW - timedelta(minutes=15), "approx"),
        ("-5 pods are gone", "-5 pods are gone", None, "exact"),
        ("@team look", "@team look", None, "exact"),
        ("- a list item", "- a list item", None, "exact"),
        ("--set x=1", "--set x=1", None, "exact"),
        ("-5m two\nlines", "two\nlines", NOW - timedelta(minutes=5), "minute"),
    ],
)
def test_forms(line: str, text: str, at: datetime | None, precision: str) -> None:
    note = parse_note(line, NOW)
    assert (note.text, note.occurred_at, note.precision) == (text, at, precision)


def test_a_range() -> None:
    note = parse_note("@2026-11-20T23:50-00:10 the site was slow", NOW)
    assert note.precision == "range"
    assert (note.occurred_at, note.occurred_end) == (
        datetime(2026, 11, 20, 23, 50, tzinfo=UTC),
        datetime(2026, 11, 21, 0, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "  ",
        "-5m",
        "@14:30",
        "@25:99 x",
        "@23:50 x",
        "@23:50-00:10 x",
        "@14h x",
        "@2027-01-01T00:00Z x",
        "@2026-02-30T10:00Z x",
        "-9999d x",
    ],
)
def test_what_cannot_be_taken_down_says_why(line: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*[;,]"):
        parse_note(line, NOW)


def test_the_draft_is_a_human_report() -> None:
    draft = parse_note("-5m paged", NOW).draft("jo")
    assert (draft.kind, draft.time_source, draft.confidence, draft.actor) == (
        "note",
        "human",
        "reported",
        "jo",
    )


@pytest.mark.parametrize(
    ("line", "kind", "text", "data"),
    [
        ("-5m !mitigated cordoned node-2", "milestone", "cordoned node-2", {"name": "mitigated"}),
        ("!resolved", "milestone", "resolved", {"name": "resolved"}),
        ("!Detected: pager", "milestone", "pager", {"name": "detected"}),
        ("? who pushed the image", "question", "who pushed the image", {}),
        ("todo: pin digests", "follow-up", "pin digests", {}),
        ("factor: no alert on drift", "contributing-factor", "no alert on drift", {}),
        ("Ruled out: DNS", "hypothesis", "DNS", {"status": "ruled-out"}),
        ("hypothesis: policy on node-2", "hypothesis", "policy on node-2", {"status": "open"}),
        ("!important look here", "note", "!important look here", {}),
        ("!mitigatedly", "note", "!mitigatedly", {}),
        ("?", "note", "?", {}),
        ("todo:", "note", "todo:", {}),
    ],
)
def test_a_note_may_say_what_it_is(line: str, kind: str, text: str, data: dict[str, str]) -> None:
    draft = parse_note(line, NOW).draft()
    assert (draft.kind, draft.text, draft.data) == (kind, text, data)


def test_of_a_pasted_block_the_first_line_is_the_note() -> None:
    block = "-5m the log says\nerror: no route to host\n\nretrying\n"
    draft = parse_note(block, NOW).draft()
    assert draft.text == "the log says (and 2 more lines)"
    assert [capture.content for capture in draft.captures] == [
        b"the log says\nerror: no route to host\n\nretrying"
    ]
    long = parse_note("x" * 5000, NOW).draft()
    assert len(long.text) < 1100
    assert long.captures[0].content == b"x" * 5000
    assert parse_note("one line", NOW).draft().captures == ()


def test_bytes_that_are_no_text_are_kept_as_escapes() -> None:
    draft = parse_note("a\udcff b\nc\udc9b", NOW).draft()
    assert draft.text == "a\\udcff b (and 1 more line)"
    assert draft.captures[0].content == b"a\\udcff b\nc\\udc9b"

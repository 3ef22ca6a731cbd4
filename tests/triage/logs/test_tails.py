"""Tails of logs, in the words of many languages: the sentence that decides, and the cluster in which
one workload ends with it."""

from __future__ import annotations

import pytest

from tests.drill_gates.ground import judge_with_logs
from tests.triage.logs.tails import PAGES, Tail, scenario, tails
from triage.logs.classify import verdict

ONE_EACH = {tail.class_: tail for tail in reversed(tails())}


@pytest.mark.parametrize("tail", tails(), ids=lambda tail: f"{tail.class_}: {tail.program}")
def test_the_sentence_that_decides_is_found(tail: Tail) -> None:
    found = verdict(tail.log.splitlines())
    assert (found.class_ if found else "none") == tail.class_, found
    assert tail.says in (found.sentence if found else "")


@pytest.mark.parametrize(("class_", "number"), zip(ONE_EACH, range(99), strict=False))
def test_the_first_line_quotes_it_and_its_page_is_first(class_: str, number: int) -> None:
    seen = judge_with_logs(scenario(ONE_EACH[class_], number))
    first = seen.symptoms[0]
    assert any(ONE_EACH[class_].is_told_by(each) for each in first.symptom.findings)
    assert first.matches[0].confident
    assert first.matches[0].id in PAGES[class_]


@pytest.mark.parametrize(
    ("lines", "class_", "says"),
    [
        (
            (
                "Unhandled exception. A.B: Could not connect to db:5432",
                " ---> C: Connection refused",
            ),
            "unreachable",
            "Could not connect to db:5432",
        ),
        (
            ("thread 'main' panicked at src/main.rs:1:2:", "the store is of version 3"),
            "panic",
            "the store is of version 3",
        ),
        (
            ("panic: no shard owns the key", "", "goroutine 1 [running]:", "main.main()"),
            "panic",
            "no shard owns the key",
        ),
        (
            (
                'E0314 09:20:11.201123 1 r.go:1] queues is forbidden: User "x" cannot list resource',
                "F0314 09:20:11.201123 1 m.go:8] timed out waiting for caches to sync",
            ),
            "api-forbidden",
            "cannot list resource",
        ),
    ],
)
def test_what_says_most_is_quoted(lines: tuple[str, ...], class_: str, says: str) -> None:
    found = verdict(lines)
    assert found is not None
    assert (found.class_, says in found.sentence) == (class_, True)


def test_what_was_away_only_at_first_does_not_decide() -> None:
    refused = "dial tcp 10.0.0.1:5432: connect: connection refused, retrying in 1s"
    assert verdict([refused, "connected to the database", "done"]) is None
    assert verdict(["connected to the database", refused]) is not None


def test_a_long_sentence_is_cut_around_its_last_words() -> None:
    found = verdict([f"Max retries exceeded with {'x' * 300} [Errno 111] Connection refused)"])
    assert found is not None
    assert "Connection refused" in found.sentence


def test_a_time_in_a_sentence_is_no_address() -> None:
    said = "x509: certificate has expired: current time 2026-11-21T03:15:00Z is after 2026-11-20"
    found = verdict([f"cannot reach pay.example.com:443: {said}"])
    assert found is not None
    assert str(found.address) == "pay.example.com:443"
    assert (alone := verdict([said])) is not None
    assert alone.address is None

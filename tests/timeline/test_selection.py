"""Filters of the log, what closes a hypothesis, and what speaks against a mark."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from tests.timeline.conftest import START
from timeline.entry import Entry, NewEntry
from timeline.metrics import kept, marked
from timeline.revisions import latest
from timeline.selection import around, select
from timeline.story import doubt, hypotheses, next_mark


def entry(seq: int, kind: str, text: str, **more: Any) -> Entry:
    at = START + timedelta(minutes=3 * seq)
    return Entry(
        seq=seq,
        id=f"e{seq}",
        recorded_at=at,
        mono_ns=0,
        occurred_at=at,
        kind=kind,
        text=text,
        **more,
    )


LOG = (
    entry(1, "incident-opened", "shop is slow"),
    entry(2, "observation", "7 pods refuse", phase="detect"),
    entry(3, "note", "customers call", time_source="human", actor="ana", host="x1"),
    entry(4, "step-result", "node-2 differs", data={"about": [{"kind": "Node", "name": "node-2"}]}),
    entry(5, "action-intent", "cordon node-2", data={"intent_id": "a"}),
    entry(6, "action-result", "cordon node-2: done", data={"intent_id": "a"}),
)


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        ("", [1, 2, 3, 4, 5, 6]),
        ("NODE-2 cordon", [5, 6]),
        ("kind:note,observation", [2, 3]),
        ("who:ana", [3]),
        ("by:human", [3]),
        ("phase:detect", [2]),
        ("object:node-2", [4]),
        ("in:draft kind:action", [5, 6]),
        ("in:nothing", []),
        ("around:3", [2, 3, 4]),
        (around(LOG[2]), [2, 3, 4]),
        (f"around:{START + timedelta(minutes=9):%H:%M}", [2, 3, 4]),
        ("around:99:99", []),
        ("around:", []),
        ("kind:action cordon done", [6]),
    ],
)
def test_a_selection_holds_words_and_fields(words: str, seqs: list[int]) -> None:
    found = select(latest(LOG), words, lambda entry: entry.text)
    assert [line.entry.seq for line in found] == seqs


def hypothesis(seq: int, text: str, status: str) -> Entry:
    return entry(seq, "hypothesis", text, data={"status": status})


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ("the kubelet leaks", False),
        ("The kubelet leaks.", False),
        ("the kubelet leaks memory: it holds 200 MiB since a week", False),
        ("the kubelet is slow", True),
    ],
)
def test_what_rules_out_all_words_of_a_hypothesis_closes_it(said: str, stands: bool) -> None:
    told = latest([hypothesis(1, "the kubelet leaks", "open"), hypothesis(2, said, "ruled-out")])
    standing, out = hypotheses(told)
    assert (bool(standing), [each.seq for each in out]) == (stands, [2])


def test_a_mark_keeps_that_the_last_check_of_verify_failed_until_it_passes() -> None:
    def verify(seq: int, state: str) -> Entry:
        data = {"section": "verify", "state": state, "intent_id": str(seq)}
        return entry(seq, "step-result", f"2 nodes {state}", run_id="r", step_id="s", data=data)

    log = [verify(1, "failed")]
    assert "2 nodes failed" in doubt(log, "mitigated")
    assert doubt(log, "acknowledged") == doubt([*log, verify(2, "passed")], "resolved") == ""


def test_mitigated_is_offered_before_resolved_and_nothing_after_both() -> None:
    marks = [
        entry(n, "milestone", x, data={"name": x}) for n, x in enumerate(("mitigated", "resolved"))
    ]
    assert [next_mark(marks[:count]) for count in range(3)] == ["mitigated", "resolved", ""]


def test_a_mark_that_is_set_again_keeps_its_moment_unless_it_states_a_time() -> None:
    def mark(seq: int, **more: Any) -> Entry:
        return entry(seq, "milestone", "served", data={"name": "mitigated"}, **more)

    again = NewEntry(kind="milestone", text="served", data={"name": "mitigated"})
    first, second = mark(1), mark(2)
    assert marked([first, second])["mitigated"] is first
    assert f"of {first.occurred_at:%H:%M:%S} UTC, stands" in kept([first, second], again)
    moved = replace(mark(3), occurred_at=START)
    assert marked([first, second, moved])["mitigated"] is moved
    assert not kept([first], replace(again, occurred_at=START))
    reopened = entry(2, "incident-reopened", "")
    later = mark(4)
    assert not kept([first, reopened], again)
    assert marked([first, reopened, later])["mitigated"] is later
    assert not kept([], again)
    assert not kept([first], NewEntry(kind="note", text="x"))

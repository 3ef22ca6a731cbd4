"""The engine that steps through runbooks, without a cluster: what is asked, what comes next, what
is recorded."""

from __future__ import annotations

import asyncio

import pytest

from incident.walkthrough.answers import InvalidAnswer
from incident.walkthrough.probe_runner import answer_of, step_answer
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from probes.result import Component, Conclusion, ProbeResult
from runbooks.check import Result
from tests import shipped
from tests.incident.face import Agreeing
from tests.incident.walkthrough.scripted import Scripted, entries
from tests.incident.walkthrough.test_runs import NOW, Values
from tests.probes import cells


async def test_all_checks_of_a_part_run_each_time_and_lead_from_the_first_abnormal_one(
    scripted: Scripted,
) -> None:
    engine, face = scripted.engine, Agreeing()
    run = engine.open("book")
    run = await engine.do_checks(run.id, "second", face)
    assert face.ran == ["first", "second", "third"]
    assert (run.current, run.end) == ("", "done"), "nothing abnormal: where the first one leads"
    scripted.results = {"second": Result.FAIL, "third": Result.FAIL}
    run = await engine.do_checks(run.id, "first", face)
    assert face.ran == ["first", "second", "third"] * 2, "answered checks run again"
    await scripted.record.settled()
    results = [each for each in scripted.record.by_record() if each.kind == "step-result"]
    assert len(results) == 6
    assert all(each.evidence for each in results), "each check stores what it read"
    assert run.current == "look"
    assert run.outcomes["look"].state is StepState.NOW


async def test_a_lead_goes_past_a_step_that_was_skipped(scripted: Scripted) -> None:
    scripted.results = {"second": Result.FAIL}
    run = scripted.engine.open("book")
    scripted.engine.skip(run.id, "look", "another engineer does it")
    run = await scripted.engine.do_checks(run.id, "first", Agreeing())
    assert run.current == "measure", "the step after it"
    look = run.outcomes["look"]
    assert (look.state, look.seen) == (StepState.SKIPPED, "another engineer does it")


async def test_a_lead_goes_past_checks_that_were_just_answered(scripted: Scripted) -> None:
    scripted.results = {"first": Result.FAIL, "third": Result.FAIL}
    run = scripted.engine.open("book")
    run = await scripted.engine.do_checks(run.id, "first", Agreeing())
    assert (run.current, run.end) == ("", "runbook:other")
    resumed = Runs(scripted.record, scripted.book, Values(), lambda: ()).open("book").view()
    assert (resumed.current, resumed.end) == ("", "runbook:other"), "also after a restart"


@pytest.mark.parametrize("typed", ["?", "do", "ok", "", "pas", "2 3"])
async def test_only_an_answer_that_the_step_offers_is_taken(scripted: Scripted, typed: str) -> None:
    run = scripted.engine.open("book")
    before = entries(scripted, run.id)
    for step in ("first", "cordon", "measure"):
        with pytest.raises(InvalidAnswer, match="is not an answer"):
            scripted.engine.answer(run.id, step, typed)
    assert entries(scripted, run.id) == before


@pytest.mark.parametrize(
    ("typed", "answer", "state", "current"),
    [
        ("YES", "yes", StepState.ANSWERED, ""),
        ("2", "drained", StepState.ANSWERED, ""),
        (" cannot   look ", "cannot look", StepState.UNKNOWN, ""),
        ("not possible", "not possible", StepState.ANSWERED, ""),
        ("later", "later", StepState.TODO, "first"),
        ("done", "done", StepState.DONE, ""),
    ],
)
async def test_an_answer_means_what_it_says(
    scripted: Scripted, typed: str, answer: str, state: StepState, current: str
) -> None:
    run = scripted.engine.open("book")
    run = scripted.engine.answer(run.id, "look", typed)
    assert (run.outcomes["look"].answer, run.outcomes["look"].state) == (answer, state)
    assert run.current == current


async def test_a_question_is_asked_again_until_its_answer_is_one(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    face = Agreeing(answers=("maybe", "yes"))
    run = await scripted.engine.do(run.id, "look", face)
    assert len(face.problems) == 1
    assert run.outcomes["look"].answer == "yes"


async def test_who_made_a_change_says_what_where_no_command_is_known(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    face = Agreeing(answers=("done",))
    run = await scripted.engine.do(run.id, "shorten", face)
    assert "shorten" not in run.outcomes, "nothing was said, so nothing is recorded"
    face = Agreeing(answers=("done",))
    face.done_by_hand = "patched the shop"
    run = await scripted.engine.do(run.id, "shorten", face)
    assert run.outcomes["shorten"].state is StepState.DONE
    assert not face.problems
    assert any("done by hand: patched the shop" in e.text for e in scripted.record.entries())


async def test_from_a_step_that_was_answered_before_it_goes_on(scripted: Scripted) -> None:
    """An answer may lead back to a change that was made."""
    run = scripted.engine.open("book")
    run = scripted.engine.answer(run.id, "look", "later")
    scripted.engine.answer(run.id, "first", "pass")
    run = scripted.engine.go_to(run.id, "look")
    assert scripted.engine.go_on(run.id).current == "look", "later leaves it open"
    scripted.engine.answer(run.id, "look", "done")
    run = scripted.engine.go_to(run.id, "look")
    run = scripted.engine.go_on(run.id)
    assert (run.current, run.end) == ("", "done")


async def test_a_probe_of_a_step_is_answered_by_its_result(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    face = Agreeing(values={"source_namespace": "shop"})
    run = await scripted.engine.do(run.id, "measure", face)
    assert face.asked == ["source_namespace"]
    assert run.outcomes["measure"].state is StepState.UNKNOWN
    assert run.outcomes["measure"].meaning == "Not measured."
    assert isinstance(run.results["measure"], ProbeResult)
    assert "step-result" not in entries(scripted, run.id)


async def test_a_check_that_is_stopped_says_so_and_stays_to_be_done(scripted: Scripted) -> None:
    scripted.hangs = asyncio.Event()
    run = scripted.engine.open("book")
    task = asyncio.create_task(scripted.engine.do(run.id, "second", Agreeing()))
    await scripted.hangs.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    run = scripted.engine.run(run.id)
    assert run.outcomes["second"].state is StepState.UNKNOWN
    assert "stopped" in run.outcomes["second"].seen
    assert run.current == "second"


@pytest.mark.parametrize(
    ("kind", "complete", "answer"),
    [
        ("network", True, "found"),
        ("network", False, "found"),
        ("none", True, "clear"),
        ("none", False, "unknown"),
    ],
)
def test_a_probe_without_a_failure_can_still_find_something(
    kind: str, complete: bool, answer: str
) -> None:
    """Answers after five seconds are no failures, and yet the conclusion accuses the network."""
    result = ProbeResult(
        "dns",
        {},
        NOW,
        NOW,
        cells=(cells.cell(("shop", "node-a"), ("kube-system", "node-b")),),
        conclusions=(Conclusion("10 of 50 answers came late", Component(kind, ""), 0.75),),
        complete=complete,
    )
    assert answer_of(result) == answer


@pytest.mark.parametrize(
    ("said", "answer"), [("five seconds", "five seconds"), ("elsewhere", "found"), ("", "found")]
)
def test_a_step_takes_the_answer_of_a_conclusion_where_it_declares_it(
    said: str, answer: str
) -> None:
    book = shipped.library().get("dns-latency-ndots")
    assert book is not None
    blamed = Conclusion("answers came late", Component("network", ""), 0.75, answer=said)
    measured = (cells.cell(("shop", "node-a"), ("kube-system", "node-b")),)
    result = ProbeResult("dns", {}, NOW, NOW, cells=measured, conclusions=(blamed,))
    assert step_answer(book.step("histogram"), result) == answer
    assert step_answer(None, result) == "found"

"""The engine that steps through runbooks, without a cluster: what is asked, what comes next, what
is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from actions.plan import ActionPlan, ActionResult, Blast, Outcome
from cluster.kube.objects import Ref
from incident.options import Options
from incident.record import Record
from incident.view import SymptomView
from incident.walkthrough.action_runner import GateJournal
from incident.walkthrough.answers import InvalidAnswer
from incident.walkthrough.live_values import StoreValues
from incident.walkthrough.probe_runner import answer_of, step_answer
from incident.walkthrough.run import NO_STEP, Asker, OpenParameter, StepState
from incident.walkthrough.runs import Runs
from incident.walkthrough.walkthrough import NothingToUndo, Walkthrough
from probes.result import Component, Conclusion, ProbePlan, ProbeResult
from runbooks.check import CheckOutcome, Result
from runbooks.loader import Library
from runbooks.model import Query, Step
from runbooks.parse import parse
from tests.incident.build import match, symptom, view
from tests.incident.face import Agreeing
from tests.incident.walkthrough.test_runs import NOW, OneBook, Values, plan
from tests.probes import cells
from timeline.entry import NewEntry
from timeline.summary import ClusterId

TEXT = """---
id: book
title: Book
---
## Stop the bleeding

```action
id: cordon
question: Cordon {node}?
action: cordon
args: {node: "{node}"}
params: {node: node-0}
blast: One node less.
undo: uncordon {node}
expected: SchedulingDisabled
kubectl: kubectl cordon {node} --request-timeout=10s
answers:
  done: Nothing new lands there. -> first
  failed: Refused. -> first
  unknown: Look first. -> first
```

## Find out

```check
id: first
question: First?
kind: Pod
name: first
each: "true"
expected: yes
answers:
  pass: Well. -> done
  fail: Bad. -> third
  unknown: Not known. -> second
```

```check
id: second
question: Second?
kind: Pod
name: second
each: "true"
expected: yes
answers:
  pass: Well. -> third
  fail: Bad. -> look
  unknown: Not known. -> third
```

```check
id: third
question: Third, in {namespace}?
kind: Pod
name: third
namespace: "{namespace}"
params: {namespace: kube-system}
each: "true"
expected: yes
answers:
  pass: Well. -> look
  fail: Bad. -> runbook:other
  unknown: Not known. -> look
```

## Verify

```ask
id: look
question: Is {node} quiet?
expected: yes
answers:
  yes: Good. -> done
  drained: Gone. -> done
  later: Come back. -> first
  cannot look: Call. -> escalate
  not possible: Call. -> escalate
  done: Good. -> done
```

```probe
id: measure
question: Which path?
probe: connectivity
args: {from: "{source_namespace}"}
expected: all
kubectl: kubectl get pods --request-timeout=10s
answers:
  found: One. -> cordon
  clear: None. -> done
  unknown: Not measured. -> look
```

```ask
id: shorten
question: Can the names be shorter?
blast: One restart.
undo: kubectl rollout undo {workload}
expected: Fast look-ups.
kubectl: kubectl rollout restart {workload} --request-timeout=10s
answers:
  done: Good. -> done
```
"""


class Scripted:
    """Checks by the name of the pod that they ask for; probes and actions that leave a record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.results: dict[str, Result] = {}
        self.queries: list[Query] = []
        self.blast = ["one node less"]
        """Blast of each plan in turn; the last one stays."""
        self.hangs: asyncio.Event | None = None
        """Set when a check began that does not end."""
        book, problems = parse(TEXT, Path("book.md"))
        assert book is not None, problems
        self.book = OneBook()
        self.book.runbooks = (book,)
        self.symptoms: tuple[SymptomView, ...] = view(symptom("nodes"), matches=(match("book"),))
        self.runs = Runs(record, self.book, Values(), lambda: self.symptoms)
        self.engine = Walkthrough(
            self.runs, lambda: self.checks, lambda: self, lambda: self.actions, under_way
        )
        self.checks = Checks(self)
        self.actions = Actions(self)

    async def plan(
        self, name: str, arguments: Mapping[str, str], asker: Asker = NO_STEP
    ) -> ProbePlan:
        return ProbePlan(name, arguments, "Which path?", **asker._asdict())

    async def run(
        self, given: ProbePlan, progress: Callable[[str], None] | None = None
    ) -> ProbeResult:
        result = ProbeResult(given.probe, given.arguments, NOW, NOW)
        self.runs.write(
            NewEntry(
                kind="probe-result",
                text="measured",
                run_id=given.run_id,
                step_id=given.step_id,
                data={
                    "intent_id": "probe",
                    **self.runs.answered(
                        given.run_id, given.step_id, answer_of(result), StepState.UNKNOWN
                    ),
                },
            )
        )
        return result


class Checks:
    def __init__(self, scripted: Scripted) -> None:
        self._scripted = scripted

    async def run(self, query: Query, params: Mapping[str, str]) -> CheckOutcome:
        self._scripted.queries.append(query)
        if self._scripted.hangs is not None:
            self._scripted.hangs.set()
            await asyncio.Event().wait()
        return CheckOutcome(self._scripted.results.get(query.name, Result.PASS), "seen")


class Actions:
    def __init__(self, scripted: Scripted) -> None:
        self._scripted = scripted
        self.sent: list[ActionPlan] = []

    def refuses(self, action: str, argument: str, text: str) -> str:
        return "it is a name" if " " in text else ""

    async def plan(
        self,
        name: str,
        arguments: Mapping[str, str],
        asker: Asker = NO_STEP,
        *,
        undoes: bool = False,
    ) -> ActionPlan:
        blast = self._scripted.blast
        text = blast.pop(0) if len(blast) > 1 else blast[0]
        made = plan(*asker, action=name, undoes=undoes, blast=Blast((text,)))
        made = dataclasses.replace(made, undo_action="undo")
        return dataclasses.replace(made, arguments=dict(arguments))

    async def run(
        self,
        given: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = print,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        journal = GateJournal(self._scripted.record, self._scripted.runs)
        asker = Asker(given.run_id, given.step_id)
        again = await self.plan(given.action, given.arguments, asker, undoes=given.undoes)
        if again.blast != given.blast:
            result = ActionResult(given, Outcome.REFUSED, "the state has changed", NOW, again=again)
            journal.conclude(result)
            return result
        self.sent.append(given)
        result = ActionResult(given, Outcome.DONE, "done", NOW)
        await journal.intend(given)
        journal.conclude(result)
        return result

    def decline(self, given: ActionPlan, reason: str) -> ActionResult:
        result = ActionResult(given, Outcome.DECLINED, reason, NOW)
        GateJournal(self._scripted.record, self._scripted.runs).conclude(result)
        return result


@contextlib.asynccontextmanager
async def under_way(key: str, title: str) -> AsyncIterator[Callable[[str], None]]:
    yield lambda _: None


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    record = Record(lambda: NOW)
    record.open(Options(state=tmp_path, config=tmp_path), ClusterId("context", "server"))
    yield Scripted(record)
    record.close()


def entries(scripted: Scripted, run_id: str) -> list[str]:
    return [entry.kind for entry in scripted.record.by_record() if entry.run_id == run_id]


# ---- batches of checks


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


# ---- answers


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


# ---- probes


async def test_a_probe_of_a_step_is_answered_by_its_result(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    face = Agreeing(values={"source_namespace": "shop"})
    run = await scripted.engine.do(run.id, "measure", face)
    assert face.asked == ["source_namespace"]
    assert run.outcomes["measure"].state is StepState.UNKNOWN
    assert run.outcomes["measure"].meaning == "Not measured."
    assert isinstance(run.results["measure"], ProbeResult)
    assert "step-result" not in entries(scripted, run.id)


# ---- changes


async def test_what_follows_a_change_is_about_the_changed_object(scripted: Scripted) -> None:
    """The change heals what named its object; what is left names others."""
    run = scripted.engine.open("book", "nodes")
    run = await scripted.engine.do(run.id, "cordon", Agreeing())
    changed = run.values("cordon")["node"]
    left = symptom("nodes", count=3)
    left = msgspec.structs.replace(left, objects=left.objects[1:], findings=left.findings[1:])
    scripted.symptoms = view(left, matches=(match("book"),))
    assert scripted.engine.run(run.id).values("look")["node"] == changed
    scripted.engine.set_parameter(run.id, "node", "node-9")
    assert scripted.engine.run(run.id).values("look")["node"] == "node-9"


async def test_a_change_is_confirmed_on_the_state_of_that_moment(scripted: Scripted) -> None:
    scripted.blast = ["one node less", "the last node"]
    run = scripted.engine.open("book", "nodes")
    face = Agreeing()
    run = await scripted.engine.do(run.id, "cordon", face)
    shown = [(given.blast.lines, changed) for given, changed in face.plans]
    assert shown == [(("one node less",), False), (("the last node",), True)]
    assert [given.blast.lines for given in scripted.actions.sent] == [("the last node",)]
    assert run.outcomes["cordon"].state is StepState.DONE


async def test_a_name_that_does_not_exist_is_not_taken(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "There is no Node done; there are node-a."
    monkeypatch.setattr(
        Values, "missing", lambda self, name, value, namespace: told if value == "done" else ""
    )
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    with pytest.raises(InvalidAnswer, match="no Node done"):
        scripted.engine.set_parameter(run.id, "node", "done")
    face = Agreeing(values={"node": "done"})
    run = await scripted.engine.do(run.id, "cordon", face)
    assert (face.asked, face.ran, scripted.actions.sent) == (["node", "node"], [], [])
    assert "node" not in run.values("cordon")


async def test_a_value_that_the_action_cannot_take_is_asked_for_again(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")

    class Correcting(Agreeing):
        async def value(self, step: Step, parameter: OpenParameter) -> str:
            self.asked.append(parameter.origin)
            return ("node 1", "node-1")[len(self.asked) - 1]

    face = Correcting()
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked[1:] == ["it is a name"]
    assert run.values("cordon")["node"] == "node-1"
    assert run.outcomes["cordon"].state is StepState.DONE


@pytest.mark.parametrize(
    ("name", "value", "namespace", "said"),
    [
        ("node", "node-a", "", ""),
        ("node", "done", "shop", "There is no Node done; there are node-a, node-b."),
        ("target_namespace", "shop/web", "", ""),
        ("target_namespace", "nosuch", "", "There is no Namespace nosuch; there are shop."),
        ("pod", "web", "shop", ""),
        ("pod", "yes", "shop", "There is no Pod yes; there are web."),
        ("workload", "deployment/web", "shop", ""),
        ("secret", "gone", "shop", ""),
        ("seconds", "done", "", ""),
    ],
)
def test_what_the_live_state_says_of_a_name(
    name: str, value: str, namespace: str, said: str
) -> None:
    rows = (cells.node("node-a"), cells.node("node-b"), cells.namespace("shop"))
    store = cells.store(*rows, cells.pod("web", "shop", "node-a"))
    assert StoreValues(lambda: store).missing(name, value, namespace) == said
    assert StoreValues(lambda: None).missing(name, value, namespace) == ""


async def test_a_change_is_undone_with_what_it_was_made_with(scripted: Scripted) -> None:
    engine, face = scripted.engine, Agreeing()
    run = engine.open("book", "nodes")
    await engine.do(run.id, "cordon", face)
    engine.set_parameter(run.id, "node", "another-node")
    run = await engine.undo(run.id, "cordon", face)
    intent = next(
        entry.data["intent_id"]
        for entry in scripted.record.by_record()
        if entry.kind == "action-intent"
    )
    undone = scripted.actions.sent[-1]
    assert (undone.action, undone.arguments, undone.undoes) == ("undo", {"change": intent}, True)
    assert run.outcomes["cordon"].state is StepState.NOW, "open again, and to do now"
    with pytest.raises(NothingToUndo):
        await engine.undo(run.id, "cordon", face)


async def test_a_step_without_a_change_has_nothing_to_undo(scripted: Scripted) -> None:
    run = scripted.engine.open("book")
    for step in ("cordon", "first", "look"):
        with pytest.raises(NothingToUndo):
            await scripted.engine.undo(run.id, step, Agreeing())
    assert scripted.actions.sent == []


# ---- parameters


async def test_a_default_is_used_to_read_and_never_to_change(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    face = Agreeing()
    await scripted.engine.do(run.id, "third", face)
    assert scripted.queries[-1].namespace == "kube-system"
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked == ["node"]
    assert scripted.actions.sent == []
    assert "not used to change" in run.parameters["cordon"][0].origin


async def test_a_symptom_that_did_not_select_the_runbook_fills_no_change(
    scripted: Scripted,
) -> None:
    scripted.symptoms = view(symptom("nodes"), matches=(match("another"),))
    run = scripted.engine.open("book", "nodes")
    node = next(one for one in run.parameters["cordon"] if one.name == "node")
    assert (node.value, node.choices) == ("", ("nodes-0",)), "offered, not filled in"


async def test_a_runbook_opened_from_another_symptom_takes_what_the_one_that_it_fits_names(
    scripted: Scripted,
) -> None:
    fits = SymptomView(symptom("nodes"), (match("book"),))
    scripted.symptoms = (SymptomView(symptom("innocent"), ()), fits)
    run = scripted.engine.open("book", "innocent")
    node = next(one for one in run.parameters["cordon"] if one.name == "node")
    assert (node.value, node.choices) == ("", ("nodes-0",)), "a change is asked for"
    assert "of another one, which did" in node.origin
    look = next(one for one in run.parameters["look"] if one.name == "node")
    assert look.value == "nodes-0", "a step that only reads has it"


async def test_a_check_without_a_value_that_its_question_names_says_so(
    scripted: Scripted,
) -> None:
    run = scripted.engine.open("book")
    scripted.engine.set_parameter(run.id, "namespace", "")
    run = await scripted.engine.do(run.id, "third", Agreeing())
    assert run.outcomes["third"].seen == "seen (the namespace was not given: all were read)"


async def test_where_two_fit_it_asks(scripted: Scripted) -> None:
    both = tuple(f"node-not-ready:Node//nodes-{number}" for number in range(2))
    found = match("book", rests_on=both)
    scripted.symptoms = view(symptom("nodes", count=2), matches=(found,))
    run = scripted.engine.open("book", "nodes")
    assert run.parameters["cordon"][0].choices == ("nodes-0", "nodes-1")
    face = Agreeing(values={"node": "nodes-1"})
    run = await scripted.engine.do(run.id, "cordon", face)
    assert face.asked == ["node"]
    assert scripted.actions.sent[0].arguments == {"node": "nodes-1"}
    assert run.outcomes["cordon"].state is StepState.DONE


async def test_no_text_shows_a_place_in_braces(scripted: Scripted) -> None:
    scripted.symptoms = ()
    run = scripted.engine.open("book")
    scripted.engine.answer(run.id, "look", "yes")
    texts = [entry.text for entry in scripted.record.by_record() if entry.run_id == run.id]
    assert "Is the node quiet?" in texts
    assert not [text for text in texts if "{" in text]


# ---- stopping


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


# ---- changes done by hand, and other words


async def test_a_change_done_by_hand_counts_as_an_action(scripted: Scripted) -> None:
    engine = scripted.engine
    run = engine.open("book", "nodes")
    run = engine.answer(run.id, "cordon", "done", "kubectl cordon node-7, in the other terminal")
    intent, result = (e for e in scripted.record.by_record() if e.kind.startswith("action-"))
    assert (intent.kind, result.kind) == ("action-intent", "action-result")
    assert intent.intent_id == result.intent_id
    assert result.data["by_hand"] is True
    assert result.time_source == "human"
    assert "done by hand: kubectl cordon node-7" in result.text
    assert run.outcomes["cordon"].state is StepState.DONE
    assert run.current == "first"
    with pytest.raises(NothingToUndo, match="by hand"):
        await engine.undo(run.id, "cordon", Agreeing())


async def test_a_change_done_by_hand_without_words_is_the_command_of_the_step(
    scripted: Scripted,
) -> None:
    run = scripted.engine.open("book", "nodes")
    scripted.engine.answer(run.id, "cordon", "done")
    result = next(e for e in scripted.record.by_record() if e.kind == "action-result")
    assert "kubectl cordon" in result.text


@pytest.mark.parametrize(
    ("word", "state", "current"),
    [
        ("failed", StepState.FAILED, "first"),
        ("unknown", StepState.UNKNOWN, "first"),
    ],
)
async def test_other_answers_to_a_change_are_no_action(
    scripted: Scripted, word: str, state: StepState, current: str
) -> None:
    run = scripted.engine.open("book", "nodes")
    run = scripted.engine.answer(run.id, "cordon", word)
    assert not [e for e in scripted.record.by_record() if e.kind.startswith("action-")]
    assert (run.outcomes["cordon"].state, run.current) == (state, current)


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
    book = Library().get("dns-latency-ndots")
    assert book is not None
    blamed = Conclusion("answers came late", Component("network", ""), 0.75, answer=said)
    measured = (cells.cell(("shop", "node-a"), ("kube-system", "node-b")),)
    result = ProbeResult("dns", {}, NOW, NOW, cells=measured, conclusions=(blamed,))
    assert step_answer(book.step("histogram"), result) == answer
    assert step_answer(None, result) == "found"


ROLLOUT = """---
id: book
title: Book
---
## Stop the bleeding

```action
id: freeze
question: Pause {deployment} in {namespace}?
action: rollout-pause
args: {workload: "{namespace}/deployment/{deployment}"}
blast: No rollout.
undo: Resume it.
expected: Paused.
kubectl: kubectl get pods --request-timeout=10s
params: {namespace: "", deployment: ""}
answers: {done: Good. -> done}
```
"""


async def test_a_chosen_object_gives_its_namespace(scripted: Scripted) -> None:
    refs = (Ref("Deployment", "shop", "cart"), Ref("Deployment", "identity", "tokens"))
    both = msgspec.structs.replace(symptom("secrets"), objects=refs, findings=())
    scripted.symptoms = view(both, matches=(match("book"),))
    book, problems = parse(ROLLOUT, Path("book.md"))
    assert book is not None, problems
    scripted.book.runbooks = (book,)
    run = scripted.engine.open("book", "secrets")
    deployment = next(one for one in run.parameters["freeze"] if one.name == "deployment")
    assert deployment.reasons == ("in namespace shop", "in namespace identity")
    face = Agreeing(values={"deployment": "tokens"})
    await scripted.engine.do(run.id, "freeze", face)
    assert face.asked == ["deployment"]
    assert scripted.actions.sent[0].arguments == {"workload": "identity/deployment/tokens"}

"""Runs of runbooks without a cluster: what is recorded for which step, and what the record gives
back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.plan import ActionPlan, ActionResult, Change, Outcome
from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut
from incident.record import Record
from incident.walkthrough.action_runner import GateJournal
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from runbooks.model import Runbook
from runbooks.parse import parse
from timeline.journal.journal import Journal

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
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
blast: One node less.
undo: uncordon {node}
expected: SchedulingDisabled
kubectl: kubectl cordon {node} --request-timeout=10s
answers:
  done: Nothing new lands there. -> second
  failed: Refused. -> look
  unknown: Look first. -> look
```

```action
id: second
question: Cordon {node} as well?
action: cordon
args: {node: "{node}"}
blast: One node less.
undo: uncordon {node}
expected: SchedulingDisabled
kubectl: kubectl cordon {node} --request-timeout=10s
answers:
  done: Well. -> look
  failed: Refused. -> look
  unknown: Look first. -> look
```

```ask
id: look
question: Is it quiet?
expected: yes
answers:
  yes: Good. -> done
  no: Bad. -> runbook:other
  later: Come back. -> cordon
  cannot look: Somebody else must. -> escalate
```
"""


class OneBook:
    def __init__(self) -> None:
        book, problems = parse(TEXT, Path("book.md"))
        assert book is not None, problems
        self.runbooks = (book,)

    def get(self, runbook_id: str) -> Runbook | None:
        return self.runbooks[0] if runbook_id == "book" else None


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return Record(
        Journal.create(tmp_path, "a test", clean=clean_uncut, clock=lambda: NOW), clock=lambda: NOW
    )


def runs_of(record: Record) -> Runs:
    return Runs(record, OneBook(), lambda _: {}, lambda: ())


def plan(run_id: str = "", step_id: str = "", **changes: Any) -> ActionPlan:
    """As the runner makes it: the action of a step, for that step."""
    change = Change("PATCH", "/api/v1/nodes/n1", {}, "", "kubectl cordon n1", "false -> true")
    made = ActionPlan(
        "cordon",
        {"node": "n1"},
        Ref("Node", "", "n1"),
        change,
        "context",
        "server",
        "n1",
        "",
        NOW,
        NOW + timedelta(minutes=5),
        undo_action="uncordon",
    )
    return dataclasses.replace(made, run_id=run_id, step_id=step_id, **changes)


def through(record: Record, runs: Runs, given: ActionPlan, outcome: Outcome = Outcome.DONE) -> None:
    """What the gate does with its journal."""
    journal = GateJournal(record, runs)
    if outcome not in (Outcome.DECLINED,):
        journal.intend(given)
    journal.conclude(ActionResult(given, outcome, outcome.value, NOW))


def kinds(record: Record) -> list[str]:
    return [entry.kind for entry in record.by_record()]


def test_a_result_is_booked_on_the_step_that_asked_and_on_no_other(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book", None)
    for _ in range(200):  # a freed plan's memory is used again by the next one
        plan(run.id, "cordon")
        through(record, runs, plan())
    assert run.outcomes == {}
    asked = [entry for entry in record.by_record() if entry.step_id]
    assert asked == []
    through(record, runs, plan(run.id, "second"))
    assert {step: outcome.state for step, outcome in run.outcomes.items()} == {
        "second": StepState.DONE
    }


def test_a_change_of_a_step_is_one_intent_and_one_result(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book", None)
    through(record, runs, plan(run.id, "cordon"))
    assert kinds(record)[-2:] == ["action-intent", "action-result"]
    assert "step-result" not in kinds(record)
    assert run.current == "second"


@pytest.mark.parametrize("restarted", [False, True])
def test_an_undo_is_booked_on_its_step_which_is_open_again(record: Record, restarted: bool) -> None:
    runs = runs_of(record)
    run = runs.open("book", None)
    through(record, runs, plan(run.id, "cordon"))
    through(record, runs, plan(run.id, "second"))
    assert run.view().outcomes["cordon"].undo == "uncordon"
    through(record, runs, plan(run.id, "cordon", action="uncordon", undoes=True))
    if restarted:
        run = runs_of(record).open("book", None)
    assert run.outcomes["cordon"].state is StepState.TODO
    assert run.outcomes["cordon"].undo == ""
    assert run.outcomes["second"].state is StepState.DONE
    assert run.current == "cordon"
    assert run.view().outcomes["cordon"].state is StepState.NOW
    assert list(run.changes) == ["second"]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DECLINED])
def test_an_undo_that_was_not_made_leaves_the_step_as_it_was(
    record: Record, outcome: Outcome
) -> None:
    runs = runs_of(record)
    run = runs.open("book", None)
    through(record, runs, plan(run.id, "cordon"))
    through(record, runs, plan(run.id, "cordon", action="uncordon", undoes=True), outcome)
    assert run.outcomes["cordon"].state is StepState.DONE
    assert run.outcomes["cordon"].undo == "uncordon"


def test_a_declined_change_leaves_its_step_open(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book", None)
    through(record, runs, plan(run.id, "cordon"), Outcome.DECLINED)
    assert run.outcomes["cordon"].state is StepState.TODO
    assert run.current == "cordon"


def test_a_runbook_that_is_opened_from_another_symptom_keeps_its_answers(
    record: Record, symptoms: Callable[[str], Any]
) -> None:
    runs = runs_of(record)
    first = runs.open("book", symptoms("first"))
    through(record, runs, plan(first.id, "cordon"))
    again = runs.open("book", symptoms("second"))
    assert again.id == first.id
    assert again.outcomes["cordon"].state is StepState.DONE
    assert again.symptom_id == "second"
    assert runs_of(record).open("book", None).symptom_id == "second"


def test_every_run_is_there_after_a_restart(record: Record) -> None:
    run = runs_of(record).open("book", None)
    later = runs_of(record)
    assert [each.id for each in later.all()] == [run.id]
    assert later.run(run.id).current == "cordon"


def test_entries_of_another_program_are_taken(record: Record) -> None:
    mine, other = runs_of(record), runs_of(record)
    run = mine.open("book", None)
    through(record, other, plan(other.open("book", None).id, "cordon"))
    assert mine.open("book", None).outcomes["cordon"].state is StepState.DONE
    assert mine.run(run.id).outcomes["cordon"].state is StepState.DONE


@pytest.fixture
def symptoms() -> Callable[[str], Any]:
    from tests.incident.build import symptom

    return symptom

"""Runs of runbooks without a cluster: what is recorded for which step, and what the record gives
back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actions.plan import ActionPlan, ActionResult, Change, Outcome
from cluster.kube.objects import Deployment, Ref
from incident.options import Options
from incident.record import Record
from incident.view import SymptomView
from incident.walkthrough.action_runner import GateJournal
from incident.walkthrough.live_values import Workload
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from runbooks.match import Match, Reason
from runbooks.model import Runbook
from runbooks.parse import parse
from tests.incident.build import match, symptom, view
from timeline.entry import NewEntry
from timeline.summary import ClusterId
from triage.facts.finding import Finding, Severity, SinceSource, Symptom

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
  cannot look: Ask the other team. -> escalate
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
def record(tmp_path: Path) -> Iterator[Record]:
    made = Record(lambda: NOW)
    made.open(Options(state=tmp_path, config=tmp_path), ClusterId("context", "server"))
    yield made
    made.close()


class Values:
    """What the live state says of parameters."""

    def suggest(self, symptom: Symptom | None) -> Mapping[str, str]:
        return {}

    def workload(self, namespace: str, workload: str) -> Workload | None:
        return None

    def cordoned(self) -> Sequence[str]:
        return ()

    def named(self, name: str) -> Sequence[tuple[str, str]]:
        return [("ops", f"deployment/{name}")]

    def missing(self, name: str, value: str, namespace: str) -> str:
        return ""


def runs_of(record: Record, *symptoms: SymptomView) -> Runs:
    return Runs(record, OneBook(), Values(), lambda: symptoms)


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


async def through(
    record: Record, runs: Runs, given: ActionPlan, outcome: Outcome = Outcome.DONE
) -> None:
    """What the gate does with its journal."""
    journal = GateJournal(record, runs)
    if outcome is not Outcome.DECLINED:
        await journal.intend(given)
    journal.conclude(ActionResult(given, outcome, outcome.value, NOW))


def kinds(record: Record) -> list[str]:
    return [entry.kind for entry in record.by_record()]


async def test_a_result_is_booked_on_the_step_that_asked_and_on_no_other(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book")
    for _ in range(200):  # a freed plan's memory is used again by the next one
        plan(run.id, "cordon")
        await through(record, runs, plan())
    assert run.outcomes == {}
    asked = [entry for entry in record.by_record() if entry.step_id]
    assert asked == []
    await through(record, runs, plan(run.id, "second"))
    assert {step: outcome.state for step, outcome in run.outcomes.items()} == {
        "second": StepState.DONE
    }


async def test_a_change_of_a_step_is_one_intent_and_one_result(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book")
    await through(record, runs, plan(run.id, "cordon"))
    assert kinds(record)[-2:] == ["action-intent", "action-result"]
    assert "step-result" not in kinds(record)
    assert run.current == "second"


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_undo_is_booked_on_its_step_which_is_open_again(
    record: Record, restarted: bool
) -> None:
    runs = runs_of(record)
    run = runs.open("book")
    await through(record, runs, plan(run.id, "cordon"))
    await through(record, runs, plan(run.id, "second"))
    assert run.view().outcomes["cordon"].undo == "uncordon"
    await through(record, runs, plan(run.id, "cordon", action="uncordon", undoes=True))
    if restarted:
        run = runs_of(record).open("book")
    assert run.outcomes["cordon"].state is StepState.TODO
    assert run.outcomes["cordon"].undo == ""
    assert run.outcomes["second"].state is StepState.DONE
    assert run.current == "cordon"
    assert run.view().outcomes["cordon"].state is StepState.NOW
    assert list(run.changes) == ["second"]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.DECLINED])
async def test_an_undo_that_was_not_made_leaves_the_step_as_it_was(
    record: Record, outcome: Outcome
) -> None:
    runs = runs_of(record)
    run = runs.open("book")
    await through(record, runs, plan(run.id, "cordon"))
    await through(record, runs, plan(run.id, "cordon", action="uncordon", undoes=True), outcome)
    assert run.outcomes["cordon"].state is StepState.DONE
    assert run.outcomes["cordon"].undo == "uncordon"


async def test_a_declined_change_leaves_its_step_open(record: Record) -> None:
    runs = runs_of(record)
    run = runs.open("book")
    await through(record, runs, plan(run.id, "cordon"), Outcome.DECLINED)
    assert run.outcomes["cordon"].state is StepState.TODO
    assert run.current == "cordon"


async def test_a_runbook_that_is_opened_from_another_symptom_keeps_its_answers(
    record: Record,
) -> None:
    symptoms = view(symptom("first"), symptom("second"), matches=(match("book"),))
    runs = runs_of(record, *symptoms)
    first = runs.open("book", "first")
    await through(record, runs, plan(first.id, "cordon"))
    again = runs.open("book", "second")
    assert again.id == first.id
    assert again.outcomes["cordon"].state is StepState.DONE
    assert again.symptom_id == "second"
    resumed = runs_of(record, *symptoms).open("book")
    assert resumed.symptom_id == "second"
    node = resumed.view().parameters["second"][0]
    assert (node.value, node.choices) == ("", ("first-0", "second-0")), "two fit: it asks"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_runbook_opened_by_words_begins_with_the_symptom_that_it_fits_best(
    record: Record, order: Sequence[int]
) -> None:
    """Its parameters come from that symptom; from the list of runbooks nothing was known."""
    symptoms = (
        *view(symptom("other"), matches=(match("else"),)),
        *view(symptom("weaker"), matches=(msgspec.structs.replace(match("book"), score=0.4),)),
        *view(symptom("best"), matches=(match("book"),)),
    )
    run = runs_of(record, *(symptoms[at] for at in order)).open("book")
    assert run.symptom_id == "best"
    assert run.view().parameters["cordon"][0].value == "best-0"


def test_a_runbook_that_fits_no_symptom_begins_without_one(record: Record) -> None:
    run = runs_of(record, *view(symptom("other"), matches=(match("else"),))).open("book")
    assert (run.symptom_id, run.view().parameters["cordon"][0].value) == ("", "")


def test_a_check_quotes_also_the_other_symptoms_that_the_runbook_fits(record: Record) -> None:
    """A node that is down is one symptom, the volumes that it holds are another."""
    unsure = match("book", confident=False)
    symptoms = (
        *view(symptom("node")),
        *view(symptom("volumes"), matches=(match("other"), match("book"))),
        *view(symptom("unsure"), matches=(unsure,)),
        *view(symptom("innocent"), matches=(match("other"),)),
    )
    runs = runs_of(record, *symptoms)
    findings, _ = runs.found(runs.open("book", "node"))
    assert {each.object.name for each in findings} == {"node-0", "volumes-0"}


async def test_every_run_is_there_after_a_restart(record: Record) -> None:
    run = runs_of(record).open("book")
    later = runs_of(record)
    assert [each.id for each in later.all()] == [run.id]
    assert later.run(run.id).current == "cordon"


async def test_entries_of_another_program_are_taken(record: Record) -> None:
    mine, other = runs_of(record), runs_of(record)
    run = mine.open("book")
    await through(record, other, plan(other.open("book").id, "cordon"))
    assert mine.open("book").outcomes["cordon"].state is StepState.DONE
    assert mine.run(run.id).outcomes["cordon"].state is StepState.DONE


async def test_a_step_keeps_the_values_that_it_was_done_with(record: Record) -> None:
    runs = runs_of(record, *view(symptom("first"), matches=(match("book"),)))
    run = runs.open("book", "first")
    await through(record, runs, plan(run.id, "cordon"))
    assert run.view().values("cordon") == {"node": "first-0"}
    resumed = runs_of(record).open("book")
    assert resumed.view().values("cordon") == {"node": "first-0"}, "also without the symptom"
    assert resumed.view().values("second") == {"node": "first-0"}, "and what follows it"


async def test_an_edited_runbook_is_shown_as_changed(record: Record) -> None:
    runs = runs_of(record)
    assert runs.open("book").view().changed_text == ""
    edited, _ = parse(TEXT.replace("Is it quiet?", "Is it calm?"), Path("book.md"))
    assert edited is not None
    runs._library.runbooks = (edited,)  # type: ignore[misc]  # as a reload does
    assert "+question: Is it calm?" in runs.open("book").view().changed_text


# ---- what the live state says of a workload

FIGURES = """---
id: book
title: Book
---
## Stop the bleeding

```action
id: raise
question: Raise the limit of {workload} in {namespace}?
action: set-resource
args: {workload: "{namespace}/{workload}", container: "{container}", resource: memory, kind: limit, amount: "{amount}"}
blast: A rollout.
undo: Undo it.
expected: Done.
kubectl: kubectl get pods --request-timeout=10s
answers: {done: Good. -> scale}
```

```action
id: scale
question: Scale {workload} out?
action: scale
args: {workload: "{namespace}/{workload}", replicas: "{replicas}"}
blast: More pods.
undo: kubectl -n {namespace} scale {workload} --replicas={former_replicas}
expected: Done.
kubectl: kubectl get pods --request-timeout=10s
answers: {done: Good. -> done}
```
"""


def with_containers(*names: str) -> Deployment:
    containers = [{"name": name, "resources": {"limits": {"memory": "256Mi"}}} for name in names]
    template = {"spec": {"containers": containers}}
    document = {"metadata": {"name": "web"}, "spec": {"replicas": 3, "template": template}}
    return msgspec.convert(document, Deployment)


@pytest.mark.parametrize(
    ("containers", "container", "told"),
    [
        (("web",), "web", "the memory limit is 256Mi now"),
        (("web", "side"), "", "not known; quantity such as 500m or 512Mi"),
    ],
)
def test_what_a_workload_has_is_filled_in_or_shown_where_it_is_asked(
    record: Record, containers: tuple[str, ...], container: str, told: str
) -> None:
    class Live(Values):
        def workload(self, namespace: str, workload: str) -> Workload | None:
            known = (namespace, workload) == ("shop", "deployment/web")
            return with_containers(*containers) if known else None

    book = OneBook()
    page, problems = parse(FIGURES, Path("book.md"))
    assert page is not None, problems
    book.runbooks = (page,)
    runs = Runs(record, book, Live(), lambda: ())
    run = runs.open("book")
    for name, value in (("namespace", "shop"), ("workload", "deployment/web")):
        data = {"event": "parameter", "name": name, "value": value}
        runs.write(NewEntry(kind="note", text=name, run_id=run.id, data=data))
    found = {each.name: each for each in runs.run(run.id).view().parameters["raise"]}
    assert found["container"].value == container
    assert found["container"].choices == (() if container else containers)
    assert (found["amount"].value, told in found["amount"].origin) == ("", True)
    found = {each.name: each for each in run.view().parameters["scale"]}
    assert found["former_replicas"].value == "3"
    assert "it had 3" in found["replicas"].origin


CORDONED = (
    FIGURES.split("```action")[0]
    + """
```action
id: back
question: Uncordon {cordoned_node}?
action: uncordon
args: {node: "{cordoned_node}"}
blast: New pods can be scheduled there.
undo: cordon {cordoned_node}
expected: It is schedulable.
kubectl: kubectl uncordon {cordoned_node} --request-timeout=10s
answers: {done: Good. -> done}
```
"""
)


def test_the_nodes_that_are_cordoned_are_offered_and_none_is_taken(record: Record) -> None:
    class Live(Values):
        def cordoned(self) -> Sequence[str]:
            return ("node-1",)

    book = OneBook()
    page, problems = parse(CORDONED, Path("book.md"))
    assert page is not None, problems
    book.runbooks = (page,)
    (found,) = Runs(record, book, Live(), lambda: ()).open("book").view().parameters["back"]
    assert (found.value, found.choices, found.origin) == ("", ("node-1",), "cordoned now")


WRITES = (
    FIGURES.split("```action")[0]
    + """
```action
id: stop
question: Stop what writes ({manager}), {writer}?
action: scale
args: {workload: "{writer_namespace}/{writer}", replicas: "0"}
blast: It stops.
undo: kubectl -n {writer_namespace} scale {writer} --replicas={former_replicas}
expected: Done.
kubectl: kubectl get pods --request-timeout=10s
answers: {done: Good. -> done}
```
"""
)


LOG = """
```check
id: log
question: Does its log show errors?
logs: {namespace: "{writer_namespace}", name: "{writer}", each: "true"}
expected: None.
kubectl: kubectl -n {writer_namespace} logs {writer} --request-timeout=10s
answers: {pass: Well. -> done, fail: Ill. -> done, unknown: Unknown. -> done}
```
"""


def test_what_writes_is_never_one_of_the_workloads_that_fail(record: Record) -> None:
    """The workload is called as the field manager is; the failing ones are innocent."""
    book = OneBook()
    page, problems = parse(WRITES + LOG, Path("book.md"))
    assert page is not None, problems
    book.runbooks = (page,)
    failing = tuple(Ref("Deployment", "shop", name) for name in ("cart", "mailer"))
    found = Finding(
        "f",
        "secret-keys-lost",
        failing[0],
        "emptied",
        Severity.CRITICAL,
        "x",
        NOW,
        SinceSource.STATUS,
        facts={"manager": "syncer", "workload": "cart"},
    )
    emptied = Symptom("s", "emptied", Severity.CRITICAL, NOW, failing, (found,))
    reason = Reason("emptied", findings=("f",))
    shown = (SymptomView(emptied, (Match("book", "Book", 0.9, True, (reason,)),)),)
    runs = Runs(record, book, Values(), lambda: shown)
    run = runs.open("book", "s")
    values = {each.name: each.value for each in run.view().parameters["stop"]}
    assert values["writer"] == "deployment/syncer"
    assert values["writer_namespace"] == "ops"
    read = {each.name: each.value for each in run.view().parameters["log"]}
    assert read == {"writer": "deployment/syncer", "writer_namespace": "ops"}

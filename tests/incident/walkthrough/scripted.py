"""A walkthrough of one page whose checks, probes and actions answer as they are told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from actions.plan import ActionPlan, ActionResult, Blast, Outcome
from incident.record import Record
from incident.view import SymptomView
from incident.walkthrough.action_runner import GateJournal
from incident.walkthrough.probe_runner import answer_of
from incident.walkthrough.run import NO_STEP, Asker, StepState
from incident.walkthrough.runs import Runs
from incident.walkthrough.walkthrough import Walkthrough
from probes.result import ProbePlan, ProbeResult
from runbooks.check import CheckOutcome, Result
from runbooks.model import Query
from runbooks.parse import parse
from tests.incident.build import match, symptom, view
from tests.incident.walkthrough.test_runs import NOW, OneBook, Values, plan
from timeline.entry import NewEntry

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


def entries(scripted: Scripted, run_id: str) -> list[str]:
    return [entry.kind for entry in scripted.record.by_record() if entry.run_id == run_id]

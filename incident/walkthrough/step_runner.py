"""Doing the steps of a runbook: each with an intent before and a result after, in the record."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from incident.record import Record
from incident.walkthrough.check_inputs import Checks
from incident.walkthrough.run import RunView, StepState
from incident.walkthrough.run_history import Walk, begin, restore
from runbooks import steps
from runbooks.check import CheckOutcome, Result
from runbooks.loader import Library
from runbooks.model import Step, StepKind
from timeline.entry import Capture, Draft
from triage.facts.finding import Symptom

POLL = 3.0
"""Seconds between two looks of a `wait` step."""
_STATE = {
    Result.PASS: StepState.PASSED,
    Result.FAIL: StepState.FAILED,
    Result.UNKNOWN: StepState.UNKNOWN,
}
_WAITED = {Result.PASS: "reached", Result.FAIL: "deadline", Result.UNKNOWN: "unknown"}
Progress = Callable[[str], None]
Suggest = Callable[[Symptom | None], dict[str, str]]


class Walking:
    """All walks of one investigation. `checks` is asked for each time, because the connection may
    come later than the walk."""

    def __init__(
        self,
        record: Record,
        library: Library,
        checks: Callable[[], Checks],
        suggest: Suggest,
        clock: Callable[[], datetime],
    ) -> None:
        self._record = record
        self._library = library
        self._checks = checks
        self._suggest = suggest
        self._clock = clock
        self._walks: dict[str, Walk] = {}
        self._symptoms: dict[str, Symptom] = {}

    # -- which walk

    def open(self, runbook_id: str, symptom: Symptom | None) -> RunView:
        """Go on with the walk through this runbook for this symptom, or begin one. Raises KeyError
        for an unknown runbook."""
        runbook = self._library.get(runbook_id)
        if runbook is None:
            raise KeyError(
                f"there is no runbook {runbook_id!r}; `stanch runbooks list` names them all"
            )
        symptom_id = symptom.id if symptom else ""
        known = next(
            (
                walk
                for walk in self._restored().values()
                if walk.runbook.id == runbook_id and walk.symptom_id == symptom_id
            ),
            None,
        )
        if known is not None:
            known.runbook, known.symptom = runbook, symptom or known.symptom
            known.suggested = self._suggest(known.symptom)
            return known.view()
        walk = begin(f"run-{secrets.token_hex(4)}", runbook, symptom)
        walk.suggested = self._suggest(symptom)
        self._walks[walk.id] = walk
        text = f"runbook {runbook.id} opened" + (f" for: {symptom.title}" if symptom else "")
        self._record.append(
            Draft(
                kind="run-started",
                text=text,
                run_id=walk.id,
                phase="diagnose",
                captures=(
                    Capture(
                        content=runbook.text.encode(),
                        source=runbook.path.name,
                        media_type="text/markdown",
                    ),
                ),
                data={
                    "runbook": runbook.id,
                    "digest": runbook.digest,
                    "origin": runbook.origin,
                    "symptom": symptom_id,
                    "symptom_title": symptom.title if symptom else "",
                },
            )
        )
        return walk.view()

    def _restored(self) -> dict[str, Walk]:
        """Walks of the record that this program has not begun itself are read back once they are
        asked for."""
        entries = self._record.by_record()
        if any(
            entry.kind == "run-started" and entry.run_id not in self._walks for entry in entries
        ):
            runbooks = {runbook.id: runbook for runbook in self._library.runbooks}
            texts: dict[str, str] = {}
            journal = self._record.journal
            for entry in entries:
                if entry.kind == "run-started" and entry.evidence and journal is not None:
                    blob = journal.evidence(entry.evidence[0])
                    texts[entry.run_id] = blob.text if blob is not None else ""
            for walk_id, walk in restore(entries, runbooks, self._symptoms.values(), texts).items():
                self._walks.setdefault(walk_id, walk)
        return self._walks

    def walk(self, run_id: str) -> Walk:
        walk = self._walks.get(run_id)
        if walk is None:
            raise KeyError(f"there is no walk {run_id!r} in this incident")
        return walk

    def step(self, run_id: str, step_id: str) -> Step:
        walk = self.walk(run_id)
        step = walk.runbook.step(step_id)
        if step is None:
            raise KeyError(f"runbook {walk.runbook.id} has no step {step_id!r}")
        return step

    # -- doing

    async def do(self, run_id: str, step_id: str, progress: Progress | None = None) -> RunView:
        """Run a check or a wait; other kinds have ways of their own and are refused here with a
        ValueError."""
        walk, step = self.walk(run_id), self.step(run_id, step_id)
        if step.kind not in (StepKind.CHECK, StepKind.WAIT) or step.query is None:
            raise ValueError(
                f"step {step_id} is a {step.kind.value} step and cannot be run as a check"
            )
        values = walk.values(step)
        intent = self._intend(walk, step, values)
        began = time.monotonic()
        outcome = CheckOutcome(Result.UNKNOWN, "", "interrupted before an answer came")
        try:
            if step.kind is StepKind.WAIT:
                outcome = await self._wait(step, values, progress)
            else:
                outcome = await self._checks().run(steps.query_for(step.query, values), values)
        finally:
            seen = (
                outcome.seen
                if not outcome.why
                else f"{outcome.seen}: {outcome.why}"
                if outcome.seen
                else outcome.why
            )
            answer = _WAITED[outcome.result] if step.kind is StepKind.WAIT else outcome.result.value
            self.finish(
                walk, step, answer, _STATE[outcome.result], seen, intent, time.monotonic() - began
            )
        return walk.view()

    async def _wait(
        self, step: Step, values: Mapping[str, str], progress: Progress | None
    ) -> CheckOutcome:
        assert step.query is not None
        until = time.monotonic() + (step.deadline or 300.0)
        while True:
            outcome = await self._checks().run(steps.query_for(step.query, values), values)
            left = until - time.monotonic()
            if outcome.result is Result.PASS or left <= 0:
                return outcome
            if progress is not None:
                progress(f"not yet: {outcome.seen or outcome.why} ({left:.0f} s left)")
            await asyncio.sleep(min(POLL, left))

    def answer(self, run_id: str, step_id: str, answer: str) -> RunView:
        """A human's answer to an `ask` step (or to a step that they did by hand)."""
        walk, step = self.walk(run_id), self.step(run_id, step_id)
        intent = self._intend(walk, step, walk.values(step))
        question = steps.fill(step.question, walk.values(step))
        self.finish(
            walk, step, answer, StepState.DONE, f"{question} {answer}", intent, None, by_human=True
        )
        return walk.view()

    def skip(self, run_id: str, step_id: str, reason: str) -> RunView:
        walk, step = self.walk(run_id), self.step(run_id, step_id)
        question = steps.fill(step.question, walk.values(step))
        entry = self._record.append(
            Draft(
                kind="step-skipped",
                text=f"skipped: {question}",
                run_id=run_id,
                step_id=step_id,
                reason=reason,
                time_source="human",
                data={"state": StepState.SKIPPED.value, "answer": "skipped", "question": question},
            )
        )
        walk.take(entry)
        return walk.view()

    def go_to(self, run_id: str, step_id: str) -> RunView:
        walk = self.walk(run_id)
        self.step(run_id, step_id)
        entry = self._record.append(
            Draft(
                kind="note",
                text=f"went to step {step_id}",
                run_id=run_id,
                step_id=step_id,
                time_source="human",
                data={"event": "go-to"},
            )
        )
        walk.take(entry)
        return walk.view()

    def set_parameter(self, run_id: str, name: str, value: str) -> RunView:
        walk = self.walk(run_id)
        entry = self._record.append(
            Draft(
                kind="note",
                text=f"{name} = {value}",
                run_id=run_id,
                time_source="human",
                data={"event": "parameter", "name": name, "value": value},
            )
        )
        walk.take(entry)
        return walk.view()

    # -- writing

    def _intend(self, walk: Walk, step: Step, values: Mapping[str, str]) -> str:
        intent = f"{walk.id}/{step.id}/{secrets.token_hex(3)}"
        question = steps.fill(step.question, values)
        data: dict[str, Any] = {
            "intent_id": intent,
            "kind": step.kind.value,
            "question": question,
            "parameters": dict(values),
        }
        if step.kubectl:
            data["command"] = steps.command(step, values)
        walk.take(
            self._record.append(
                Draft(
                    kind="step-intent",
                    text=question,
                    run_id=walk.id,
                    step_id=step.id,
                    phase="diagnose",
                    data=data,
                )
            )
        )
        return intent

    def finish(
        self,
        walk: Walk,
        step: Step,
        answer: str,
        state: StepState,
        seen: str,
        intent: str,
        seconds: float | None,
        *,
        by_human: bool = False,
    ) -> None:
        """Record the result of a step and move the walk on to where the answer leads."""
        lead = steps.next_step(walk.runbook, step, answer)
        declared = lead.answer
        data: dict[str, Any] = {
            "intent_id": intent,
            "answer": answer,
            "state": state.value,
            "expected": step.expected,
            "meaning": declared.means if declared else "",
            "goto": declared.goto if declared else "",
        }
        if seconds is not None:
            data["seconds"] = round(seconds, 3)
        entry = self._record.append(
            Draft(
                kind="step-result",
                text=seen,
                run_id=walk.id,
                step_id=step.id,
                phase="diagnose",
                time_source="human" if by_human else "tool",
                confidence="reported" if by_human else "observed",
                data=data,
            )
        )
        walk.take(entry)

    def conclude(self, run_id: str, step_id: str, answer: str, state: StepState, seen: str) -> None:
        """The result of a probe or an action that was run for a step."""
        walk, step = self.walk(run_id), self.step(run_id, step_id)
        intent = self._intend(walk, step, walk.values(step))
        self.finish(walk, step, answer, state, seen, intent, None)

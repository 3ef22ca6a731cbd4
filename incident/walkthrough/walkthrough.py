"""Steps through runbooks: one engine for both faces, which only ask and draw.

Each step that asks the cluster writes one intent before and one result after it in the record.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from incident.walkthrough import answers
from incident.walkthrough.check_inputs import Checks
from incident.walkthrough.run import RunView, StepState
from incident.walkthrough.runs import Run, Runs
from runbooks import steps
from runbooks.check import CheckOutcome, Result
from runbooks.model import Step, StepKind
from timeline.entry import Draft
from triage.facts.finding import Symptom

POLL = 3.0
"""Seconds between two looks of a `wait` step."""
_WAITED = {Result.PASS: "reached", Result.FAIL: "deadline", Result.UNKNOWN: "unknown"}
Progress = Callable[[str], None]


class Walkthrough:
    """The runs of one incident and the ways to go on in them. `checks` is asked for each time,
    because the connection may come later than the run."""

    def __init__(self, runs: Runs, checks: Callable[[], Checks]) -> None:
        self._runs = runs
        self._checks = checks

    # -- runs

    def open(self, runbook_id: str, symptom: Symptom | None = None) -> RunView:
        """Begin or go on with the run of a runbook. Raises KeyError for an unknown runbook."""
        return self._runs.open(runbook_id, symptom).view()

    def runs(self) -> Sequence[RunView]:
        """Every run of the incident, the newest first."""
        return [run.view() for run in self._runs.all()]

    def run(self, run_id: str) -> RunView:
        """Raises KeyError."""
        return self._runs.run(run_id).view()

    def step(self, run_id: str, step_id: str) -> Step:
        """Raises KeyError."""
        return self._runs.step(run_id, step_id)

    # -- steps

    async def check(self, run_id: str, step_id: str, progress: Progress | None = None) -> RunView:
        """Run a check or a wait. Raises ValueError for a step of another kind."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        if step.kind not in (StepKind.CHECK, StepKind.WAIT) or step.query is None:
            raise ValueError(
                f"step {step_id} is a {step.kind.value} step and cannot be run as a check"
            )
        values = run.values(step)
        intent = self._intend(run, step, values)
        began = time.monotonic()
        try:
            if step.kind is StepKind.WAIT:
                outcome = await self._wait(step, values, progress)
            else:
                outcome = await self._checks().run(steps.query_for(step.query, values), values)
        except asyncio.CancelledError:
            self._finish(run, step, "", "stopped before an answer came", intent, stopped=True)
            raise
        except BaseException as error:
            self._finish(run, step, "unknown", f"the check broke: {error}", intent)
            raise
        seen = ": ".join(part for part in (outcome.seen, outcome.why) if part)
        answer = _WAITED[outcome.result] if step.kind is StepKind.WAIT else outcome.result.value
        self._finish(run, step, answer, seen, intent, seconds=time.monotonic() - began)
        return run.view()

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

    def answer(self, run_id: str, step_id: str, typed: str) -> RunView:
        """A person's answer to a step that they looked at or did by hand. Raises
        `answers.InvalidAnswer` for one that the step does not offer."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        answer = answers.accepted(step, typed)
        values = run.values(step)
        intent = self._intend(run, step, values)
        question = steps.fill(step.question, values)
        self._finish(run, step, answer, f"{question} {answer}", intent, by_person=True)
        return run.view()

    def skip(self, run_id: str, step_id: str, reason: str) -> RunView:
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        question = steps.fill(step.question, run.values(step))
        self._runs.write(
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
        return run.view()

    def go_to(self, run_id: str, step_id: str, *, by_person: bool = True) -> RunView:
        """Back, again or ahead: the next step to do. Nothing is undone."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        self._runs.write(
            Draft(
                kind="note",
                text=f"went to step {step.id}",
                run_id=run_id,
                step_id=step.id,
                time_source="human" if by_person else "tool",
                data={"event": "go-to"},
            )
        )
        return run.view()

    def set_parameter(self, run_id: str, name: str, value: str) -> RunView:
        run = self._runs.run(run_id)
        self._runs.write(
            Draft(
                kind="note",
                text=f"{name} = {value}",
                run_id=run_id,
                time_source="human",
                data={"event": "parameter", "name": name, "value": value},
            )
        )
        return run.view()

    # -- recording

    def _intend(self, run: Run, step: Step, values: Mapping[str, str]) -> str:
        """Id of the intent, which the result repeats."""
        intent = f"{run.id}/{step.id}/{secrets.token_hex(3)}"
        question = steps.fill(step.question, values)
        data: dict[str, Any] = {
            "intent_id": intent,
            "kind": step.kind.value,
            "question": question,
            "parameters": dict(values),
        }
        if step.kubectl:
            data["command"] = steps.command(step, values)
        self._runs.write(
            Draft(
                kind="step-intent",
                text=question,
                run_id=run.id,
                step_id=step.id,
                phase="diagnose",
                data=data,
            )
        )
        return intent

    def _finish(
        self,
        run: Run,
        step: Step,
        answer: str,
        seen: str,
        intent: str,
        *,
        seconds: float | None = None,
        by_person: bool = False,
        stopped: bool = False,
    ) -> None:
        state = StepState.UNKNOWN if stopped else answers.state_of(step, answer)
        data: dict[str, Any] = {
            "intent_id": intent,
            **self._runs.answered(run.id, step.id, answer, state),
        }
        if stopped:
            data["stopped"] = True
        if seconds is not None:
            data["seconds"] = round(seconds, 3)
        self._runs.write(
            Draft(
                kind="step-result",
                text=seen,
                run_id=run.id,
                step_id=step.id,
                phase="diagnose",
                time_source="human" if by_person else "tool",
                confidence="reported" if by_person else "observed",
                data=data,
            )
        )

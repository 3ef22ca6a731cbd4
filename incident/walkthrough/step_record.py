"""The entries that a step writes: its intent and result, and what a person did, skipped or gave."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from incident.walkthrough import answers
from incident.walkthrough.folded_run import Run
from incident.walkthrough.run import StepState
from incident.walkthrough.runs import Runs
from runbooks import steps
from runbooks.model import Step
from timeline.entry import Capture, EntryKind, NewEntry, ObjectRef


class StepRecord:
    """Records the steps of the runs of one incident; each entry is folded into its run."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def intend(self, run: Run, step: Step, values: Mapping[str, str]) -> str:
        """Record an intent. Returns its id, which the result repeats."""
        intent = f"{run.id}/{step.id}/{secrets.token_hex(3)}"
        question = steps.fill(step.question, values)
        data: dict[str, Any] = {
            "intent_id": intent,
            "kind": step.kind.value,
            "question": question,
            "parameters": dict(values),
        }
        if known := steps.known_command(step, values):
            data["command"] = known
        self._runs.write(
            NewEntry(
                kind="step-intent",
                text=question,
                run_id=run.id,
                step_id=step.id,
                phase="diagnose",
                data=data,
            )
        )
        return intent

    def finish(
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
        capture: Capture | None = None,
        about: tuple[ObjectRef, ...] = (),
        audit_id: str = "",
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
            NewEntry(
                kind="step-result",
                text=seen,
                run_id=run.id,
                step_id=step.id,
                phase="diagnose",
                time_source="human" if by_person else "tool",
                confidence="reported" if by_person else "observed",
                captures=(capture,) if capture is not None else (),
                about=about,
                audit_id=audit_id,
                data=data,
            )
        )

    def done_by_hand(self, run: Run, step: Step, answer: str, did: str) -> None:
        """Record a change that a person made themselves, as an action."""
        intent = f"action/by-hand/{secrets.token_hex(4)}"
        asked = self._runs.asked(run.id, step.id)
        answered = self._runs.answered(run.id, step.id, answer, StepState.DONE)
        entries: tuple[tuple[EntryKind, str, Mapping[str, Any]], ...] = (
            ("action-intent", f"by hand: {did}", asked),
            ("action-result", f"done by hand: {did}", answered),
        )
        for kind, text, more in entries:
            self._runs.write(
                NewEntry(
                    kind=kind,
                    text=text,
                    run_id=run.id,
                    step_id=step.id,
                    phase="mitigate",
                    time_source="human",
                    confidence="reported",
                    data={
                        "intent_id": intent,
                        "by_hand": True,
                        "action": step.uses,
                        "outcome": "done by hand",
                        **more,
                    },
                )
            )

    def skipped(self, run: Run, step: Step, reason: str) -> None:
        """Record that a person skipped the step."""
        question = steps.fill(step.question, run.values(step))
        self._runs.write(
            NewEntry(
                kind="step-skipped",
                text=f"skipped: {question}",
                run_id=run.id,
                step_id=step.id,
                reason=reason,
                time_source="human",
                data={
                    "state": StepState.SKIPPED.value,
                    "answer": "skipped",
                    "question": question,
                    "changes_cluster": step.mutates,
                },
            )
        )

    def stands_at(self, run: Run, step_id: str, end: str, *, by_person: bool) -> None:
        """Record that a step is the current one, or where the answers lead without one."""
        self._runs.write(
            NewEntry(
                kind="note",
                text=f"went to step {step_id}" if step_id else f"the checks lead to: {end}",
                run_id=run.id,
                step_id=step_id,
                time_source="human" if by_person else "tool",
                data={"event": "go-to", "end": end},
            )
        )

    def parameter(self, run: Run, name: str, value: str) -> None:
        """Record the value that a person gave a parameter."""
        self._runs.write(
            NewEntry(
                kind="note",
                text=f"{name} = {value}",
                run_id=run.id,
                time_source="human",
                data={"event": "parameter", "name": name, "value": value},
            )
        )

"""Steps through runbooks: one engine for both faces, which only ask and draw.

A step that asks the cluster writes one intent before and one result after it in the record.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from cluster.api.audit import audit_trail
from cluster.kube import durations
from incident.cadence import Cadence
from incident.provenance import audit_ids, read_refs
from incident.walkthrough import answers
from incident.walkthrough.folded_run import Run
from incident.walkthrough.run import NO_STEP, Asker, OpenParameter, RunView, StepState
from incident.walkthrough.runs import Runs
from runbooks import steps
from runbooks.check import CheckOutcome, Result, tell
from runbooks.model import CheckSource, Query, Step, StepKind
from runbooks.parameters import needed
from timeline.entry import Capture, EntryKind, NewEntry, ObjectRef

if TYPE_CHECKING:
    from actions.plan import ActionPlan, ActionResult
    from probes.result import ProbePlan, ProbeResult

_WAITED = {Result.PASS: "reached", Result.FAIL: "deadline", Result.UNKNOWN: "unknown"}
_SETTLED = (StepState.DONE, StepState.ANSWERED, StepState.SKIPPED)
Progress = Callable[[str], None]
UnderWay = Callable[[str, str], AbstractAsyncContextManager[Progress]]
"""Shows an activity (key, title) while the context is open."""


class Face(Protocol):
    """Questions and reports from the engine to a face. Each question may be declined."""

    def began(self, step: Step) -> None:
        """The step begins."""
        ...

    def progress(self, text: str) -> None:
        """One line of progress of the step."""
        ...

    def stopped(self) -> bool:
        """Whether a person asked a change to stop before its next object."""
        ...

    def finished(self, run: RunView, step: Step) -> None:
        """The step ended; `run` holds its outcome."""
        ...

    async def value(self, step: Step, parameter: OpenParameter) -> str | None:
        """A value for a parameter that is unknown or has several choices. "" continues without it,
        None does not run the step."""
        ...

    async def answer(self, run: RunView, step: Step, problem: str) -> str:
        """A person's answer, "" for none yet. `problem`: why the last one was refused."""
        ...

    async def did(self, run: RunView, step: Step) -> str:
        """What a person did for a change that they answered with "done", "" for nothing yet. Asked
        when the step has no command, or one with a value that is not known."""
        ...

    async def agree(self, plan: ProbePlan) -> bool:
        """Whether to run the probe. A refused plan is only shown."""
        ...

    async def confirm(self, plan: ActionPlan, changed: str) -> str:
        """The text typed to confirm the change, "" for no. `changed`: how the state, and so the
        plan, differs from the one shown before; "" at first."""
        ...


class CheckRunner(Protocol):
    async def run(self, query: Query, params: Mapping[str, str]) -> CheckOutcome: ...


class Probes(Protocol):
    async def plan(
        self, name: str, arguments: Mapping[str, str], asker: Asker = NO_STEP
    ) -> ProbePlan: ...

    async def run(self, plan: ProbePlan, progress: Progress | None = None) -> ProbeResult: ...


class Actions(Protocol):
    def refuses(self, action: str, argument: str, text: str) -> str:
        """Why the action cannot take the text as this argument, "" when it can."""
        ...

    async def plan(
        self,
        name: str,
        arguments: Mapping[str, str],
        asker: Asker = NO_STEP,
        *,
        undoes: bool = False,
    ) -> ActionPlan: ...

    async def run(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Progress = ...,
        stopped: Callable[[], bool] = ...,
    ) -> ActionResult: ...

    def decline(self, plan: ActionPlan, reason: str) -> ActionResult: ...


class NothingToUndo(ValueError):
    """The step has made no change that can be undone; the message says why."""


class Walkthrough:
    """The runs of one incident, and how to step through them. Asks for checks, probes and actions
    each time, because the connection may come later than the run."""

    def __init__(
        self,
        runs: Runs,
        checks: Callable[[], CheckRunner],
        probes: Callable[[], Probes],
        actions: Callable[[], Actions],
        under_way: UnderWay,
        cadence: Cadence = Cadence(),  # noqa: B008  # a frozen value
    ) -> None:
        self._runs = runs
        self._checks = checks
        self._probes = probes
        self._actions = actions
        self._under_way = under_way
        self._cadence = cadence

    # -- runs

    def open(self, runbook_id: str, symptom_id: str = "") -> RunView:
        """Begin or continue the run of a runbook. Raises KeyError for an unknown runbook."""
        return self._runs.open(runbook_id, symptom_id).view()

    def preview(self, runbook_id: str, symptom_id: str) -> RunView | None:
        """The run of a runbook, or a run as it would begin, without recording it."""
        return self._runs.preview(runbook_id, symptom_id)

    def runs(self) -> Sequence[RunView]:
        """Every run of the incident, newest first."""
        return [run.view() for run in self._runs.all()]

    def run(self, run_id: str) -> RunView:
        """Raises KeyError."""
        return self._runs.run(run_id).view()

    # -- steps

    async def do(self, run_id: str, step_id: str, face: Face) -> RunView:
        """Do a step by its kind: a check at once, a probe after its plan, a change through the
        gate, a question by asking it."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        if not await self._complete(run, step, face):
            return run.view()
        match step.kind:
            case StepKind.CHECK | StepKind.WAIT:
                await self._check(run, step, face)
            case StepKind.PROBE:
                await self._probe(run, step, face)
            case StepKind.ACTION:
                face.began(step)
                arguments = steps.arguments(step, run.values(step))
                plan = await self._actions().plan(step.uses, arguments, Asker(run.id, step.id))
                await self._change(run, step, plan, face)
            case StepKind.ASK:
                await self._ask(run, step, face)
        return run.view()

    async def do_checks(self, run_id: str, step_id: str, face: Face) -> RunView:
        """Run all read-only checks of the step's section, again if they were answered before,
        because an answer is of its moment. Then go where the answers lead."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        checks = steps.stage(run.runbook, step)
        for check in checks:
            if not await self._complete(run, check, face):
                return run.view()
            await self._check(run, check, face)
        self._follow(run, checks)
        return run.view()

    async def undo(self, run_id: str, step_id: str, face: Face) -> RunView:
        """Undo the change that the step made, through the gate. Raises `NothingToUndo`."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        made = run.changes.get(step.id)
        if made is None:
            raise NothingToUndo(
                "This step has changed nothing that could be undone."
                if step.kind is StepKind.ACTION
                else "Only a step that changes the cluster can be undone."
            )
        if not made.undo_action:
            raise NothingToUndo(
                f"No action undoes {made.action}; the runbook says: {step.undo or 'nothing'}"
            )
        face.began(step)
        asker = Asker(run.id, step.id)
        plan = await self._actions().plan(made.undo_action, made.arguments, asker, undoes=True)
        await self._change(run, step, plan, face)
        return run.view()

    async def _complete(self, run: Run, step: Step, face: Face) -> bool:
        """Ask for each unknown value that the step needs: objects first, because an object gives
        its namespace. False when one was not given or names an object that does not exist."""
        wanted = needed(step)
        names = [each.name for each in run.parameters(step) if each.name in wanted]
        for name in sorted(names, key="namespace".__eq__):
            parameter = next(each for each in run.parameters(step) if each.name == name)
            if parameter.value or name in run.typed:
                continue
            if not await self._ask_value(run, step, parameter, face):
                return False
        return True

    async def _ask_value(self, run: Run, step: Step, parameter: OpenParameter, face: Face) -> bool:
        """Ask for one value until it can be used, or is given up or typed once more."""
        value = await face.value(step, parameter)
        while value is not None:
            try:
                self._refuse(step, parameter.name, value)
                self.set_parameter(run.id, parameter.name, value)
            except answers.InvalidAnswer as error:
                face.progress(str(error))
                again = await face.value(step, replace(parameter, origin=str(error)))
                if again == value:
                    return False
                value = again
            else:
                return True
        return False

    def _refuse(self, step: Step, name: str, value: str) -> None:
        """Raises `answers.InvalidAnswer` for a value that the action of a step cannot take."""
        if step.kind is not StepKind.ACTION or not value:
            return
        for argument in (one for one, text in step.args.items() if text == f"{{{name}}}"):
            if problem := self._actions().refuses(step.uses, argument, value):
                raise answers.InvalidAnswer(problem)

    async def _check(self, run: Run, step: Step, face: Face) -> None:
        assert step.query is not None
        values = run.values(step)
        intent = self._intend(run, step, values)
        began = time.monotonic()
        face.began(step)
        trail = audit_trail()
        try:
            question = steps.fill(step.question, values)
            async with self._under_way(f"{run.id}/{step.id}", question) as detail:
                if step.kind is StepKind.WAIT:
                    outcome = await self._wait(step, values, face.progress, detail)
                elif step.query.source is CheckSource.FINDINGS:
                    outcome = tell(step.query, *self._runs.found(run))
                else:
                    outcome = await self._read(step.query, values)
        except asyncio.CancelledError:
            said, asked = "stopped before an answer came", audit_ids(trail)
            self._finish(run, step, "", said, intent, stopped=True, audit_id=asked)
            raise
        except BaseException as error:
            self._finish(run, step, "unknown", f"the check ended with an error: {error}", intent)
            raise
        seen = ": ".join(part for part in (outcome.seen, outcome.why) if part)
        answer = outcome.answer or outcome.result.value
        if step.kind is StepKind.WAIT:
            answer = _WAITED[outcome.result]
        seconds = time.monotonic() - began
        capture = await asyncio.to_thread(_evidence, step, values, outcome, seconds)
        self._finish(
            run,
            step,
            answer,
            seen,
            intent,
            seconds=seconds,
            capture=capture,
            about=read_refs(_deciding(outcome)),
            audit_id=audit_ids(trail),
        )
        face.finished(run.view(), step)

    async def _read(self, query: Query, values: Mapping[str, str]) -> CheckOutcome:
        """Ask the cluster. Says so when a value that the question names was not given."""
        outcome = await self._checks().run(steps.query_for(query, values), values)
        if outcome.result is Result.UNKNOWN or not (left_out := steps.not_given(query, values)):
            return outcome
        names = " and ".join(f"the {name.replace('_', ' ')}" for name in left_out)
        was = "were" if len(left_out) > 1 else "was"
        seen = f"{outcome.seen} ({names} {was} not given: all were read)"
        return dataclasses.replace(outcome, seen=seen)

    async def _wait(
        self, step: Step, values: Mapping[str, str], progress: Progress, detail: Progress
    ) -> CheckOutcome:
        """Check until it passes or the time is up. `progress` and `detail` get the current state
        after each change."""
        assert step.query is not None
        most = step.deadline or 300.0
        until, said = time.monotonic() + most, ""
        limit = durations.words(timedelta(seconds=most))
        while True:
            outcome = await self._read(step.query, values)
            left = until - time.monotonic()
            if outcome.result is Result.PASS or left <= 0:
                return outcome
            found = outcome.seen or outcome.why or "not known"
            if found != said:
                said = found
                progress(f"now: {found}; waits at most {limit}")
                detail(found)
            await asyncio.sleep(min(self._cadence.wait, left))

    async def _probe(self, run: Run, step: Step, face: Face) -> None:
        face.began(step)
        arguments = steps.arguments(step, run.values(step))
        plan = await self._probes().plan(step.uses, arguments, Asker(run.id, step.id))
        if (plan.refused or plan.needs_agreement) and not await face.agree(plan):
            return
        run.keep(step.id, await self._probes().run(plan, face.progress))
        face.finished(run.view(), step)

    async def _change(self, run: Run, step: Step, plan: ActionPlan, face: Face) -> None:
        """Confirm a change on the current state. When the gate finds another state than was shown,
        show the plan for that state."""
        actions, changed = self._actions(), ""
        while True:
            typed = await face.confirm(plan, changed)
            if typed != plan.confirmation or not typed:
                actions.decline(plan, "not confirmed")
                return
            result = await actions.run(plan, typed, face.progress, face.stopped)
            if result.again is None:
                break
            plan, changed = result.again, result.sentence
        run.keep(step.id, result)
        face.finished(run.view(), step)

    async def _ask(self, run: Run, step: Step, face: Face) -> None:
        problem = ""
        while typed := await face.answer(run.view(), step, problem):
            did = ""
            try:
                if self._must_say(run, step, typed) and not (
                    did := await face.did(run.view(), step)
                ):
                    return
                self.answer(run.id, step.id, typed, did)
            except answers.InvalidAnswer as error:
                problem = str(error)
            else:
                face.finished(run.view(), step)
                return

    def _must_say(self, run: Run, step: Step, typed: str) -> bool:
        """Whether only a person can say what was done. Raises `answers.InvalidAnswer`."""
        done = answers.state_of(step, answers.accepted(step, typed)) is StepState.DONE
        return step.mutates and done and not steps.known_change(step, run.values(step))

    def _follow(self, run: Run, checks: Sequence[Step]) -> None:
        """Go where the answers of a section lead. The first abnormal answer decides, else the first
        answer. Skips checks that were just answered, questions that a person answered and changes
        that stand."""
        if not checks:
            return
        failed = [each for each in checks if run.outcomes[each.id].state is StepState.FAILED]
        at: Step | None = (failed or list(checks))[0]
        passed: set[str] = set()
        lead, following = None, ""
        while at is not None and at.id not in passed:
            passed.add(at.id)
            lead = steps.next_step(run.runbook, at, run.outcomes[at.id].answer)
            following = "" if lead.end else lead.target
            at = next((each for each in checks if each.id == following), None)
            step = run.runbook.step(following)
            if at is None and step and (step.mutates or step.kind is StepKind.ASK):
                stands = run.outcomes.get(step.id)
                at = step if stands and stands.state in _SETTLED else None
        if lead is not None and (following, lead.end) != (run.current, run.end):
            self._stand(run, following, lead.end, by_person=False)

    def answer(self, run_id: str, step_id: str, typed: str, did: str = "") -> RunView:
        """A person's answer to a step that they looked at or did by hand.

        `did`: what was done, for a change; "" means the step's command. Raises
        `answers.InvalidAnswer` for an answer that the step does not offer, and for a command with a
        value that is not known.
        """
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        answer = answers.accepted(step, typed)
        values = run.values(step)
        if step.mutates and answers.state_of(step, answer) is StepState.DONE:
            did = did or steps.known_change(step, values)
            if not did:
                raise answers.InvalidAnswer("Say what was done; the record keeps it.")
            self._done_by_hand(run, step, answer, did)
            return run.view()
        intent = self._intend(run, step, values)
        question = steps.fill(step.question, values)
        self._finish(run, step, answer, f"{question} {answer}", intent, by_person=True)
        return run.view()

    def _done_by_hand(self, run: Run, step: Step, answer: str, did: str) -> None:
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

    def skip(self, run_id: str, step_id: str, reason: str) -> RunView:
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        question = steps.fill(step.question, run.values(step))
        self._runs.write(
            NewEntry(
                kind="step-skipped",
                text=f"skipped: {question}",
                run_id=run_id,
                step_id=step_id,
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
        return run.view()

    def go_to(self, run_id: str, step_id: str) -> RunView:
        """Make a step the current one, earlier or later. Undoes nothing."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        self._stand(run, step.id, "", by_person=True)
        return run.view()

    def go_on(self, run_id: str) -> RunView:
        """Go where the answer of the current step leads, when it was done or answered before: a
        later answer may lead back to it."""
        run = self._runs.run(run_id)
        step, stands = run.runbook.step(run.current), run.outcomes.get(run.current)
        if step is not None and stands is not None and stands.state in _SETTLED:
            lead = steps.next_step(run.runbook, step, stands.answer)
            self._stand(run, "" if lead.end else lead.target, lead.end, by_person=True)
        return run.view()

    def _stand(self, run: Run, step_id: str, end: str, *, by_person: bool) -> None:
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

    def set_parameter(self, run_id: str, name: str, value: str) -> RunView:
        """Raises `answers.InvalidAnswer` when it names an object that does not exist."""
        run = self._runs.run(run_id)
        if missing := self._runs.missing(run, name, value):
            raise answers.InvalidAnswer(missing)
        self._runs.write(
            NewEntry(
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


KEPT = 50
"""Most objects kept as evidence of a check: those that decide it first."""


def _deciding(outcome: CheckOutcome) -> list[Mapping[str, Any]]:
    """The objects that a check read, those that decide first."""
    bad = " ".join(outcome.offenders)
    return sorted(outcome.read, key=lambda each: _name(each) not in bad)


def _evidence(
    step: Step, values: Mapping[str, str], outcome: CheckOutcome, seconds: float
) -> Capture:
    """Evidence of a check."""
    objects = _deciding(outcome)[:KEPT]
    document = {
        "question": steps.fill(step.question, values),
        "expected": steps.fill(step.expected, values),
        "seen": outcome.seen,
        "why": outcome.why,
        "failing": list(outcome.offenders),
        "read": len(outcome.read),
        "objects": objects,
    }
    content = json.dumps({k: v for k, v in document.items() if v}, indent=1, default=str)
    return Capture(
        content=content.encode(),
        source=steps.known_command(step, values) or f"check {step.id}",
        media_type="application/json",
        duration=seconds,
    )


def _name(read: Mapping[str, Any]) -> str:
    meta = read.get("metadata")
    return str(meta.get("name", "-")) if isinstance(meta, Mapping) else "-"

"""Steps through runbooks: one engine for both faces, which only ask and draw.

A step that asks the cluster writes one intent before and one result after it in the record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from incident.cadence import Cadence
from incident.walkthrough import answers
from incident.walkthrough.check_steps import CheckSteps
from incident.walkthrough.face import Face
from incident.walkthrough.folded_run import Run
from incident.walkthrough.run import Asker, OpenParameter, RunView, StepState
from incident.walkthrough.runners import Actions, CheckRunner, Probes, UnderWay
from incident.walkthrough.runs import Runs
from incident.walkthrough.step_record import StepRecord
from runbooks import steps
from runbooks.model import Step, StepKind
from runbooks.parameters import needed

if TYPE_CHECKING:
    from actions.plan import ActionPlan

_SETTLED = (StepState.DONE, StepState.ANSWERED, StepState.SKIPPED)


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
        self._record = StepRecord(runs)
        self._checks = CheckSteps(runs, self._record, checks, under_way, cadence)
        self._probes = probes
        self._actions = actions

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
                await self._checks.do(run, step, face)
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
            await self._checks.do(run, check, face)
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
            self._record.stands_at(run, following, lead.end, by_person=False)

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
            self._record.done_by_hand(run, step, answer, did)
            return run.view()
        intent = self._record.intend(run, step, values)
        question = steps.fill(step.question, values)
        self._record.finish(run, step, answer, f"{question} {answer}", intent, by_person=True)
        return run.view()

    def skip(self, run_id: str, step_id: str, reason: str) -> RunView:
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        self._record.skipped(run, step, reason)
        return run.view()

    def go_to(self, run_id: str, step_id: str) -> RunView:
        """Make a step the current one, earlier or later. Undoes nothing."""
        run, step = self._runs.run(run_id), self._runs.step(run_id, step_id)
        self._record.stands_at(run, step.id, "", by_person=True)
        return run.view()

    def go_on(self, run_id: str) -> RunView:
        """Go where the answer of the current step leads, when it was done or answered before: a
        later answer may lead back to it."""
        run = self._runs.run(run_id)
        step, stands = run.runbook.step(run.current), run.outcomes.get(run.current)
        if step is not None and stands is not None and stands.state in _SETTLED:
            lead = steps.next_step(run.runbook, step, stands.answer)
            self._record.stands_at(run, "" if lead.end else lead.target, lead.end, by_person=True)
        return run.view()

    def set_parameter(self, run_id: str, name: str, value: str) -> RunView:
        """Raises `answers.InvalidAnswer` when it names an object that does not exist."""
        run = self._runs.run(run_id)
        if missing := self._runs.missing(run, name, value):
            raise answers.InvalidAnswer(missing)
        self._record.parameter(run, name, value)
        return run.view()

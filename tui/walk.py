"""Walking a runbook: which run is open, what runs now, and the questions asked before anything
runs."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from textual.worker import Worker

from actions.plan import ActionPlan, ActionResult
from incident.walkthrough.run import RunView, StepState
from probes.result import ProbeResult
from runbooks.model import Step, StepKind
from runbooks.steps import Lead, arguments, next_step, stage

if TYPE_CHECKING:
    from tui.app import StanchApp


class Walk:
    """The open run. Everything that takes time runs as a worker that can be stopped; its answer
    comes back as a new `RunView`."""

    def __init__(self, app: StanchApp) -> None:
        self._app = app
        self.run: RunView | None = None
        self.running = ""
        """Title of the step that runs, "" when none does."""
        self.running_step = ""
        self.at = ""
        """The step that is looked at: the one that runs or ran last; the walk's current one at the
        beginning."""
        self.progress: tuple[str, ...] = ()
        """Lines of the step that runs, or ran last; newest last."""
        self.progress_step = ""
        self.results: dict[tuple[str, str], ProbeResult | ActionResult] = {}
        """What probes and actions answered in this session, by (run id, step id); the record has
        them too."""
        self._worker: Worker[None] | None = None

    # -- opening

    def open(self, runbook_id: str, symptom_id: str = "") -> None:
        if self.run is not None and (self.run.runbook.id, self.run.symptom_id) == (
            runbook_id,
            symptom_id,
        ):
            return
        try:
            run = self._app.investigation.open_run(runbook_id, symptom_id)
            self.at = run.current
            self._shown(run)
        except (KeyError, ValueError, OSError) as error:
            self._app.tell(f"The runbook {runbook_id} could not be opened: {error}", "error")

    def _shown(self, run: RunView) -> None:
        self.run = run
        self._app.refresh_screens()

    def _moved(self, run: RunView) -> None:
        """The walk went on: look at the step to do now."""
        self.at = run.current
        self._shown(run)

    def next(self) -> None:
        """Look at the step to do now."""
        if self.run is not None:
            self._moved(self.run)

    # -- steps

    def do(self, step: Step) -> None:
        """Run a step the way its kind asks for: a check at once, a probe after its plan, an action
        after the gate, an ask as a choice."""
        if self.running:
            self._app.tell(f"{self.running} is still running; x stops it.", "warning")
            return
        match step.kind:
            case StepKind.CHECK | StepKind.WAIT:
                self._begin(step, self._check(step))
            case StepKind.PROBE:
                self._begin(step, self._probe(step))
            case StepKind.ACTION:
                self._begin(step, self._action(step))
            case StepKind.ASK:
                self._begin(step, self._ask(step))

    def undo(self, step: Step) -> None:
        """Take the change of a step back, through the gate."""
        if self.running:
            self._app.tell(f"{self.running} is still running; x stops it.", "warning")
        elif step.kind is not StepKind.ACTION:
            self._app.tell("Only a step that changes the cluster can be taken back.")
        else:
            self._begin(step, self._undo(step))

    def do_checks(self, step: Step) -> None:
        """Run the read-only checks of the step's section one after the other; then stand where the
        first abnormal answer leads."""
        if self.running:
            self._app.tell(f"{self.running} is still running; x stops it.", "warning")
            return
        run = self._required()
        checks = stage(run.runbook, step)
        if not checks:
            self._app.tell("There are no checks in this part of the runbook.")
            return
        self._begin(checks[0], self._checks(checks))

    def probe_first(self, wanted: tuple[str, ...]) -> None:
        """The first wanted step that is a probe, else the runbook's first probe."""
        if self.run is None:
            return
        steps = [step for step in self.run.runbook.steps() if step.kind is StepKind.PROBE]
        chosen = next((step for step in steps if step.id in wanted), steps[0] if steps else None)
        if chosen is None:
            self._app.tell(f"The runbook {self.run.runbook.id} has no probe.", "warning")
            return
        self._app.action_go("runbook")
        self.do(chosen)

    def skip(self, step_id: str, reason: str) -> None:
        if self.run is not None:
            self._moved(self._app.investigation.skip_step(self.run.id, step_id, reason))

    def go_to(self, step_id: str) -> None:
        if self.run is not None:
            self._moved(self._app.investigation.go_to_step(self.run.id, step_id))

    def set_parameter(self, name: str, value: str) -> None:
        if self.run is not None:
            self._shown(self._app.investigation.set_parameter(self.run.id, name, value))

    def stop(self) -> None:
        if self._worker is not None and self.running:
            self._worker.cancel()
            self._app.tell(f"Stopping {self.running}; what it created is removed.")
        else:
            self._app.tell("Nothing is running.")

    # -- work

    def _begin(self, step: Step, work: Coroutine[Any, Any, None]) -> None:
        self.progress, self.progress_step, self.at = (), step.id, step.id
        self._worker = self._app.run_worker(
            self._guarded(step, work), group="step", exit_on_error=False, description=step.question
        )

    async def _guarded(self, step: Step, work: Coroutine[Any, Any, None]) -> None:
        """Whatever a step does, the screens stay and say what happened."""
        try:
            await work
        except Exception as error:
            self._app.tell(
                f"The step {step.id!r} could not be run: {error or type(error).__name__}", "error"
            )
        finally:
            self.running = self.running_step = ""
            if self.run is not None:
                self._app.refresh_screens()

    def _runs(self, step: Step) -> None:
        self.running, self.running_step = step.question, step.id
        self._app.refresh_screens()

    def _progress(self, text: str) -> None:
        self.progress = (*self.progress[-49:], text)
        self._app.refresh_screens()

    def _required(self) -> RunView:
        if self.run is None:
            raise RuntimeError("no runbook is open; choose one with 2")
        return self.run

    async def _check(self, step: Step) -> None:
        run = self._required()
        self._runs(step)
        self._shown(await self._app.investigation.do_step(run.id, step.id, self._progress))

    async def _checks(self, checks: Sequence[Step]) -> None:
        run = self._required()
        for check in checks:
            self.progress_step = self.at = check.id
            self._runs(check)
            self._shown(await self._app.investigation.do_step(run.id, check.id, self._progress))
        outcomes = self._required().outcomes
        abnormal = next(
            (check for check in checks if outcomes[check.id].state is StepState.FAILED), None
        )
        if abnormal is not None:
            lead = next_step(run.runbook, abnormal, "fail")
            if lead.lead is Lead.STEP:
                self._moved(self._app.investigation.go_to_step(run.id, lead.target))

    async def _ask(self, step: Step) -> None:
        from tui.screens.dialogs import Answers

        run = self._required()
        answer = await self._app.push_screen_wait(Answers(step, run))
        if answer:
            self._moved(self._app.investigation.answer_step(run.id, step.id, answer))

    async def _probe(self, step: Step) -> None:
        from tui.screens.plans import ProbeDialog

        run = self._required()
        self._runs(step)
        plan = await self._app.investigation.plan_probe(
            step.uses, arguments(step, self.values()), run.id, step.id
        )
        if not await self._app.push_screen_wait(ProbeDialog(plan)):
            self._app.tell("The probe was not run.")
            return
        self.results[run.id, step.id] = await self._app.investigation.run_probe(
            plan, self._progress
        )
        self._reload()

    async def _action(self, step: Step) -> None:
        run = self._required()
        self._runs(step)
        await self._through_gate(
            run,
            step,
            await self._app.investigation.plan_action(
                step.uses, arguments(step, self.values()), run.id, step.id
            ),
        )

    async def _undo(self, step: Step) -> None:
        run = self._required()
        self._runs(step)
        done = await self._app.investigation.plan_action(step.uses, arguments(step, self.values()))
        if not done.undo_action:
            self._app.tell(
                f"Nothing here takes {step.uses} back; the step says: "
                f"{step.undo or 'no undo is known'}",
                "warning",
            )
            return
        await self._through_gate(
            run, step, await self._app.investigation.plan_action(done.undo_action, done.arguments)
        )

    async def _through_gate(self, run: RunView, step: Step, plan: ActionPlan) -> None:
        from tui.screens.plans import GateDialog

        typed = await self._app.push_screen_wait(GateDialog(plan, self._app.view))
        if not typed:
            self._app.investigation.decline_action(plan, "answered no")
            self._app.tell("Nothing was changed.")
        else:
            self.results[run.id, step.id] = await self._app.investigation.run_action(plan, typed)
        self._reload()

    def _reload(self) -> None:
        """The run as the record has it now."""
        if self.run is not None:
            self._shown(self._app.investigation.open_run(self.run.runbook.id, self.run.symptom_id))

    def values(self) -> dict[str, str]:
        """The run's parameters by name."""
        return (
            {parameter.name: parameter.value for parameter in self.run.parameters}
            if self.run
            else {}
        )

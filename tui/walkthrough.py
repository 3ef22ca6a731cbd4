"""The open runbook on the screens: starts workers and dialogs; the engine in `incident` decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import zip_longest
from typing import Any

from textual.worker import Worker

from actions.plan import ActionPlan
from incident.walkthrough.answers import InvalidAnswer, offered, state_of
from incident.walkthrough.run import OpenParameter, RunView, StepState
from incident.walkthrough.walkthrough import NothingToUndo, Walkthrough
from probes.result import ProbePlan
from runbooks.model import Step, StepKind
from runbooks.steps import fill, known_change, stage
from text.keys import Keys, named
from text.runbook import progress_text, verified_text
from timeline.story import next_mark
from tui.host import Host


class OpenRun:
    """The shown run. Long work runs in a worker that can be stopped; this is the `Face` that the
    engine asks."""

    def __init__(self, app: Host) -> None:
        self._app = app
        self.run: RunView | None = None
        self.running = ""
        """Question of the step that runs, "" when none does."""
        self.running_step = ""
        self.at = ""
        """Id of the shown step: the running or last one; at first the current one."""
        self.progress_lines: tuple[str, ...] = ()
        """Lines of the running or last step, newest last."""
        self.progress_step = ""
        self._worker: Worker[None] | None = None
        self._stopping = False
        """Whether the end of a running change was asked for once."""

    @property
    def _engine(self) -> Walkthrough:
        return self._app.investigation.walkthrough

    # -- opening

    def open(self, runbook_id: str, symptom_id: str = "") -> None:
        try:
            self._moved(self._engine.open(runbook_id, symptom_id))
        except (KeyError, RuntimeError) as error:
            self._app.tell(f"The runbook {runbook_id} could not be opened: {error}", "error")

    def show(self, run_id: str) -> None:
        """Show a run of the incident."""
        self._moved(self._engine.run(run_id))

    def show_list(self, again: bool) -> None:
        """Show the list of open runbooks: of several, after a restart, and when asked `again`. A
        run with a running step stays."""
        if not self.running and (again or len(self.runs()) > 1):
            self.run = None
            self._app.refresh_screens()

    def progress_by_runbook(self) -> dict[str, str]:
        """How far each run of the incident is, by the id of its runbook."""
        return {run.runbook.id: progress_text(run) for run in self.runs()}

    def runs(self) -> Sequence[RunView]:
        """The runs of the incident, the newest first."""
        try:
            return self._engine.runs()
        except RuntimeError:  # not started yet
            return ()

    def refresh(self) -> None:
        """Take entries of another program on the same incident. Leave a run that is no longer in
        the incident."""
        if self.run is not None:
            try:
                self.run = self._engine.run(self.run.id)
            except KeyError:
                self.run = None

    def _shown(self, run: RunView) -> None:
        self.run = run
        self._app.refresh_screens()

    def _moved(self, run: RunView) -> None:
        """Show the current step after the run moved on."""
        self.at = run.current or self.at
        self._shown(run)

    def next(self, shown: str) -> None:
        """Show the current step, or say why there is none. Where it is `shown` already and was done
        or answered before, go on."""
        if self.run is None:
            return
        if shown == self.run.current:
            at, self.run = self.run.current, self._engine.go_on(self.run.id)
            if at and at == self.run.current:
                self._app.tell("This is the step to do now.")
        if not self.run.current:
            self._app.tell(f"No step is next: {end_text(self.run.end, self._app.keys)}")
        self._moved(self.run)

    # -- steps

    def do(self, step: Step) -> None:
        self._begin(step, lambda run: self._engine.do(run.id, step.id, self))

    def undo(self, step: Step) -> None:
        """Undo the change of a step, through the gate."""
        self._begin(step, lambda run: self._engine.undo(run.id, step.id, self))

    def do_checks(self, step: Step) -> None:
        """Run the read-only checks of the step's section one after the other."""
        run = self.run
        if run is None:
            return
        checks = stage(run.runbook, step)
        if not checks:
            self._app.tell("There are no checks in this part of the runbook.")
            return
        self._begin(
            checks[0], lambda run: self._engine.do_checks(run.id, step.id, self), follow=True
        )

    def probe_first(self, wanted: tuple[str, ...]) -> None:
        """The first wanted step that is a probe, else the runbook's first probe."""
        if self.run is None:
            return
        steps = [step for step in self.run.runbook.steps() if step.kind is StepKind.PROBE]
        chosen = next((step for step in steps if step.id in wanted), steps[0] if steps else None)
        if chosen is None:
            self._app.tell(f"The runbook {self.run.runbook.id} has no probe.", "warning")
            return
        self._app.go("runbook")
        self.do(chosen)

    def done_by_hand(self, step: Step, did: str) -> None:
        """Record that a person made the change of a step; `did` says how."""
        done = next((a for a in offered(step) if state_of(step, a) is StepState.DONE), "done")
        if self.run is not None:
            self._moved(self._engine.answer(self.run.id, step.id, done, did))

    def skip(self, step_id: str, reason: str) -> None:
        if self.run is not None:
            self._moved(self._engine.skip(self.run.id, step_id, reason))

    def go_to(self, step_id: str) -> None:
        if self.run is not None:
            self._moved(self._engine.go_to(self.run.id, step_id))

    def set_parameter(self, name: str, value: str) -> None:
        if self.run is None:
            return
        try:
            self._shown(self._engine.set_parameter(self.run.id, name, value))
        except InvalidAnswer as error:
            self._app.tell(str(error))

    def stop(self) -> None:
        """Stops a probe or check at once; a change after the current object, the second time at
        once."""
        if self._worker is None or not self.running:
            self._app.tell("Nothing is running.")
            return
        if self._app.planned:  # the worker says that it stopped
            self._worker.cancel()
            return
        step = self.run.runbook.step(self.running_step) if self.run is not None else None
        is_change = step is not None and step.kind is StepKind.ACTION
        if is_change and not self._stopping:
            self._stopping = True
            again = named("; {.stop} again stops at once.", self._app.keys)
            self._app.tell(f"Stopping after the current object{again}", while_running=True)
            return
        self._worker.cancel()
        left = "what it created is removed"
        if is_change:
            left = "what was sent may take effect: check before you repeat it"
        self._app.tell(f"Stopping {self.running}; {left}.", while_running=True)

    # -- the worker

    def _begin(
        self,
        step: Step,
        work: Callable[[RunView], Coroutine[Any, Any, RunView]],
        *,
        follow: bool = False,
    ) -> None:
        if self.running:
            stops = named("; {.stop} stops it.", self._app.keys)
            told = f"{self.running} is still running{stops}"
            self._app.tell(told, "warning", while_running=True)
        elif self.run is None:
            chooses = named("; {runbook.choose_runbook} chooses one.", self._app.keys)
            self._app.tell(f"No runbook is open{chooses}")
        else:
            self.progress_lines, self.progress_step, self.at = (), step.id, step.id
            self._stopping = False
            self._plans(step)
            self._worker = self._app.run_worker(
                self._guarded(step, work(self.run), follow or step.kind is StepKind.ASK),
                group="step",
                exit_on_error=False,
                description=self._question(step),
            )

    async def _guarded(self, step: Step, work: Awaitable[RunView], follow: bool) -> None:
        """Keeps the screens, with a message, when a step raises."""
        try:
            before = self.run.end if self.run is not None else ""
            run = await work
            if run.end == "escalate" != before:
                self._app.show_brief()
            elif run.verified(step):
                self._offer_mark(run, step)
            (self._moved if follow else self._shown)(run)
            if step.kind is StepKind.WAIT:
                self._app.notify_outside(f"The wait has ended: {self._question(step)}")
        except NothingToUndo as error:
            self._app.tell(str(error), "warning")
        except asyncio.CancelledError:
            unsent = ", nothing was changed" if self._app.planned else ""
            self._app.tell(f"Stopped{unsent}: {self._question(step)}", "warning")
            raise
        except Exception as error:
            self._app.tell(
                f"The step {step.id!r} could not be run: {error or type(error).__name__}", "error"
            )
        finally:
            self.running = self.running_step = self._app.planned = ""
            self.refresh()
            self._app.refresh_screens()

    def _plans(self, step: Step) -> None:
        """The plan of a step is being made, up to its dialog."""
        planned = step.kind in (StepKind.ACTION, StepKind.PROBE)
        self._app.planned = self._question(step) if planned else ""

    def _offer_mark(self, run: RunView, step: Step) -> None:
        """Verify has passed: offers to mark the incident, unless it is marked."""
        mark = next_mark(self._app.investigation.entries())
        if mark:
            self._app.offer_mark(mark, verified_text(run, step))

    def _question(self, step: Step) -> str:
        return fill(step.question, self.run.values(step.id) if self.run is not None else {})

    # -- what the engine asks and tells (`incident.walkthrough.face.Face`)

    def began(self, step: Step) -> None:
        self.running, self.running_step = self._question(step), step.id
        self.progress_lines, self.progress_step, self.at = (), step.id, step.id
        self._app.refresh_screens()

    def progress(self, text: str) -> None:
        self._app.planned = ""
        self.progress_lines = (*self.progress_lines[-49:], text)
        self._app.refresh_screens()

    def stopped(self) -> bool:
        return self._stopping

    def finished(self, run: RunView, step: Step) -> None:
        self.running_step = ""  # the next one may have to be asked for a value first
        self._shown(run)

    async def value(self, step: Step, parameter: OpenParameter) -> str | None:
        from tui.dialogs.dialog import TextPrompt

        dialog = TextPrompt(
            "run it with",
            [self._question(step), asked_text(parameter)],
            parameter.name,
            required=step.mutates,
            choices=tuple(zip_longest(parameter.choices, parameter.reasons, fillvalue="")),
        )
        value: str | None = await self._app.push_screen_wait(dialog)
        self._plans(step)
        return value

    async def answer(self, run: RunView, step: Step, problem: str) -> str:
        from tui.dialogs.dialog import Answers

        return await self._app.push_screen_wait(Answers(step, run, problem)) or ""

    async def did(self, run: RunView, step: Step) -> str:
        from tui.dialogs.dialog import by_hand

        values = run.values(step.id)
        prompt = by_hand(fill(step.question, values), known_change(step, values))
        return await self._app.push_screen_wait(prompt) or ""

    async def agree(self, plan: ProbePlan) -> bool:
        from tui.dialogs.plans import ProbeDialog

        self._app.planned = ""
        agreed: bool = await self._app.push_screen_wait(ProbeDialog(plan))
        if not agreed:
            self._app.tell("The probe was not run.")
        return agreed

    async def confirm(self, plan: ActionPlan, changed: str) -> str:
        from tui.dialogs.plans import GateDialog

        self._app.planned = ""
        typed = await self._app.push_screen_wait(GateDialog(plan, self._app.view, changed))
        if not typed:
            self._app.tell("Nothing was changed.")
        return typed or ""


def asked_text(parameter: OpenParameter) -> str:
    """What a dialog says of a parameter; its choices stand below with their reasons."""
    many = len(parameter.choices)
    said = (
        f"{many} fit; choose one or type another" if many > 1 else parameter.origin or "not known"
    )
    return f"{parameter.name}: {said}"


def end_text(end: str, keys: Keys) -> str:
    """Why no step is next, in words."""
    if end.startswith("runbook:"):
        press = named("; press {runbook.choose_runbook}", keys)
        return f"the last answer leads to the runbook {end.removeprefix('runbook:')}{press}"
    return {
        "escalate": "the last answer says to call for help.",
        "done": "the runbook is done.",
    }.get(end, "this runbook has no steps" + named("; {runbook.read} reads it.", keys))

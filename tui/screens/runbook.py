"""The screen `runbook`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import zip_longest

from textual import on, work
from textual.containers import Container
from textual.widget import Widget

from cluster.kube.objects import Ref
from incident.walkthrough.run import RunView, StepState
from runbooks.model import Step, StepKind
from runbooks.parameters import PLACE
from runbooks.steps import command, fill, known_change
from text.keys import named
from text.lines import BLANK, prose, rule
from text.runbook import (
    progress_text,
    runs_lines,
    step_lines,
    steps_lines,
)
from text.runbook_page import runbook_lines, section_lines
from text.words import plural
from tui.dialogs.dialog import TextPrompt, by_hand
from tui.help import key_line
from tui.keys import bindings
from tui.line_pane import LinePane, PaneHeading
from tui.screens.frame import Frame
from tui.walkthrough import asked_text

NONE_OPEN = (
    "No runbook is open. Choose a symptom on the first screen and press enter, or choose one from "
    "the catalogue."
)
BEGINNINGS = (
    ("runbook.choose_runbook", "choose a runbook"),
    (".symptom", "describe a symptom"),
    (".now", "what is wrong now"),
)


class RunbookScreen(Frame):
    """Steps at the left, the chosen one at the right. Nothing runs without a key; nothing changes
    without the gate."""

    SCOPE = "runbook"
    BINDINGS = bindings("runbook")

    def __init__(self) -> None:
        super().__init__()
        self._head = PaneHeading(classes="head")
        self._step_head = PaneHeading(classes="head")
        self._steps = LinePane(classes="main steps")
        self._step = LinePane(classes="step")
        self._right = Container(self._step_head, self._step, classes="pane right")
        self._at = ""
        """Run id and step that were last shown: the cursor follows the run and ignores other
        repaints."""
        self._made: tuple[str, str, datetime | None] | None = None
        """The change that enter said to be made: run, step, time. A number of the record is -1 for
        each change until it is on disk."""

    def body(self) -> Iterable[Widget]:
        left = Container(self._head, self._steps, classes="pane left")
        yield Container(left, self._right, classes="panes runbook-panes")

    @property
    def chosen(self) -> Step | None:
        run = self.stanch.open_run.run
        return run.runbook.step(self._steps.target) if run else None

    @property
    def subjects(self) -> Sequence[Ref]:
        run = self.stanch.open_run.run
        symptoms = (each.symptom for each in self.view.symptoms)
        return next((s.objects for s in symptoms if run and s.id == run.symptom_id), ())

    def draw(self) -> None:
        opened = self.stanch.open_run
        opened.refresh()
        run = opened.run
        if run is None:
            self._draw_list()
            return
        self._right.display = True
        others = len(opened.progress_by_runbook()) - 1
        hint = f"{self.keys['.runbook']}: {plural(others, 'other')} open" if others > 0 else ""
        self._head.show(lambda _: [rule(f"{run.runbook.id} ─ {progress_text(run)}", hint)])
        self._steps.show(lambda _: steps_lines(run, opened.running_step))
        at = f"{run.id} {opened.at}"
        if at != self._at:
            self._at = at
            self.call_after_refresh(self._steps.move_to, opened.at)
        self._draw_step()

    def _draw_list(self) -> None:
        """Which runbooks are open in this incident."""
        runs, now, self._at = self.stanch.open_run.runs(), self.now, ""
        self._right.display = False
        if not runs:
            ways = [(self.keys[action], what) for action, what in BEGINNINGS]
            self._head.show(lambda _: [rule("runbook")])
            self._steps.show(lambda _: [BLANK, *prose(NONE_OPEN), BLANK, key_line(ways)])
            return
        title = f"{plural(len(runs), 'runbook')} open in this incident"
        hint = named("enter opens, {runbook.choose_runbook} another", self.keys)
        self._head.show(lambda _: [rule(title, hint)])
        self._steps.show(lambda _: runs_lines(runs, now))

    def _draw_step(self) -> None:
        opened, now, keys = self.stanch.open_run, self.now, self.keys
        run, step = opened.run, self.chosen
        if run is None:
            return
        if step is None:
            section = run.runbook.section(self._steps.target.removeprefix("section:"))
            self._step_head.show(lambda _: [rule("read")])
            self._step.show(
                lambda _: section_lines(section) if section else runbook_lines(run.runbook)
            )
            return
        running = opened.running_step == step.id
        progress = opened.progress_lines if opened.progress_step == step.id else ()
        result = run.results.get(step.id)
        self._step_head.show(lambda _: [rule(f"step {step.id}")])
        self._step.show(
            lambda width: step_lines(run, step, now, width, running, progress, result, keys)
        )

    @on(LinePane.Highlighted)
    def step_chosen(self, event: LinePane.Highlighted) -> None:
        if event.pane is self._steps:
            self._step.scroll_home(animate=False)
            self._draw_step()

    @on(LinePane.Chosen)
    def step_entered(self, event: LinePane.Chosen) -> None:
        self.action_run_step()

    def action_run_step(self) -> None:
        """Runs the chosen step; in the list of runbooks opens the chosen one."""
        opened = self.stanch.open_run
        if opened.run is None:
            if any(run.id == self._steps.target for run in opened.runs()):
                opened.show(self._steps.target)
            else:
                self.stanch.action_choose_runbook()
        elif (step := self._chosen_step()) and not self._asks_again(opened.run, step):
            opened.do(step)

    def _asks_again(self, run: RunView, step: Step) -> bool:
        """Whether a change that was made needs a second enter before it is planned again."""
        outcome = run.outcomes.get(step.id)
        if step.kind is not StepKind.ACTION or outcome is None:
            return False
        made = run.id, step.id, outcome.at
        if outcome.state is not StepState.DONE or made == self._made:
            return False
        self._made = made
        undo = named("; {runbook.undo_step} undoes it", self.keys) if outcome.undo else ""
        other = named("; {runbook.parameters} first for another object", self.keys)
        self.stanch.tell(f"This change was made{undo}. Enter again plans it once more{other}.")
        return True

    def _chosen_step(self) -> Step | None:
        """The chosen step; says so when there is none."""
        if self.stanch.open_run.run is None:
            ways = "; enter opens the chosen one, {runbook.choose_runbook} another."
            self.stanch.tell("No runbook is shown" + named(ways, self.keys))
        elif self.chosen is None:
            self.stanch.tell("This is a section to read; choose a step with ↑ ↓.")
        return self.chosen

    def action_run_checks(self) -> None:
        step = self.chosen
        run = self.stanch.open_run.run
        if step is None and run is not None:
            section = run.runbook.section(self._steps.target.removeprefix("section:"))
            step = section.steps[0] if section and section.steps else None
        if step := step or self._chosen_step():
            self.stanch.open_run.do_checks(step)

    def action_next_step(self) -> None:
        run = self.stanch.open_run.run
        if run is None:
            self._chosen_step()
            return
        opened = self.stanch.open_run
        opened.next(self._steps.target)
        if opened.run is not None:
            self._steps.move_to(opened.run.current)

    def action_undo_step(self) -> None:
        if step := self._chosen_step():
            self.stanch.open_run.undo(step)

    def action_stop(self) -> None:
        self.stanch.open_run.stop()

    def action_go_to_step(self) -> None:
        if step := self._chosen_step():
            self.stanch.open_run.go_to(step.id)

    def action_choose_runbook(self) -> None:
        self.stanch.action_choose_runbook()

    def action_read(self) -> None:
        run = self.stanch.open_run.run
        if run is None:
            self._chosen_step()
        else:
            from tui.screens.reading import Reading

            self.app.push_screen(Reading(run.runbook.id, lambda _: runbook_lines(run.runbook)))

    def _question(self, step: Step) -> str:
        run = self.stanch.open_run.run
        return fill(step.question, run.values(step.id) if run else {})

    def action_copy(self) -> None:
        """Copies the command whole, unwrapped; not one in which a value is missing."""
        step, run = self._chosen_step(), self.stanch.open_run.run
        if step is None or run is None:
            return
        if not step.kubectl:
            self.stanch.tell("This step has no command.")
            return
        text = command(step, run.values(step.id))
        if PLACE.search(text):
            press = named("; press {runbook.parameters}.", self.keys)
            self.stanch.tell(f"A value of this command is not known{press}", "warning")
            return
        self.stanch.copy(text)

    @work(exit_on_error=False)
    async def action_by_hand(self) -> None:
        step, run = self._chosen_step(), self.stanch.open_run.run
        if step is None or run is None:
            return
        if not step.mutates:
            self.stanch.tell("This step changes nothing; enter asks for its answer.")
            return
        did = known_change(step, run.values(step.id))
        said = await self.app.push_screen_wait(by_hand(self._question(step), did))
        if said:
            self.stanch.open_run.done_by_hand(step, said)

    @work(exit_on_error=False)
    async def action_skip_step(self) -> None:
        step = self._chosen_step()
        if step is None:
            return
        reason = await self.app.push_screen_wait(
            TextPrompt(
                "skip this step",
                [self._question(step), "Why is it skipped? The record keeps the reason."],
                "reason",
            )
        )
        if reason:
            self.stanch.open_run.skip(step.id, reason)

    @work(exit_on_error=False)
    async def action_parameters(self) -> None:
        """Each parameter of the step in turn; Escape ends."""
        opened, step = self.stanch.open_run, self._chosen_step()
        if opened.run is None or step is None:
            return
        wanted = opened.run.parameters.get(step.id, ())
        if not wanted:
            self.stanch.tell("This step has no parameters.")
        for parameter in wanted:
            known = f"{parameter.name}, now from: {parameter.origin}"
            said = known if parameter.value else asked_text(parameter)
            choices = tuple(zip_longest(parameter.choices, parameter.reasons, fillvalue=""))
            value = await self.app.push_screen_wait(
                TextPrompt(
                    "run it with",
                    [self._question(step), said],
                    parameter.name,
                    parameter.value,
                    required=False,
                    choices=choices,
                )
            )
            if value is None:
                return
            if value != parameter.value:
                opened.set_parameter(parameter.name, value)

"""`stanch run ID`: the steps of a runbook on a plain terminal, by questions and answers. Made for
dumb terminals and screen readers."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from itertools import zip_longest

from actions.plan import ActionPlan
from cli import exits
from cli.connection import opened, options_of
from cli.exits import Refusal
from cli.printing import print_lines, width
from cli.prompt import Prompt
from incident.record import RecordUnavailable
from incident.session import LiveInvestigation
from incident.walkthrough.answers import InvalidAnswer, accepted, offered, state_of
from incident.walkthrough.run import OpenParameter, RunView, StepOutcome, StepState
from incident.walkthrough.walkthrough import NothingToUndo
from probes.result import ProbePlan
from runbooks import steps
from runbooks.model import ESCALATE, Step, StepKind
from text import action_plan, probe
from text.lines import BLANK, line, prose, rule
from text.runbook import (
    changed_lines,
    outcome_lines,
    progress_text,
    step_lines,
    verified_text,
)
from text.runbook_page import runbook_lines, section_lines
from timeline.story import next_mark

Ask = Callable[[str], Awaitable[str]]
NATURES = {
    StepKind.CHECK: "read-only",
    StepKind.WAIT: "read-only",
    StepKind.PROBE: "probe",
    StepKind.ACTION: "CHANGE",
}
ENDS = {
    "done": "end of the runbook: done",
    "escalate": "end of the runbook: call for help",
    "": "end of the runbook",
}
KEYS = (
    ("enter", "run the step, or show its change"),
    ("1-9", "give an answer by its number; its word works too"),
    ("s", "skip it, with a reason"),
    ("b", "back to the step before"),
    ("i", "run all read-only checks of this part"),
    ("e", "change a value that it runs with"),
    ("u", "undo the last change"),
    ("h", "say that you made the change yourself"),
    ("y", "print its command alone, whole"),
    ("v", "read the whole runbook, with its story"),
    ("c", "the runbooks that are open in this incident"),
    ("n", "take a note: n TEXT"),
    ("q", "stop; the next run continues here"),
)
LATER = "stopped; the next run continues here"


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    async with opened(options_of(arguments)) as investigation:
        if problem := investigation.view.problem or investigation.view.api.reason:
            print(f"stanch: {problem}", file=sys.stderr)
        try:
            begun = investigation.walkthrough.open(arguments.runbook, arguments.symptom)
        except KeyError as error:
            raise Refusal(str(error.args[0])) from error
        return await Terminal(investigation, begun, Prompt()).go()


class Terminal:
    """Asks one question at a time; the engine of `incident` decides what comes next. `ask` reads a
    line and raises EOFError at the end of the input."""

    def __init__(self, investigation: LiveInvestigation, run: RunView, ask: Ask) -> None:
        self._investigation = investigation
        self._engine = investigation.walkthrough
        self._run = run
        self._ask = ask

    async def go(self) -> int:
        book = self._run.runbook
        print_lines([line((book.title, "strong"))])
        for section in book.sections:
            if section.slug in ("what-it-looks-like", "do-not"):
                print_lines([BLANK, *section_lines(section)])
        if self._run.changed_text:
            print_lines(changed_lines(self._run, width()))
        try:
            while step := book.step(self._run.current):
                self._show(step)
                if not await self._choose(step):
                    break
                await self._offer_mark(step)
        except EOFError:
            print()
        print(self._end() if not self._run.current else LATER)
        if not self._run.current and self._run.end == ESCALATE:
            print(f"\n{await self._investigation.brief()}", end="")
        return exits.ANSWERED

    async def _offer_mark(self, step: Step) -> None:
        """Verify has passed: offers to mark the incident, unless it is marked."""
        mark = next_mark(self._investigation.entries())
        if not mark or not self._run.verified(step):
            return
        reply = (await self._ask(f"  Verify passed; mark it as {mark}? yes or no: ")).strip()
        if reply.lower() in ("y", "yes"):
            said = verified_text(self._run, step)
            entry = self._investigation.note(f"!{mark} {said}")
            try:
                await self._investigation.recorded(entry)
            except RecordUnavailable as error:
                say(f"{error}: {entry.text}")
            else:
                say(f"Noted: {mark}.")

    def _end(self) -> str:
        end = self._run.end
        if end.startswith("runbook:"):
            return f"continue with: stanch run {end.removeprefix('runbook:')}"
        return ENDS[end]

    def _show(self, step: Step) -> None:
        number = [each.id for each in self._run.runbook.steps()].index(step.id) + 1
        heading = rule(f"step {number} ({NATURES.get(step.kind, 'you')})")
        print_lines(
            [heading, *step_lines(self._run, step, self._investigation.view.as_of, width())]
        )

    async def _choose(self, step: Step) -> bool:
        """Ask until the run goes on; False to stop."""
        while True:
            reply = (await self._ask(self._keys(step))).strip()
            match reply:
                case "q":
                    return False
                case "s":
                    reason = (await self._ask("  why is it skipped? ")).strip()
                    self._run = self._engine.skip(
                        self._run.id, step.id, reason or "no reason given"
                    )
                    return True
                case "b":
                    self._back(step)
                    return True
                case "i" if step.kind is StepKind.CHECK:
                    self._run = await self._engine.do_checks(self._run.id, step.id, self)
                    return True
                case "e" if self._run.parameters.get(step.id):
                    await self._change(step)
                    return True
                case "u":
                    if await self._undo():
                        return True
                case "v":
                    print_lines(runbook_lines(self._run.runbook))
                case "y":
                    say_command(self._run, step)
                case "h":
                    if await self._by_hand(step):
                        return True
                case "c":
                    self._others()
                case "?":
                    print_lines([line("  ", (key, "key"), f"  {does}") for key, does in KEYS])
                case _ if reply == "n" or reply.startswith("n "):
                    self._note(reply[1:].strip() or (await self._ask("  note: ")).strip())
                case "":
                    if await self._do(step):
                        return True
                case _:
                    if await self._answered(step, reply):
                        return True

    def _keys(self, step: Step) -> str:
        runs = step.kind in (StepKind.CHECK, StepKind.WAIT, StepKind.PROBE)
        first = (
            "[enter] run it, or "
            if runs
            else "[enter] show the change, or "
            if step.kind is StepKind.ACTION and self._investigation.view.write
            else ""
        )
        checks = steps.stage(self._run.runbook, step) if step.kind is StepKind.CHECK else ()
        undoable = self._undoable()
        more = [
            "s skip",
            "e change a value" if self._run.parameters.get(step.id) else "",
            f"i run all {len(checks)} read-only checks of this part" if len(checks) > 1 else "",
            f"u undo {undoable}" if undoable else "",
        ]
        return f"  {first}an answer, {', '.join(filter(None, more))}, b back, ? all keys, q stop: "

    async def _by_hand(self, step: Step) -> bool:
        """Record a change that a person made themselves; False when there is none to record."""
        if not step.mutates:
            print("  this step changes nothing; give its answer")
            return False
        done = next((a for a in offered(step) if state_of(step, a) is StepState.DONE), "")
        if not done:
            print(f"  this step has no answer for done; it takes: {', '.join(offered(step))}")
            return False
        return await self._answered(step, done)

    def _others(self) -> None:
        """The open runbooks of this incident, and how to continue each."""
        for run in self._engine.runs():
            here = " (this one)" if run.id == self._run.id else ""
            say(f"stanch run {run.runbook.id}: {progress_text(run)}{here}")

    def _note(self, text: str) -> None:
        if not text:
            return
        try:
            entry = self._investigation.note(text)
        except ValueError as error:
            say(str(error))
        else:
            remark = f" ({entry.reason})" if entry.reason else ""
            say(f"noted for {entry.occurred_at:%H:%M:%S} UTC: {entry.text}{remark}")

    async def _do(self, step: Step) -> bool:
        """Run the step; False when nothing came of it."""
        if step.kind is StepKind.ASK:
            return False
        if step.kind is StepKind.ACTION and not self._investigation.view.write:
            print("  this session is read-only; do it by hand, or start with --write")
            return False
        before = self._run.outcomes.get(step.id)
        self._run = await self._engine.do(self._run.id, step.id, self)
        return self._run.outcomes.get(step.id) != before and self._run.current != step.id

    async def _answered(self, step: Step, reply: str) -> bool:
        try:
            answer = accepted(step, reply)
            did = ""
            done = step.mutates and state_of(step, answer) is StepState.DONE
            if done and not (did := await self.did(self._run, step)):
                return False
            self._run = self._engine.answer(self._run.id, step.id, answer, did)
        except InvalidAnswer as error:
            say(str(error))
            return False
        self.finished(self._run, step)
        return True

    def _undoable(self) -> str:
        """Id of the step whose change was made last and can be undone, "" when there is none."""
        made = [name for name, outcome in self._run.outcomes.items() if outcome.undo]
        return made[-1] if made else ""

    async def _undo(self) -> bool:
        try:
            step_id = self._undoable() or self._run.current
            self._run = await self._engine.undo(self._run.id, step_id, self)
        except NothingToUndo as error:
            say(str(error))
            return False
        return True

    def _back(self, step: Step) -> None:
        order = [each.id for each in self._run.runbook.steps()]
        done = [each for each in order if each in self._run.outcomes and each != step.id]
        target = done[-1] if done else order[max(0, order.index(step.id) - 1)]
        self._run = self._engine.go_to(self._run.id, target)

    async def _change(self, step: Step) -> None:
        """Another value for a parameter; the step is shown again with it."""
        named = [each.name for each in self._run.parameters.get(step.id, ())]
        name, equals, value = (await self._ask("  NAME=VALUE: ")).strip().partition("=")
        if not equals or name.strip() not in named:
            print(f"  not changed: write one of {', '.join(sorted(named))}, then = and its value")
            return
        try:
            self._run = self._engine.set_parameter(self._run.id, name.strip(), value.strip())
        except InvalidAnswer as error:
            say(str(error))

    # -- what the engine asks and tells (`incident.walkthrough.face.Face`)

    def began(self, step: Step) -> None:
        question = steps.fill(step.question, self._run.values(step.id))
        if step.id != self._run.current:
            say(question)

    def progress(self, text: str) -> None:
        print(f"  {text}")

    def stopped(self) -> bool:
        return False  # Ctrl-C ends the program; the record shows what is unknown.

    def finished(self, run: RunView, step: Step) -> None:
        self._run = run
        outcome = run.outcomes.get(step.id, StepOutcome(StepState.UNKNOWN))
        now = self._investigation.view.as_of
        print_lines([*outcome_lines(step, outcome, run.values(step.id), now), BLANK])

    async def value(self, step: Step, parameter: OpenParameter) -> str | None:
        say(f"{parameter.name}: {parameter.origin}")
        for number, (value, reason) in enumerate(
            zip_longest(parameter.choices, parameter.reasons, fillvalue=""), 1
        ):
            print_lines([line(f"   {number} ", (value, "key"), f"  {reason}")])
        free = "" if step.mutates else ", [enter] without it"
        reply = (await self._ask(f"  value for {parameter.name}{free}, q not now: ")).strip()
        if reply.isdecimal() and 0 < int(reply) <= len(parameter.choices):
            return parameter.choices[int(reply) - 1]
        return None if reply == "q" or (not reply and step.mutates) else reply

    async def answer(self, run: RunView, step: Step, problem: str) -> str:
        if problem:
            say(problem)
        return (await self._ask("  your answer: ")).strip()

    async def did(self, run: RunView, step: Step) -> str:
        known = steps.known_change(step, run.values(step.id))
        given = "[enter] the command above, " if known else ""
        did = (await self._ask(f"  what was done? {given}q not now: ")).strip()
        if did == "q":
            print("  nothing was recorded")
            return ""
        return did or known

    async def agree(self, plan: ProbePlan) -> bool:
        print_lines(probe.plan_lines(plan))
        if plan.refused:
            return False
        while True:
            reply = (await self._ask("  do this? yes or no: ")).strip().lower()
            if reply in ("yes", "y", "no", "n", ""):
                return reply.startswith("y")
            say(f"“{reply}” is neither yes nor no")

    async def confirm(self, plan: ActionPlan, changed: str) -> str:
        if changed:
            say(changed)
        print_lines(action_plan.plan_lines(plan))
        if plan.refused:
            return ""
        typed = await self._ask(
            f"  to do it, type exactly  {plan.confirmation}  ({plan.confirmation_reason}); "
            "anything else cancels: "
        )
        if typed.strip() != plan.confirmation:
            print("  nothing was changed")
        return typed.strip()


def say_command(run: RunView, step: Step) -> None:
    """The command of the step, whole and alone on its lines."""
    values = run.values(step.id)
    if unknown := steps.unknown(step, values):
        say(f"not known yet: {', '.join(unknown)}; e gives it a value")
    else:
        print(steps.known_command(step, values) or "  it has no command")


def say(text: str) -> None:
    """A sentence about the step."""
    print_lines(prose(text, indent=2))

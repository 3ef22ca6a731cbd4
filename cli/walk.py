"""`stanch run ID`: the steps of a runbook on a plain terminal, by questions and answers. Made for dumb terminals and screen readers."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable

from cli import exits
from cli.connection import options_of, read_once
from cli.exits import Refusal
from incident.runs import RunView, StepOutcome, StepState
from incident.session import LiveInvestigation
from runbooks import steps
from runbooks.model import Step, StepKind

Ask = Callable[[str], str]


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    investigation = LiveInvestigation(options_of(arguments))
    await investigation.start()
    try:
        view = await read_once(investigation, 20.0)
        if view.problem or view.api.reason:
            print(f"stanch: {view.problem or view.api.reason}", file=sys.stderr)
        try:
            walk = investigation.open_run(arguments.runbook, arguments.symptom or best_symptom(investigation, arguments.runbook))
        except KeyError as error:
            raise Refusal(str(error.args[0])) from error
        return await Walkthrough(investigation, walk).go()
    finally:
        await investigation.stop()


def best_symptom(investigation: LiveInvestigation, runbook: str) -> str:
    """The symptom that the runbook fits best, "" when it fits none."""
    scored = [(match.score, view.symptom.id) for view in investigation.view.symptoms for match in view.matches if match.id == runbook]
    return max(scored)[1] if scored else ""


class Walkthrough:
    """Asks one question at a time; `ask` reads a line and raises EOFError at the end of input."""

    def __init__(self, investigation: LiveInvestigation, walk: RunView, ask: Ask = input) -> None:
        self._investigation = investigation
        self._walk = walk
        self._ask = ask

    async def go(self) -> int:
        book = self._walk.runbook
        print(f"{book.title}\n")
        for section in book.sections:
            if section.slug in ("what-it-looks-like", "do-not"):
                print(f"{section.title}\n{section.text.strip()}\n")
        if self._walk.changed_text:
            print("The runbook was edited since this walk began:\n" + self._walk.changed_text + "\n")
        while self._walk.current:
            step = book.step(self._walk.current)
            if step is None:
                break
            try:
                if not await self._step(step):
                    break
            except EOFError:
                print("\nstopped; the walk goes on here the next time")
                return exits.ANSWERED
        print("end of the runbook" if not self._walk.current else "stopped; the walk goes on here the next time")
        return exits.ANSWERED

    async def _step(self, step: Step) -> bool:
        """One step; False to stop."""
        values = {value.name: value.value for value in self._walk.parameters}
        number = [each.id for each in self._walk.runbook.steps()].index(step.id) + 1
        nature = {StepKind.CHECK: "read-only", StepKind.WAIT: "read-only", StepKind.PROBE: "probe", StepKind.ACTION: "CHANGE"}.get(
            step.kind, "you"
        )
        print(f"step {number} ({nature}): {steps.fill(step.question, values)}")
        if step.why:
            print(f"  why: {steps.fill(step.why, values)}")
        print(f"  expected: {steps.fill(step.expected, values)}")
        if step.blast:
            print(f"  touches: {steps.fill(step.blast, values)}")
            print(f"  undo: {steps.fill(step.undo, values)}")
        if step.kubectl:
            print(f"  by hand: {steps.command(step, values)}")
        before = self._walk.outcomes.get(step.id)
        if before is not None and before.state is StepState.UNKNOWN and not before.goto:
            print(f"  NOTE: {before.meaning}")
        print("  answers: " + "; ".join(f"{answer.when}: {answer.means}" for answer in step.answers))
        return await self._choose(step, values)

    async def _choose(self, step: Step, values: dict[str, str]) -> bool:
        runs = step.kind in (StepKind.CHECK, StepKind.WAIT, StepKind.PROBE)
        prompt = "  [enter] run it, or " if runs else "  "
        while True:
            reply = self._ask(f"{prompt}an answer, s skip, b back, q stop: ").strip()
            if reply == "q":
                return False
            if reply == "s":
                self._walk = self._investigation.skip_step(
                    self._walk.id, step.id, self._ask("  why is it skipped? ").strip() or "no reason given"
                )
                return True
            if reply == "b":
                self._back(step)
                return True
            if not reply and step.kind in (StepKind.CHECK, StepKind.WAIT):
                self._walk = await self._investigation.do_step(self._walk.id, step.id, lambda line: print(f"  {line}"))
                self._tell(step)
                return True
            if not reply and step.kind is StepKind.PROBE:
                if await self._probe(step, values):
                    return True
                continue
            if reply:
                self._walk = self._investigation.answer_step(self._walk.id, step.id, reply)
                self._tell(step)
                return True

    async def _probe(self, step: Step, values: dict[str, str]) -> bool:
        from cli.probe import plan_lines, result_lines

        plan = await self._investigation.plan_probe(step.uses, steps.arguments(step, values), self._walk.id, step.id)
        for line in plan_lines(plan):
            print(f"  {line}")
        if plan.refused or (plan.needs_agreement and self._ask("  do this? type yes: ").strip() != "yes"):
            return False
        result = await self._investigation.run_probe(plan, lambda line: print(f"  {line}"))
        for line in result_lines(result):
            print(f"  {line}")
        self._walk = self._investigation.open_run(self._walk.runbook.id, self._walk.symptom_id)
        self._tell(step)
        return True

    def _back(self, step: Step) -> None:
        order = [each.id for each in self._walk.runbook.steps()]
        done = [each for each in order if each in self._walk.outcomes and each != step.id]
        target = done[-1] if done else order[max(0, order.index(step.id) - 1)]
        self._walk = self._investigation.go_to_step(self._walk.id, target)

    def _tell(self, step: Step) -> None:
        outcome = self._walk.outcomes.get(step.id, StepOutcome(StepState.UNKNOWN))
        print(f"  {outcome.state.value}: {outcome.seen}")
        if outcome.meaning:
            print(f"  this means: {outcome.meaning}")
        print()

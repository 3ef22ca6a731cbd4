"""`stanch run ID`: the steps of a runbook on a plain terminal, by questions and answers. Made for
dumb terminals and screen readers."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence

from cli import exits
from cli.connection import options_of, read_once
from cli.exits import Refusal
from incident.session import LiveInvestigation
from incident.walkthrough.run import RunView, StepOutcome, StepState
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
            walk = investigation.open_run(
                arguments.runbook,
                arguments.symptom or best_symptom(investigation, arguments.runbook),
            )
        except KeyError as error:
            raise Refusal(str(error.args[0])) from error
        return await Walkthrough(investigation, walk).go()
    finally:
        await investigation.stop()


def best_symptom(investigation: LiveInvestigation, runbook: str) -> str:
    """The symptom that the runbook fits best, "" when it fits none."""
    scored = [
        (match.score, view.symptom.id)
        for view in investigation.view.symptoms
        for match in view.matches
        if match.id == runbook
    ]
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
                print(f"{section.title}\n{_prose(section.text)}\n")
        if self._walk.changed_text:
            print(
                "The runbook was edited since this walk began:\n" + self._walk.changed_text + "\n"
            )
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
        print(
            "end of the runbook"
            if not self._walk.current
            else "stopped; the walk goes on here the next time"
        )
        return exits.ANSWERED

    async def _step(self, step: Step) -> bool:
        """One step; False to stop."""
        values = {value.name: value.value for value in self._walk.parameters}
        number = [each.id for each in self._walk.runbook.steps()].index(step.id) + 1
        nature = {
            StepKind.CHECK: "read-only",
            StepKind.WAIT: "read-only",
            StepKind.PROBE: "probe",
            StepKind.ACTION: "CHANGE",
        }.get(step.kind, "you")
        print(_prose(f"step {number} ({nature}): {steps.fill(step.question, values)}"))
        if step.why:
            print(_prose(f"why: {steps.fill(step.why, values)}", "  "))
        print(_prose(f"expected: {steps.fill(step.expected, values)}", "  "))
        if step.blast:
            print(_prose(f"touches: {steps.fill(step.blast, values)}", "  "))
            print(_prose(f"undo: {steps.fill(step.undo, values)}", "  "))
        if step.kubectl:
            print(f"  by hand: {steps.command(step, values)}")
        before = self._walk.outcomes.get(step.id)
        if before is not None and before.state is StepState.UNKNOWN and not before.goto:
            print(f"  NOTE: {before.meaning}")
        self._parameters(step)
        print("  answers:")
        for answer in step.answers:
            print(_prose(f"{answer.when}: {answer.means}", "    "))
        return await self._choose(step, values)

    async def _choose(self, step: Step, values: dict[str, str]) -> bool:
        runs = step.kind in (StepKind.CHECK, StepKind.WAIT, StepKind.PROBE)
        acts = step.kind is StepKind.ACTION and self._investigation.view.write
        prompt = (
            "  [enter] run it, or " if runs else "  [enter] show the change, or " if acts else "  "
        )
        more = "p change a parameter, " if self._named(step) else ""
        checks = self._stage(step)
        more += (
            f"a run all {len(checks)} read-only checks of this part, " if len(checks) > 1 else ""
        )
        while True:
            reply = self._ask(f"{prompt}an answer, s skip, {more}b back, q stop: ").strip()
            if reply == "q":
                return False
            if reply == "s":
                self._walk = self._investigation.skip_step(
                    self._walk.id,
                    step.id,
                    self._ask("  why is it skipped? ").strip() or "no reason given",
                )
                return True
            if reply == "b":
                self._back(step)
                return True
            if reply == "a" and len(checks) > 1:
                for check in checks:
                    print(
                        _prose(
                            steps.fill(
                                check.question,
                                {value.name: value.value for value in self._walk.parameters},
                            ),
                            "  ",
                        )
                    )
                    self._walk = await self._investigation.do_step(
                        self._walk.id, check.id, lambda line: print(f"  {line}")
                    )
                    self._tell(check)
                self._follow(checks)
                return True
            if reply == "p" and self._named(step):
                self._change(step)
                return True
            if not reply and acts:
                if await self._act(step, values):
                    return True
                continue
            if not reply and step.kind in (StepKind.CHECK, StepKind.WAIT):
                self._walk = await self._investigation.do_step(
                    self._walk.id, step.id, lambda line: print(f"  {line}")
                )
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

        plan = await self._investigation.plan_probe(
            step.uses, steps.arguments(step, values), self._walk.id, step.id
        )
        for line in plan_lines(plan):
            print(f"  {line}")
        if plan.refused or (
            plan.needs_agreement and self._ask("  do this? type yes: ").strip() != "yes"
        ):
            return False
        result = await self._investigation.run_probe(plan, lambda line: print(f"  {line}"))
        for line in result_lines(result):
            print(f"  {line}")
        self._walk = self._investigation.open_run(self._walk.runbook.id, self._walk.symptom_id)
        self._tell(step)
        return True

    async def _act(self, step: Step, values: dict[str, str]) -> bool:
        """One change through the gate, when its confirmation is typed exactly; False when nothing
        was done."""
        from cli.gate import action_lines

        plan = await self._investigation.plan_action(
            step.uses, steps.arguments(step, values), self._walk.id, step.id
        )
        for line in action_lines(plan):
            print(f"  {line}")
        if plan.refused:
            return False
        typed = self._ask(
            f"  to do it, type exactly  {plan.confirmation}  ({plan.confirmation_reason}); "
            "anything else leaves it: "
        ).strip()
        if typed != plan.confirmation:
            self._investigation.decline_action(plan, "not confirmed")
            print("  nothing was changed")
            return False
        await self._investigation.run_action(plan, typed)
        self._walk = self._investigation.open_run(self._walk.runbook.id, self._walk.symptom_id)
        self._tell(step)
        return True

    def _stage(self, step: Step) -> tuple[Step, ...]:
        """The read-only checks of the step's section that are still open."""
        if step.kind is not StepKind.CHECK:
            return ()
        done = {
            name
            for name, outcome in self._walk.outcomes.items()
            if outcome.state not in (StepState.TODO, StepState.NOW)
        }
        return tuple(each for each in steps.stage(self._walk.runbook, step) if each.id not in done)

    def _follow(self, checks: Sequence[Step]) -> None:
        """Stand where the first abnormal answer leads, past the checks that were just answered."""
        outcomes, book = self._walk.outcomes, self._walk.runbook
        words = {StepState.PASSED: "pass", StepState.FAILED: "fail"}
        at = next((each for each in checks if outcomes[each.id].state is StepState.FAILED), None)
        for _ in checks:
            lead = (
                steps.next_step(book, at, words.get(outcomes[at.id].state, "unknown"))
                if at is not None
                else None
            )
            if lead is None or lead.lead is not steps.Lead.STEP:
                return
            at = next((each for each in checks if each.id == lead.target), None)
            if at is None:
                self._walk = self._investigation.go_to_step(self._walk.id, lead.target)
                return

    def _named(self, step: Step) -> set[str]:
        return set(steps.names(step))

    def _parameters(self, step: Step) -> None:
        """The values that fill this step, and where each comes from."""
        named = self._named(step)
        shown = [value for value in self._walk.parameters if value.name in named]
        if shown:
            print(
                _prose(
                    "with: "
                    + "; ".join(
                        f"{value.name}={value.value or '?'} ({value.origin})" for value in shown
                    ),
                    "  ",
                )
            )

    def _change(self, step: Step) -> None:
        """Another value for a parameter; the step is asked anew."""
        name, equals, value = self._ask("  NAME=VALUE: ").strip().partition("=")
        if not equals or name.strip() not in self._named(step):
            print(
                f"  not changed: write one of {', '.join(sorted(self._named(step)))}, then = and "
                "its value"
            )
            return
        self._walk = self._investigation.set_parameter(self._walk.id, name.strip(), value.strip())

    def _back(self, step: Step) -> None:
        order = [each.id for each in self._walk.runbook.steps()]
        done = [each for each in order if each in self._walk.outcomes and each != step.id]
        target = done[-1] if done else order[max(0, order.index(step.id) - 1)]
        self._walk = self._investigation.go_to_step(self._walk.id, target)

    def _tell(self, step: Step) -> None:
        outcome = self._walk.outcomes.get(step.id, StepOutcome(StepState.UNKNOWN))
        print(_prose(f"{outcome.state.value}: {outcome.seen}", "  "))
        if outcome.meaning:
            print(_prose(f"this means: {outcome.meaning}", "  "))
        print()


def _prose(text: str, indent: str = "") -> str:
    """Paragraphs and list items wrapped between words, for terminals that break lines anywhere."""
    width = max(40, min(shutil.get_terminal_size((80, 24)).columns, 120)) - 1
    found: list[str] = []
    for line in text.strip().splitlines():
        hanging = indent + ("  " if indent or line.lstrip().startswith("- ") else "")
        found += textwrap.wrap(
            line,
            width,
            initial_indent=indent,
            subsequent_indent=hanging,
            break_on_hyphens=False,
            break_long_words=False,
        ) or [""]
    return "\n".join(found)

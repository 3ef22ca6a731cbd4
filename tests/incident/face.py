"""A face for tests: answers what the engine asks from what it was given, and keeps what it was
told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actions.plan import ActionPlan
from incident.walkthrough.run import OpenParameter, RunView
from probes.result import ProbePlan
from runbooks.model import Step


class Agreeing:
    """Agrees to every plan. `answers` are given in turn; `values` by parameter name."""

    def __init__(
        self, answers: Sequence[str] = (), values: Mapping[str, str] | None = None
    ) -> None:
        self.answers = list(answers)
        self.values = dict(values or {})
        self.done_by_hand = ""
        """What it says that it did, when asked."""
        self.asked: list[str] = []
        """Names of the parameters that were asked for."""
        self.problems: list[str] = []
        self.plans: list[tuple[ActionPlan, bool]] = []
        """Changes that were to be confirmed, and whether they differed from the one before."""
        self.ran: list[str] = []
        """Ids of the steps that began, in turn."""

    def began(self, step: Step) -> None:
        self.ran.append(step.id)

    def progress(self, text: str) -> None: ...

    def stopped(self) -> bool:
        return False

    def finished(self, run: RunView, step: Step) -> None: ...

    async def value(self, step: Step, parameter: OpenParameter) -> str | None:
        self.asked.append(parameter.name)
        return self.values.get(parameter.name)

    async def answer(self, run: RunView, step: Step, problem: str) -> str:
        self.problems += [problem] if problem else []
        return self.answers.pop(0) if self.answers else ""

    async def did(self, run: RunView, step: Step) -> str:
        return self.done_by_hand

    async def agree(self, plan: ProbePlan) -> bool:
        return not plan.refused

    async def confirm(self, plan: ActionPlan, changed: str) -> str:
        self.plans.append((plan, bool(changed)))
        return "" if plan.refused else plan.confirmation

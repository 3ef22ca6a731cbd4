"""What runs the checks, probes and actions of a step, as the engine asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

from incident.walkthrough.run import NO_STEP, Asker
from runbooks.check import CheckOutcome
from runbooks.model import Query

if TYPE_CHECKING:
    from actions.plan import ActionPlan, ActionResult
    from probes.result import ProbePlan, ProbeResult


Progress = Callable[[str], None]


UnderWay = Callable[[str, str], AbstractAsyncContextManager[Progress]]
"""Shows an activity (key, title) while the context is open."""


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

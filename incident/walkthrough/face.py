"""Questions and reports of the engine to a person; each face implements them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from incident.walkthrough.run import OpenParameter, RunView
from runbooks.model import Step

if TYPE_CHECKING:
    from actions.plan import ActionPlan
    from probes.result import ProbePlan


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

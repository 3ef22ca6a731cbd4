"""All actions by name, collected from `actions.changes`. `plan` is the only way to make a plan,
`run` the only way to make the change."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from types import MappingProxyType

from actions import changes, gate
from actions.context import ActionContext, ActionJournal, Progress
from actions.definition import Action
from actions.plan import ActionPlan, ActionResult
from actions.planning import make_plan


class UnknownAction(ValueError):
    """No action has that name; `str()` lists the existing ones."""


def collect() -> dict[str, Action]:
    """The actions of each module in `actions.changes`, by name."""
    found: dict[str, Action] = {}
    for module in pkgutil.iter_modules(changes.__path__, f"{changes.__name__}."):
        for action in importlib.import_module(module.name).ACTIONS:
            found[action.name] = action
    return dict(sorted(found.items()))


ACTIONS: Mapping[str, Action] = MappingProxyType(collect())


def names() -> tuple[str, ...]:
    return tuple(ACTIONS)


def describe(name: str) -> str:
    """One line. Raises `UnknownAction`."""
    return find(name).summary


def find(name: str) -> Action:
    """Raises `UnknownAction`."""
    if name not in ACTIONS:
        raise UnknownAction(f"There is no action {name!r}; there are {', '.join(ACTIONS)}.")
    return ACTIONS[name]


async def plan(name: str, context: ActionContext, arguments: Mapping[str, str]) -> ActionPlan:
    """What the action would do now: sends only reads, access reviews and dry runs. Raises
    `UnknownAction`."""
    return await make_plan(find(name), context, arguments)


async def run(
    plan_: ActionPlan,
    typed: str,
    context: ActionContext,
    journal: ActionJournal,
    progress: Progress = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> ActionResult:
    """Run a plan through the gate, see `actions.gate.run`."""

    async def again() -> ActionPlan:
        return await plan(plan_.action, context, plan_.arguments)

    verify = find(plan_.action).verify
    return await gate.run(
        plan_, typed, gate.GateRun(context, journal, again, verify, progress, stopped)
    )


def decline(
    plan_: ActionPlan, context: ActionContext, journal: ActionJournal, reason: str = ""
) -> ActionResult:
    """Record that a person said no; sends nothing."""
    return gate.decline(plan_, context, journal, reason)

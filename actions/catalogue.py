"""Every action there is, by name. Each is planned here and run through `actions.gate`; there is no
other way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from actions import gate
from actions.context import ActionContext, Journal
from actions.cordon import plan_cordon, plan_uncordon
from actions.plan import ActionPlan, ActionResult

Planner = Callable[[ActionContext, Mapping[str, str]], Awaitable[ActionPlan]]


class UnknownAction(ValueError):
    """No action has that name; `str()` names those that exist."""


@dataclass(frozen=True, slots=True)
class Action:
    """`parameters`: name -> what it means; all are required. `blast` and `undo` in general words,
    for lists and for the linter."""

    name: str
    summary: str
    parameters: Mapping[str, str]
    blast: str
    undo: str
    planner: Planner


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        action.name: action
        for action in (
            Action(
                "cordon",
                "Let no new pods onto a node.",
                {"node": "name of the node"},
                "No running pod is touched. One node less for new pods.",
                "uncordon",
                plan_cordon,
            ),
            Action(
                "uncordon",
                "Let new pods onto a node again.",
                {"node": "name of the node"},
                "New pods may be placed there at once.",
                "cordon",
                plan_uncordon,
            ),
        )
    }
)


def names() -> tuple[str, ...]:
    return tuple(ACTIONS)


def describe(name: str) -> str:
    """One line. Raises `UnknownAction`."""
    return _find(name).summary


async def plan(name: str, context: ActionContext, arguments: Mapping[str, str]) -> ActionPlan:
    """What the action would do now: read-only, except for a dry run on the server. Raises
    `UnknownAction`."""
    return await _find(name).planner(context, arguments)


async def run(
    plan_: ActionPlan, typed: str, context: ActionContext, journal: Journal
) -> ActionResult:
    """Through the gate, see `actions.gate.run`. Never raises."""

    async def again() -> ActionPlan:
        return await plan(plan_.action, context, plan_.arguments)

    return await gate.run(plan_, typed, context, journal, again)


def decline(
    plan_: ActionPlan, context: ActionContext, journal: Journal, reason: str = ""
) -> ActionResult:
    """A human said no: recorded, nothing sent."""
    return gate.decline(plan_, context, journal, reason)


def _find(name: str) -> Action:
    if name not in ACTIONS:
        raise UnknownAction(f"There is no action {name!r}; there are {', '.join(ACTIONS)}.")
    return ACTIONS[name]

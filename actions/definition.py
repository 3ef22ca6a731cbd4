"""The definition of an action: its name, its typed parameters, and the function that finds its
targets. Each file under `actions/changes/` defines its own as the constant `ACTIONS`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from actions.context import ActionContext
from actions.parameters import Parameter
from actions.plan import ActionPlan, Precondition, Target
from cluster.kube.objects import Ref
from cluster.live.store import Store

MOST_TARGETS = 800
"""Objects that one plan may change: more than the pods that a node may have with any provider."""


class CannotPlan(Exception):
    """The change cannot or must not be made; `str()` is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The targets of a change and what the action knows about them; `actions.planning` adds rights,
    dry run and confirmation."""

    object: Ref
    targets: tuple[Target, ...]
    summary: str = ""
    """One line; "" for that of the first target."""
    preconditions: tuple[Precondition, ...] = ()
    touches: tuple[str, ...] = ()
    """Further effects of the change, one line each."""
    warnings: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    kubectl: str = ""
    """The command that does the same; "" for that of the targets."""
    undo: str = ""
    """The command that undoes it; "" where only the record can."""
    restorable: bool = True
    """Whether restoring the fields from the record undoes it: not after a restart of pods."""


Builder = Callable[[ActionContext, Mapping[str, Any]], Awaitable[Proposal]]
"""(context, parsed values) -> proposal. Reads only. Raises `CannotPlan`."""


@dataclass(frozen=True, slots=True)
class Fit:
    """An action that fits an object: the arguments from the object, and why now. `likely`: the
    state of the object suggests it."""

    arguments: Mapping[str, str]
    why: str = ""
    likely: bool = False


Fits = Callable[[Store, Ref], Fit | None]
"""(live state, object) -> how the action fits it, None when it does not."""


def offered(
    kinds: str,
    arguments: Callable[[Ref], Mapping[str, str]],
    state: Callable[[Any], str | None] = lambda row: "",
) -> Fits:
    """Offers an action for objects of `kinds` (words). `state` says why an object's state suggests
    it, "" when it does not, None when the action does not fit."""

    def fits(store: Store, ref: Ref) -> Fit | None:
        row = store.get(*ref) if ref.kind in kinds.split() else None
        why = state(row) if row is not None else None
        return None if why is None else Fit(arguments(ref), why, likely=bool(why))

    return fits


def by_name(parameter: str) -> Callable[[Ref], Mapping[str, str]]:
    """The object's name, or NAMESPACE/NAME, as that parameter."""
    return lambda ref: {parameter: "/".join(filter(None, ref[1:]))}


def by_kind(parameter: str) -> Callable[[Ref], Mapping[str, str]]:
    """KIND/NAME or KIND/NAMESPACE/NAME as that parameter."""
    return lambda ref: {parameter: "/".join(filter(None, (ref.kind.lower(), *ref[1:])))}


Verify = Callable[[ActionContext, ActionPlan], Awaitable[tuple[bool, str]]]
"""Reads once whether the change took effect: (seen, what was seen)."""


@dataclass(frozen=True, slots=True)
class Action:
    """`blast` and `undo` in general words, for lists and for the linter."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    blast: str
    undo: str
    build: Builder
    verify: Verify | None = None
    """Beyond the gate's own verification of each target: changed fields, a deleted object."""
    deadline_s: float = 15.0
    """Seconds within which the effect must be seen."""
    harmless: bool = field(default=False, kw_only=True)
    """No running pod is affected, so that `stanch act --yes` may confirm it."""
    fits: Fits = field(default=lambda store, ref: None, kw_only=True)
    """Whether it can be offered for an object that a person looks at."""

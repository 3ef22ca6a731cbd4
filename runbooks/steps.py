"""The steps of a runbook, purely: which is first, where an answer leads, and their texts and
arguments with the values filled in."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from runbooks.model import (
    DONE,
    ESCALATE,
    NEXT,
    RUNBOOK_PREFIX,
    SECTION_PREFIX,
    Answer,
    Query,
    Runbook,
    Step,
    StepKind,
)
from runbooks.parameters import PLACE


class Lead(enum.StrEnum):
    STEP = "step"
    RUNBOOK = "runbook"
    ESCALATE = "escalate"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an answer leads: `target` is the id of a step or a runbook, "" otherwise. `answer` is
    the one that was taken, if declared."""

    lead: Lead
    target: str = ""
    answer: Answer | None = None

    @property
    def end(self) -> str:
        """Why no step is next: "done", "escalate" or "runbook:ID"; "" when one is."""
        match self.lead:
            case Lead.STEP:
                return ""
            case Lead.RUNBOOK:
                return f"{RUNBOOK_PREFIX}{self.target}"
        return self.lead.value


# ---- from step to step


def first(runbook: Runbook) -> Step | None:
    """The step to begin with; None for a runbook without steps."""
    return next(runbook.steps(), None)


def answer_for(step: Step, answer: str) -> Answer | None:
    """The declared answer that `answer` is (upper and lower case alike), else the one declared as
    `other`, else None."""
    wanted = answer.strip().casefold()
    for declared in step.answers:
        if declared.when.casefold() == wanted:
            return declared
    return next((declared for declared in step.answers if declared.when == "other"), None)


def next_step(runbook: Runbook, step: Step, answer: str) -> Destination:
    """Where `answer` leads. An answer that is not declared leads to the following step, except
    `unknown` on the last step: escalate."""
    declared = answer_for(step, answer)
    return _destination(runbook, step, declared.goto if declared else NEXT, declared)


def _destination(runbook: Runbook, step: Step, goto: str, answer: Answer | None) -> Destination:
    if goto == ESCALATE:
        return Destination(Lead.ESCALATE, answer=answer)
    if goto == DONE:
        return Destination(Lead.DONE, answer=answer)
    if goto.startswith(RUNBOOK_PREFIX):
        return Destination(Lead.RUNBOOK, goto.removeprefix(RUNBOOK_PREFIX), answer)
    if goto.startswith(SECTION_PREFIX):
        target = section_start(runbook, goto.removeprefix(SECTION_PREFIX))
        return (
            Destination(Lead.STEP, target.id, answer)
            if target
            else Destination(Lead.DONE, answer=answer)
        )
    if goto != NEXT and runbook.step(goto):
        return Destination(Lead.STEP, goto, answer)
    steps = list(runbook.steps())
    index = next((number for number, other in enumerate(steps) if other.id == step.id), len(steps))
    if index + 1 < len(steps):
        return Destination(Lead.STEP, steps[index + 1].id, answer)
    return Destination(Lead.DONE, answer=answer)


def section_start(runbook: Runbook, slug: str) -> Step | None:
    """The first step in that section, or in the first later section that has one."""
    reached = False
    for section in runbook.sections:
        reached = reached or section.slug == slug
        if reached and section.steps:
            return section.steps[0]
    return None


def stage(runbook: Runbook, step: Step) -> tuple[Step, ...]:
    """The read-only checks of the step's section, which may run together on one key."""
    section = runbook.section(step.section)
    return tuple(
        other for other in (section.steps if section else ()) if other.kind is StepKind.CHECK
    )


# ---- texts and arguments


def fill(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """Put the values in their places. With `quote` they are quoted for a shell, and an unknown one
    stays visible as `NAME`; without it, as words: "the node"."""

    def place(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not value:
            return match[1].upper() if quote else f"the {match[1].replace('_', ' ')}"
        return shlex.quote(value) if quote else value

    return PLACE.sub(place, text)


def command(step: Step, values: Mapping[str, str]) -> str:
    """The equivalent command for another terminal, filled in and quoted."""
    return fill(step.kubectl, values, quote=True)


def arguments(step: Step, values: Mapping[str, str]) -> dict[str, str]:
    """The arguments of a probe or an action, filled in; an argument whose parameter is not known is
    left out."""
    filled = {name: _known(text, values) for name, text in step.args.items()}
    return {name: text for name, text in filled.items() if text}


def query_for(query: Query, values: Mapping[str, str]) -> Query:
    """The query with its places filled in (expressions are left alone: they read `params.NAME`)."""
    return replace(
        query,
        kind=_known(query.kind, values) or query.kind,
        namespace=_known(query.namespace, values),
        selector=_known(query.selector, values),
        field_selector=_known(query.field_selector, values),
        name=_known(query.name, values),
        path=_known(query.path, values) or query.path,
        container=_known(query.container, values),
    )


def _known(text: str, values: Mapping[str, str]) -> str:
    """The text filled in, "" when one of its values is not known."""
    return fill(text, values) if all(map(values.get, PLACE.findall(text))) else ""

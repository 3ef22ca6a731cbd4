"""The steps of a runbook: which is first, where an answer leads, and their texts and arguments with
values filled in. Pure."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
from runbooks.parameters import PLACE, QUERY_PLACES

_ONLY_LOOKS = re.compile(
    r"\bkubectl (?:-n \S+ )?(?:get|describe|logs|top|rollout (?:history|status))\b"
    r"|\bcrictl (?:ps|logs|inspect)\b"
)
_STANDS_FOR = re.compile(r"(?:^|\s)[A-Z]{3,}(?:\.\w+)?(?:\s|$)")
"""A word such as `SNAPSHOT.db`, for which a person puts a value."""


class Lead(enum.StrEnum):
    STEP = "step"
    RUNBOOK = "runbook"
    ESCALATE = "escalate"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Jump:
    """The destination of an answer: `target` is the id of a step or a runbook, else "". `answer` is
    the declared answer that was given, None without one."""

    lead: Lead
    target: str = ""
    answer: Answer | None = None

    @property
    def end(self) -> str:
        """Why no step is next: "done", "escalate" or "runbook:ID"; "" when one is."""
        names = {Lead.STEP: "", Lead.RUNBOOK: f"{RUNBOOK_PREFIX}{self.target}"}
        return names.get(self.lead, self.lead.value)


# ---- from step to step


def first(runbook: Runbook) -> Step | None:
    """The first step, None for a runbook without steps."""
    return next(runbook.steps(), None)


def answer_for(step: Step, answer: str) -> Answer | None:
    """The declared answer of that name (case does not matter), else the one named `other`, else
    None."""
    declared = {one.when.casefold(): one for one in reversed(step.answers)}
    return declared.get(answer.strip().casefold()) or declared.get("other")


def next_step(runbook: Runbook, step: Step, answer: str) -> Jump:
    """The destination of `answer`. An answer that is not declared leads to the next step; after the
    last step the runbook is done."""
    declared = answer_for(step, answer)
    goto = declared.goto if declared else NEXT
    if goto in (ESCALATE, DONE):
        return Jump(Lead(goto), answer=declared)
    if goto.startswith(RUNBOOK_PREFIX):
        return Jump(Lead.RUNBOOK, goto.removeprefix(RUNBOOK_PREFIX), declared)
    if goto.startswith(SECTION_PREFIX):
        target = section_start(runbook, goto.removeprefix(SECTION_PREFIX))
    elif goto == NEXT or (target := runbook.step(goto)) is None:
        steps = list(runbook.steps())
        at = next((number for number, one in enumerate(steps) if one.id == step.id), len(steps))
        target = next(iter(steps[at + 1 :]), None)
    if target is None:
        return Jump(Lead.DONE, answer=declared)
    return Jump(Lead.STEP, target.id, declared)


def section_start(runbook: Runbook, slug: str) -> Step | None:
    """The first step of that section, or of the next section that has one."""
    reached = False
    for section in runbook.sections:
        reached = reached or section.slug == slug
        if reached and section.steps:
            return section.steps[0]
    return None


def stage(runbook: Runbook, step: Step) -> tuple[Step, ...]:
    """The checks of the step's section; one key runs them together."""
    section = runbook.section(step.section)
    return tuple(
        other for other in (section.steps if section else ()) if other.kind is StepKind.CHECK
    )


# ---- texts and arguments


def fill(text: str, values: Mapping[str, str], *, quote: bool = False) -> str:
    """Replaces `{name}` by its value. With `quote`, values are quoted for a shell and an unknown
    one shows as `NAME`; without it, an unknown one shows as words: "the node"."""

    def place(match: re.Match[str]) -> str:
        value = values.get(match[1], "")
        if not value:
            return match[1].upper() if quote else f"the {match[1].replace('_', ' ')}"
        return shlex.quote(value) if quote else value

    return PLACE.sub(place, text)


def command(step: Step, values: Mapping[str, str]) -> str:
    """The equivalent kubectl command, filled in and quoted for a shell."""
    return fill(step.kubectl, values, quote=True)


def unknown(step: Step, values: Mapping[str, str]) -> list[str]:
    """The names of the values that its command needs and that are not known."""
    return [name for name in dict.fromkeys(PLACE.findall(step.kubectl)) if not values.get(name)]


def known_command(step: Step, values: Mapping[str, str]) -> str:
    """The command, "" without one or while one of its values is not known."""
    return "" if unknown(step, values) else command(step, values)


def known_change(step: Step, values: Mapping[str, str]) -> str:
    """The command of a change that a person makes, as `known_command`; "" for one that only looks
    or holds a word that stands for a value, because it does not say what was done."""
    known = known_command(step, values)
    return "" if _ONLY_LOOKS.search(known) or _STANDS_FOR.search(known) else known


def arguments(step: Step, values: Mapping[str, str]) -> dict[str, str]:
    """The arguments of a probe or an action, filled in, without those whose parameter is not
    known."""
    filled = {name: _known(text, values) for name, text in step.args.items()}
    return {name: text for name, text in filled.items() if text}


def query_for(query: Query, values: Mapping[str, str]) -> Query:
    """The query with its places filled in. Expressions stay: they read `params.NAME`."""
    filled: dict[str, Any] = {name: _known(getattr(query, name), values) for name in QUERY_PLACES}
    filled["kind"] = filled["kind"] or query.kind
    filled["path"] = filled["path"] or query.path
    return replace(query, **filled)


def not_given(query: Query, values: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the values that narrow what the query reads and that are not known: without them
    it reads more than its question names."""
    texts = (query.namespace, query.selector, query.field_selector, query.name, query.container)
    named = (name for text in texts for name in PLACE.findall(text))
    return tuple(name for name in dict.fromkeys(named) if not values.get(name))


def _known(text: str, values: Mapping[str, str]) -> str:
    """The text filled in, "" when one of its values is not known."""
    return fill(text, values) if all(map(values.get, PLACE.findall(text))) else ""

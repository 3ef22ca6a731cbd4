"""A run: one pass through one runbook in an incident, as the faces show it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from actions.plan import ActionResult
    from probes.result import ProbeResult
    from runbooks.model import Runbook, Step


class Asker(NamedTuple):
    """The step that asks for a probe or an action; empty outside a run."""

    run_id: str = ""
    step_id: str = ""


NO_STEP = Asker()
VERIFY = "verify"
"""Slug of the section that verifies the end of the incident."""


class StepState(enum.StrEnum):
    TODO = "todo"
    """Open: not answered, put off ("later"), declined or undone."""
    NOW = "now"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    """Answered with the abnormal answer."""
    UNKNOWN = "unknown"
    """Asked without an answer (forbidden, unreachable, interrupted, "cannot look"): never a pass.
    """
    DONE = "done"
    ANSWERED = "answered"
    """A person answered with `StepOutcome.answer`, a word that means neither done nor unknown."""
    SKIPPED = "skipped"


_WELL = (StepState.PASSED, StepState.DONE, StepState.ANSWERED)


class StepOutcome(msgspec.Struct, frozen=True):
    state: StepState
    seen: str = ""
    """What was found, cleaned and redacted. May have several lines."""
    meaning: str = ""
    """What this answer means, by the runbook."""
    goto: str = ""
    """Step, section or runbook to which the answer leads."""
    at: datetime | None = None
    seconds: float | None = None
    entry: int | None = None
    """seq of the record's entry."""
    answer: str = ""
    """The answer as the runbook declares it: pass, found, drained."""
    undo: str = ""
    """Name of the action that undoes the step's change, "" when there is none."""


class OpenParameter(msgspec.Struct, frozen=True):
    name: str
    value: str
    """"" when it is unknown or several values fit."""
    origin: str
    """Where the value comes from, or why there is none."""
    choices: tuple[str, ...] = ()
    """Other values that fit as well."""
    reasons: tuple[str, ...] = ()
    """Why each choice fits."""


class RunView(msgspec.Struct, frozen=True):
    """One run as it is now."""

    id: str
    runbook: Runbook
    symptom_id: str
    """Symptom from which the runbook was opened last, "" for none."""
    symptom_title: str
    """The title of that symptom, "" when unknown."""
    parameters: Mapping[str, tuple[OpenParameter, ...]]
    """By step id, because a name can have different values in two steps."""
    outcomes: Mapping[str, StepOutcome]
    """By step id."""
    current: str
    """Id of the current step, "" at the end."""
    changed_text: str = ""
    """A unified diff when the runbook's file differs from the one at the start of the run."""
    end: str = ""
    """Where the last answer leads when no step is next: "done", "escalate" or "runbook:ID"."""
    results: Mapping[str, ProbeResult | ActionResult] = {}
    """Results of probes and actions of this process, by step id."""

    def verified(self, step: Step) -> bool:
        """Whether `step` belongs to the section Verify and all its measurements are as expected,
        with nothing open, or a person's answer to it is the end of the runbook: the time to mark
        the incident as mitigated or resolved."""
        section = self.runbook.section(VERIFY) if step.section == VERIFY else None
        if section is None:
            return False
        own = self.outcomes.get(step.id)
        if self.end == "done" and own is not None and own.state is StepState.ANSWERED:
            return True
        states = {each.id: self.outcomes.get(each.id) for each in section.steps}
        return all(
            found is not None and found.state in _WELL and found.answer.casefold() != "no"
            for found in states.values()
        )

    def values(self, step_id: str) -> dict[str, str]:
        """The known parameters of a step, by name."""
        return {each.name: each.value for each in self.parameters.get(step_id, ()) if each.value}

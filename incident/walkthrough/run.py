"""A runbook being walked: the steps with their outcomes, read back from the record."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from runbooks.model import Runbook


class StepState(enum.StrEnum):
    TODO = "todo"
    NOW = "now"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    """The check was answered, and the answer is the abnormal one."""
    UNKNOWN = "unknown"
    """Asked, not answered (forbidden, unreachable, interrupted): never a pass."""
    DONE = "done"
    SKIPPED = "skipped"


class StepOutcome(msgspec.Struct, frozen=True):
    state: StepState
    seen: str = ""
    """What was found, cleaned and redacted; may have several lines."""
    meaning: str = ""
    """What the runbook says that this answer means."""
    goto: str = ""
    """Step, section or runbook to which the answer leads."""
    at: datetime | None = None
    seconds: float | None = None
    entry: int | None = None
    """seq of the record's entry."""


class Parameter(msgspec.Struct, frozen=True):
    name: str
    value: str
    origin: str
    """Where the value came from ("symptom", "default", "typed")."""


class RunView(msgspec.Struct, frozen=True):
    """One walk through one runbook for one symptom (or none)."""

    id: str
    runbook: Runbook
    symptom_id: str
    parameters: tuple[Parameter, ...]
    outcomes: Mapping[str, StepOutcome]
    """By step id."""
    current: str
    """Id of the step to do now, "" at the end."""
    changed_text: str = ""
    """A unified diff when the runbook's file is not the one that the run began with."""

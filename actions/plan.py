"""What an action promises and what became of it. Values only: everything that is shown before and
after a change."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from cluster.kube.objects import Ref


class Outcome(enum.StrEnum):
    DONE = "done"
    """Sent, and seen in the cluster afterwards."""
    SENT_NOT_SEEN = "sent, not seen"
    """The server accepted it; the change was not observed before the deadline."""
    FAILED = "failed"
    """The server answered with an error: nothing was changed."""
    UNKNOWN = "unknown"
    """No answer: whether it took effect must be looked at before anything is repeated."""
    REFUSED = "refused"
    """The gate stayed shut; nothing was sent."""
    DECLINED = "declined"
    """A human said no; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Change:
    """The exact request. `body` is sent as it stands; `kubectl` does the same by hand."""

    verb: str
    """HTTP method."""
    path: str
    """Path below the server's address, without query."""
    body: Mapping[str, Any]
    content_type: str
    kubectl: str
    summary: str
    """The difference in one line: "spec.unschedulable: false -> true"."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """One thing that must hold. `held` None: could not be asked, which counts as not held."""

    question: str
    held: bool | None
    seen: str


@dataclass(frozen=True, slots=True)
class Blast:
    """What the change touches: one line each, and the objects."""

    lines: tuple[str, ...] = ()
    objects: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """How the change is seen to have happened: the field at `path` of the object has `value`."""

    path: tuple[str, ...]
    value: Any
    """The wanted value; a falsy one also accepts the field's absence."""


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """One change to one object, as it is shown before it is confirmed.

    `confirmation` is what must be typed, exactly. `expires` (UTC): an older plan is refused,
    because what it shows may no longer be so.
    `refused` is a sentence when this must not be done; such a plan cannot be run.
    """

    action: str
    arguments: Mapping[str, str]
    object: Ref
    change: Change
    context: str
    server: str
    confirmation: str
    confirmation_reason: str
    made: datetime
    expires: datetime
    resource_version: str = ""
    """Of the object when the plan was made: the gate refuses when it was changed meanwhile in the
    fields that matter."""
    preconditions: tuple[Precondition, ...] = ()
    blast: Blast = Blast()
    undo: Change | None = None
    undo_action: str = ""
    """Name of the action that takes this one back with the same arguments, through the gate like
    any other; "" where there is none."""
    dry_run: str = ""
    dry_run_ok: bool | None = None
    expected: Expected | None = None
    warnings: tuple[str, ...] = ()
    refused: str = ""
    production: bool = False
    facts: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}))
    run_id: str = ""
    """The run of a runbook whose step asked for it, "" where none did; `step_id` names the step."""
    step_id: str = ""
    undoes: bool = False
    """This plan undoes the change that the step made: the step is open again afterwards."""

    @property
    def document(self) -> dict[str, Any]:
        """For the record: everything that was shown."""
        return {
            "action": self.action,
            "arguments": dict(self.arguments),
            "object": {
                "kind": self.object.kind,
                "namespace": self.object.namespace,
                "name": self.object.name,
            },
            "change": _change(self.change),
            "undo": _change(self.undo) if self.undo else None,
            "undo_action": self.undo_action,
            "undoes": self.undoes,
            "context": self.context,
            "server": self.server,
            "blast": list(self.blast.lines),
            "preconditions": [
                {"question": p.question, "held": p.held, "seen": p.seen} for p in self.preconditions
            ],
            "dry_run": self.dry_run,
            "warnings": list(self.warnings),
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What became of a plan. `undo` is a plan's ready change back, offered, never run by itself."""

    plan: ActionPlan
    outcome: Outcome
    sentence: str
    at: datetime
    seconds: float = 0.0
    observed: str = ""
    undo: Change | None = None

    @property
    def document(self) -> dict[str, Any]:
        return {
            "action": self.plan.action,
            "outcome": self.outcome.value,
            "sentence": self.sentence,
            "observed": self.observed,
            "seconds": round(self.seconds, 3),
            "undo": _change(self.undo) if self.undo else None,
        }


def _change(change: Change) -> dict[str, Any]:
    return {
        "verb": change.verb,
        "path": change.path,
        "body": dict(change.body),
        "content_type": change.content_type,
        "kubectl": change.kubectl,
        "summary": change.summary,
    }

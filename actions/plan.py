"""Plans and results of actions: values only.

A plan lists every object that the change touches as a `Target`, with its uid and version, the exact
request, and its undo. Everything that is shown before and after a change comes from here.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cluster.kube.objects import Ref

Json = Any
"""A decoded JSON value."""


class Outcome(enum.StrEnum):
    DONE = "done"
    """Sent, and seen in the cluster."""
    PART = "done in part"
    """Some targets were changed, others were not; the result lists them."""
    SENT_NOT_SEEN = "sent, not seen"
    """The server accepted it; the change was not observed before the deadline."""
    FAILED = "failed"
    """The server answered with an error: nothing was changed."""
    UNKNOWN = "unknown"
    """No answer, or stopped in flight: read the object before you repeat the change."""
    NOT_SENT = "not sent"
    """Of a target: an earlier one failed, or a person stopped the action."""
    REFUSED = "refused"
    """The gate stayed shut; nothing was sent."""
    DECLINED = "declined"
    """A person said no; nothing was sent."""


CHANGED = frozenset({Outcome.DONE, Outcome.PART, Outcome.SENT_NOT_SEEN, Outcome.UNKNOWN})
"""Outcomes after which the cluster may have changed."""


FORBIDS = "the runbook says: "
"""Beginning of a warning from the "Do not" of the runbook."""


class Sealed(Mapping[str, Json]):
    """A body that holds secret values: sent, never shown, logged or recorded."""

    def __init__(self, body: Mapping[str, Json]) -> None:
        self._body = dict(body)

    def open(self) -> dict[str, Json]:
        """The body, for the request alone."""
        return self._body

    def __getitem__(self, key: str) -> Json:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._body == other._body

    __hash__ = None  # type: ignore[assignment]  # equality compares contents

    def __repr__(self) -> str:
        return "Sealed(…)"


@dataclass(frozen=True, slots=True)
class Change:
    """One exact HTTP request. `kubectl` is the equivalent command. In a plan with several targets
    it is the headline, with `verb` ""."""

    verb: str
    """PATCH, POST or DELETE."""
    path: str
    """Path below the server's address, without query."""
    body: Mapping[str, Json] | list[Json]
    content_type: str
    kubectl: str
    summary: str
    """The difference in one line: "spec.unschedulable: false -> true"."""
    uid: str = ""
    """DELETE: only the object with this uid."""
    grace_seconds: int | None = None
    """DELETE: grace period in seconds; None: the object's own."""
    blocked_by_budget: bool = False
    """A 429 means that a PodDisruptionBudget refuses it for now: it is sent again later."""

    @property
    def document(self) -> dict[str, Json]:
        sealed = isinstance(self.body, Sealed)
        return {
            "verb": self.verb,
            "path": self.path,
            "body": "sealed" if sealed else self.body,
            "content_type": self.content_type,
            "summary": self.summary,
            "kubectl": self.kubectl,
        }


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an object: JSON pointer (RFC 6901), value before and after.

    `has_before` and `has_after` are False for an absent field. `is_stamp`: `after` is the time of
    the plan, so that it differs between plans.
    """

    pointer: str
    before: Json = None
    after: Json = None
    has_before: bool = True
    has_after: bool = True
    is_stamp: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One object of a plan."""

    ref: Ref
    path: str
    """Where the object is read."""
    uid: str
    resource_version: str
    request: Change
    fields: tuple[FieldChange, ...] = ()
    """What the request changes; empty for a deletion, an eviction or a creation."""
    state: tuple[tuple[str, str], ...] = ()
    """(name, value) shown of the object; the gate compares it before it acts."""
    before: Mapping[str, Json] | None = None
    """The object as it was, for the record; None for a Secret."""
    recreate: bool = False
    """The undo of a deletion: create the object `before` again."""

    @property
    def shown(self) -> tuple[Json, ...]:
        """The part that a person agrees to. Another value later is another change."""
        request = self.request
        after = [
            (each.pointer, each.has_before, each.before, "now" if each.is_stamp else each.after)
            for each in self.fields
        ]
        body = "" if self.fields else request.body
        return (self.ref, self.uid, request.verb, request.path, body, after, self.state)

    @property
    def document(self) -> dict[str, Json]:
        return {
            "object": self.ref._asdict(),
            "path": self.path,
            "uid": self.uid,
            "resource_version": self.resource_version,
            "request": self.request.document,
            "fields": [
                {
                    "pointer": each.pointer,
                    **({"before": each.before} if each.has_before else {}),
                    **({"after": each.after} if each.has_after else {}),
                }
                for each in self.fields
            ],
            "recreate": self.before if self.recreate else None,
        }


@dataclass(frozen=True, slots=True)
class Precondition:
    """A condition of the plan. `held` None means unknown, which counts as not held."""

    question: str
    held: bool | None
    seen: str


@dataclass(frozen=True, slots=True)
class Blast:
    """Effects of the change beyond its targets: one line each, and the objects."""

    lines: tuple[str, ...] = ()
    objects: tuple[Ref, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionPlan:
    """One change, as it is shown before it is confirmed.

    `confirmation` must be typed exactly. After `expires` (UTC) the plan is refused. `refused` is a
    sentence when the change must not be made; such a plan cannot run.
    """

    action: str
    arguments: Mapping[str, str]
    object: Ref
    """What the action is about: the node of a drain, the only target of most others. Has no name in
    a plan that was refused before its object was found."""
    change: Change
    """The change as shown; the targets hold what is sent."""
    context: str
    server: str
    confirmation: str
    confirmation_reason: str
    made: datetime
    expires: datetime
    targets: tuple[Target, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    blast: Blast = Blast()
    undo: Change | None = None
    """The undo as shown, None when there is none."""
    undo_action: str = ""
    """Name of the action that undoes this change from the record, "" when there is none."""
    dry_run: str = ""
    dry_run_ok: bool | None = None
    warnings: tuple[str, ...] = ()
    refused: str = ""
    production: bool = False
    facts: tuple[tuple[str, str], ...] = ()
    """(name, value) shown beyond the targets; the gate compares it before it acts."""
    deadline_s: float = 15.0
    """Seconds within which each target must show the change."""
    run_id: str = ""
    """The run of the runbook whose step asked for the action, "" for none."""
    step_id: str = ""
    undoes: bool = False
    """This plan undoes the step's change, and opens the step again."""

    @property
    def title(self) -> str:
        """The action and its object, as far as it was found."""
        return f"{self.action} {self.object}" if self.object.name else self.action

    @property
    def is_simple(self) -> bool:
        """Whether the object's name alone confirms it: not in production, and not while entries go
        to the sidecar."""
        return self.confirmation == self.object.name

    @property
    def document(self) -> dict[str, Json]:
        """Everything that was shown, for the record."""
        return {
            "action": self.action,
            "arguments": dict(self.arguments),
            "object": self.object._asdict(),
            "change": self.change.document,
            "targets": [target.document for target in self.targets],
            "undo": self.undo.document if self.undo else None,
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
class TargetResult:
    """Result of one target."""

    ref: Ref
    outcome: Outcome
    sentence: str
    after: Mapping[str, Json] | None = field(default=None, repr=False)
    """The object as the server returned it; None for a Secret or without an answer."""

    @property
    def document(self) -> dict[str, Json]:
        return {
            "object": self.ref._asdict(),
            "outcome": self.outcome.value,
            "sentence": self.sentence,
        }


@dataclass(frozen=True, slots=True)
class ActionResult:
    """Result of a plan. `undo` is None when there is nothing to undo."""

    plan: ActionPlan
    outcome: Outcome
    sentence: str
    at: datetime
    seconds: float = 0.0
    observed: str = ""
    undo: Change | None = None
    targets: tuple[TargetResult, ...] = ()
    again: ActionPlan | None = None
    """The current plan, when the gate refused because the state has changed."""

    @property
    def document(self) -> dict[str, Json]:
        return {
            "action": self.plan.action,
            "outcome": self.outcome.value,
            "sentence": self.sentence,
            "observed": self.observed,
            "seconds": round(self.seconds, 3),
            "targets": [each.document for each in self.targets],
            "undo": self.undo.document if self.undo else None,
        }

"""Builds findings: one way to write ids, facts and evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypedDict

from msgspec.structs import replace

from cluster.kube import durations
from cluster.kube.objects import Condition, Ref
from triage.facts.events import EventFact
from triage.facts.finding import Evidence, Fact, Finding, Severity, SinceSource
from triage.facts.rules.catalogue import FINDINGS

CLUSTER = Ref("Cluster", "", "")


def finding_id(rule: str, ref: Ref, detail: str = "") -> str:
    """`rule:Kind/namespace/name[:detail]`."""
    base = f"{rule}:{ref.kind}/{ref.namespace}/{ref.name}"
    return f"{base}:{detail}" if detail else base


def make(
    rule: str,
    ref: Ref,
    claim: str,
    severity: Severity,
    why: str,
    *,
    since: datetime | None = None,
    source: SinceSource = SinceSource.FIRST_SEEN,
    evidence: Iterable[Evidence] = (),
    facts: Mapping[str, Fact] | None = None,
    related: Iterable[Ref] = (),
    detail: str = "",
    active: bool = True,
    young: timedelta | None = None,
    allowed: str = "",
) -> Finding:
    """A finding of a registered rule; `why` says which rule set the severity. One that is younger
    than its grace is a note that says its age, `young`, and what gives it an unusual grace,
    `allowed`. KeyError when the rule is not registered."""
    registered = FINDINGS[rule]
    found = Finding(
        id=finding_id(registered.id, ref, detail),
        rule=registered.id,
        object=ref,
        claim=claim,
        severity=severity,
        severity_rule=why,
        since=since,
        since_source=source,
        evidence=tuple(evidence),
        facts=MappingProxyType(dict(facts or {})),
        related=tuple(dict.fromkeys(related)),
        active=active,
    )
    return as_young(found, young, allowed)


def as_young(finding: Finding, age: timedelta | None, allowed: str = "") -> Finding:
    """The finding as a note with its age, while its grace is not over (`age` is not None):
    `(young: 39 min; its startup probe allows 40 min)`."""
    if age is None:
        return finding
    return replace(
        finding,
        severity=Severity.INFO,
        severity_rule=f"a note until its grace is over: {finding.severity_rule}",
        claim=f"{finding.claim} (young: {durations.words(age)}{'; ' if allowed else ''}{allowed})",
        young=True,
    )


class EventArguments(TypedDict):
    """What events say of a finding, as arguments of `make`."""

    since: datetime
    source: SinceSource
    evidence: list[Evidence]


def from_events(events: Sequence[EventFact], shown: int = 2) -> EventArguments:
    """Begun with the first of at least one event; the last ones are shown."""
    return EventArguments(
        since=min(e.first for e in events),
        source=SinceSource.EVENT,
        evidence=[event_evidence(e) for e in events[-shown:]],
    )


def event_evidence(fact: EventFact) -> Evidence:
    times = f" (x{fact.count})" if fact.count > 1 else ""
    return Evidence(fact.source, f"{fact.reason}{times}: {fact.message}", fact.last)


def condition_evidence(ref: Ref, condition: Condition) -> Evidence:
    text = f"{condition.type}={condition.status}"
    if condition.reason:
        text += f" {condition.reason}"
    if condition.message:
        text += f": {condition.message}"
    return Evidence(f"{ref} status.conditions", text, condition.last_transition_time)


def field_evidence(ref: Ref, path: str, text: str, at: datetime | None = None) -> Evidence:
    return Evidence(f"{ref} {path}", text, at)

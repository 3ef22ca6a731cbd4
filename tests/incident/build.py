"""Small values for tests of the incident package."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster.kube.objects import Ref
from incident.view import SymptomView
from runbooks.match import Match, Reason
from triage.facts.finding import Evidence, Finding, Report, Severity, SinceSource, Symptom

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
NODE = Ref("Node", "", "node-2")


def finding(
    ref: Ref = NODE, rule: str = "node-not-ready", severity: Severity = Severity.CRITICAL
) -> Finding:
    return Finding(
        id=f"{rule}:{ref.kind}/{ref.namespace}/{ref.name}",
        rule=rule,
        object=ref,
        claim=f"{ref.name} is not ready",
        severity=severity,
        severity_rule="test",
        since=NOW - timedelta(minutes=8),
        since_source=SinceSource.CONDITION,
        evidence=(Evidence("Node status", "Ready=False", NOW - timedelta(minutes=8)),),
    )


def symptom(name: str = "nodes", severity: Severity = Severity.CRITICAL, count: int = 1) -> Symptom:
    refs = tuple(Ref("Node", "", f"{name}-{number}") for number in range(count))
    return Symptom(
        id=name,
        title=f"{name} not ready",
        severity=severity,
        since=NOW - timedelta(minutes=8),
        objects=refs,
        findings=tuple(finding(ref, severity=severity) for ref in refs),
    )


def match(
    runbook: str = "nodes-notready-system-oom",
    *,
    confident: bool = True,
    rests_on: tuple[str, ...] = ("node-not-ready:Node//nodes-0",),
) -> Match:
    """A runbook that fits for the first node of `symptom()`."""
    return Match(runbook, runbook, 0.9, confident, (Reason("it is so", findings=rests_on),))


def view(*given: Symptom, matches: tuple[Match, ...] = ()) -> tuple[SymptomView, ...]:
    return tuple(SymptomView(each, matches) for each in given)


def report(*given: Symptom, complete: bool = True, now: datetime = NOW) -> Report:
    findings = tuple(found for each in given for found in each.findings)
    return Report(now, complete, (), given, findings, ())

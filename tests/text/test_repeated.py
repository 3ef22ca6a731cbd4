"""A sentence that stands above is not repeated: one screen has room for each once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cluster.kube.objects import Ref
from incident.view import SymptomView
from runbooks.match import Match, Reason
from text.lines import plain_text
from text.symptoms.why import unsaid, why_lines
from triage.facts.finding import Evidence, Finding, Severity, SinceSource, Symptom

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
CLAIM = "cannot start: Secret db-credentials is missing"


def finding(
    name: str, claim: str = CLAIM, seen: str = 'secret "db-credentials" not found'
) -> Finding:
    return Finding(
        id=name,
        rule="pod-config-missing",
        object=Ref("Pod", "shop", name),
        claim=claim,
        severity=Severity.WARNING,
        severity_rule="the pod cannot start",
        since=NOW,
        since_source=SinceSource.STATUS,
        evidence=(Evidence(f"Pod shop/{name} status", seen),),
    )


def said(*findings: Finding) -> list[str]:
    symptom = Symptom("s", "it fails", Severity.WARNING, NOW, (), findings)
    reasons = (Reason(f"A Secret is missing: {findings[0].claim}", findings=(findings[0].id,)),)
    match = Match("config-missing", "A Secret is missing", 0.7, True, for_=reasons)
    return [plain_text(row) for row in why_lines(SymptomView(symptom, (match,)), 0, NOW)]


def test_what_was_said_is_not_given_as_a_reason_again() -> None:
    rows = said(finding("web-0"))
    assert f" what     Pod shop/web-0: {CLAIM}" in rows
    assert " for      A Secret is missing (as above)" in rows


def test_each_further_object_with_the_same_words_is_one_line() -> None:
    rows = said(
        finding("web-0"), finding("web-1"), finding("web-2", seen="another reason entirely")
    )
    assert " Pod shop/web-1  the same as above, since 03:10:00 UTC" in rows
    assert f" Pod shop/web-2  {CLAIM}" in rows
    assert sum(CLAIM in row for row in rows) == 3, "what, the first object, and another reason"


@pytest.mark.parametrize(
    ("evidence", "claim", "left"),
    [
        ("Evicted: Usage of 1Gi exceeds the limit.", "(Usage of 1Gi exceeds the limit)", "Evicted"),
        ("Back-off pulling image web:1.2", "waits: Back-off pulling image web:1.2", ""),
        ("Error: not found", "the object is not found", "Error: not found"),
        ("Ready=False x", "not ready", "Ready=False x"),
    ],
)
def test_evidence_is_without_the_words_that_its_claim_quotes(
    evidence: str, claim: str, left: str
) -> None:
    assert unsaid(evidence, claim) == left

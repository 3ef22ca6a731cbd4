"""Checks answer their own question: each that quotes names the finding for which its page was
chosen, no two of a section say the same, and Verify does not pass while the fault stands."""

from __future__ import annotations

import pytest

from cluster.kube.selectors import text_matches
from drills.scenario.catalogue import guide_ids, load
from drills.scenario.expand import objects
from drills.scenario.model import Scenario
from runbooks.check import Result, evaluate, tell
from runbooks.model import CheckSource, Query, Runbook, Step, Weight
from tests.drill_gates.ground import NOW, judge_with_logs
from tests.shipped import matcher
from triage.facts.finding import Symptom

LIBRARY = matcher().library.runbooks


def quoting(runbook: Runbook) -> dict[str, Step]:
    """The steps of a page that quote findings, by id."""
    return {
        step.id: step
        for section in runbook.sections
        for step in section.steps
        if step.query is not None and step.query.source is CheckSource.FINDINGS
    }


@pytest.mark.parametrize("runbook", LIBRARY, ids=lambda runbook: runbook.id)
def test_a_step_quotes_the_evidence_that_names_it(runbook: Runbook) -> None:
    steps = quoting(runbook)
    for criterion in runbook.match:
        step = steps.get(criterion.step)
        if criterion.weight is not Weight.STRONG or step is None or step.query is None:
            continue
        names = {*step.query.names, *(case.rule for _, case in step.query.cases)}
        wanted = {part.rule for part in criterion.parts() if part.on == "finding"}
        assert wanted <= names, step.id


def shown(scenario: Scenario) -> tuple[Runbook, Symptom | None]:
    """The page of a drill, and the symptom that lists it."""
    page = next(one for one in LIBRARY if one.id == scenario.answer.runbook)
    views = judge_with_logs(scenario).symptoms
    listed = (v.symptom for v in views if any(match.id == page.id for match in v.matches))
    return page, next(listed, None)


@pytest.mark.parametrize("name", guide_ids())
def test_no_two_checks_of_a_section_say_the_same(name: str) -> None:
    page, symptom = shown(load(name))
    if symptom is None:
        return  # the state of the cluster does not show it
    said: dict[tuple[str, str], str] = {}
    for step in quoting(page).values():
        assert step.query is not None
        seen = tell(step.query, symptom.findings, symptom.changes).seen
        first = said.setdefault((step.section, seen), step.id)
        assert not seen or first == step.id, (first, step.id, seen)


MEASURED = {
    "cpu-limit-reached",
    "forbidden-by-rbac",
    "ingress-backend-missing",
    "ingress-tls-missing",
    "network-packet-loss",
    "network-policy-blocks",
    "slow-dependency",
}
"""Pages whose Verify measures, reads a log or asks."""


@pytest.mark.parametrize("name", sorted({*guide_ids()} - MEASURED))
def test_verify_does_not_pass_while_the_fault_stands(name: str) -> None:
    scenario = load(name)
    page, symptom = shown(scenario)
    assert symptom is not None
    section = page.section("verify")
    assert section is not None
    results = []
    for query in (step.query for step in section.steps if step.query is not None):
        if query.source is CheckSource.FINDINGS:
            results.append(tell(query, symptom.findings, symptom.changes).result)
        elif query.source is CheckSource.OBJECTS:
            results.append(asked(scenario, query))
    assert Result.FAIL in results


def asked(scenario: Scenario, query: Query) -> Result:
    """A check of the objects of a drill; what its parameters would select is not narrowed down."""
    namespace = query.namespace.replace("{namespace}", "shop")
    found = [
        one
        for one in objects(scenario, NOW)
        if one["kind"] == query.kind
        and namespace in ("", one["metadata"].get("namespace"))
        and ("{" in query.selector or text_matches(query.selector, one["metadata"].get("labels")))
        and (not query.name or "{" in query.name or one["metadata"]["name"] == query.name)
    ]
    return evaluate(query, found, {}, now=NOW).result

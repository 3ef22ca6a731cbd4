"""The small drills of guides: each hangs together, shows its fault, and its twin is quiet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drills.scenario.catalogue import guide_ids, load
from drills.scenario.expand import objects
from drills.scenario.model import Scenario, ScenarioError
from tests.drill_gates.ground import NOW, Seen, figures, guides, judge
from tests.drills.shapes import faults_of

GUIDES = guide_ids()


def seen(scenario: Scenario) -> Seen:
    found = objects(scenario, NOW)
    assert list(faults_of(found, NOW)) == []
    return judge(found)


def test_each_guide_has_a_drill() -> None:
    assert set(GUIDES) == guides()


@pytest.mark.parametrize("name", GUIDES)
def test_the_fault_is_told_by_its_mechanism(name: str) -> None:
    scenario = load(name)
    answer, found = scenario.answer, seen(scenario)
    assert (scenario.id, answer.runbook) == (name, name)
    if answer.silent:
        assert [view.symptom.title for view in found.warnings] == [], "the API shows nothing"
        found = judge(objects(scenario, NOW), sources=figures(scenario))
    if answer.told is not None:
        symptom = next(
            view.symptom
            for view in found.symptoms
            if view.symptom.mechanism == answer.told.mechanism
        )
        named = [symptom.title, *(f"{ref.namespace}/{ref.name}" for ref in symptom.objects)]
        assert any(answer.told.says in text for text in named), named


@pytest.mark.parametrize("name", ["cpu-throttling-below-limit", "cpu-limit-reached"])
def test_what_only_figures_show_is_first_and_sure_with_them(name: str) -> None:
    scenario = load(name)
    served = objects(scenario, NOW)
    found = judge(served, sources=figures(scenario)).symptoms[0].matches[0]
    assert (found.id, found.confident) == (name, True)
    calm = figures(replace(scenario, data={**scenario.data, "stats": [], "fault": {}}))
    for sources in (None, calm):
        seen = [
            match.id for view in judge(served, sources=sources).symptoms for match in view.matches
        ]
        assert name not in seen


@pytest.mark.parametrize("name", GUIDES)
def test_the_twin_without_the_fault_is_quiet(name: str) -> None:
    assert [view.symptom.title for view in seen(load(name).twin()).warnings] == []


def test_a_drill_of_a_story_has_no_twin() -> None:
    with pytest.raises(ScenarioError, match="only a drill with a section `fault` has a twin"):
        load("coredns-oom").twin()


def test_a_webhook_with_its_backend_and_what_it_refuses_are_one_symptom() -> None:
    [only] = seen(load("admission-webhook-fails")).warnings
    rules = {finding.rule for finding in only.symptom.findings}
    assert {"webhook-backend-down", "create-failed", "pod-crash-looping"} <= rules

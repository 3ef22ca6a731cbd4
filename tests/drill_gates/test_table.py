"""Drill by drill: the first symptom, since when, what the failing things share, and which runbooks
come first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from drills.api.objects import parse_duration
from tests.drill_gates.expected import DRILLS, SILENT, TOLD, shared_by
from tests.drill_gates.ground import NOW, Seen, answer, calm, judge, seen

TOLERANCE = timedelta(minutes=4)


def test_every_drill_is_in_the_table() -> None:
    assert sorted([*TOLD, *SILENT]) == list(DRILLS)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_its_own_runbook_comes_first_and_no_other_is_confident(name: str) -> None:
    found = seen(name)
    assert found.confident == [name]
    assert found.first_three[:1] == [name]
    ranked_on = next(
        view for view in found.symptoms if view.symptom.mechanism == TOLD[name].mechanism
    )
    assert (ranked_on.matches[0].id, ranked_on.matches[0].confident) == (name, True)
    assert ranked_on.matches[0].for_


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_first_symptom_says_what_it_is_and_since_when(name: str) -> None:
    told, found = TOLD[name], seen(name)
    active = found.warnings or list(found.symptoms)
    mechanisms = [view.symptom.mechanism for view in active]
    if found.warnings:
        assert mechanisms[0] == (told.leads or told.mechanism)
    symptom = active[mechanisms.index(told.mechanism)].symptom
    assert symptom.since is not None
    begun = told.since or answer(name).since
    assert begun is not None
    expected = NOW + parse_duration(begun)
    assert abs(symptom.since - expected) <= TOLERANCE, (symptom.since, expected)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_the_true_shared_attribute_is_named(name: str) -> None:
    told, found, shared = TOLD[name], seen(name), shared_by(name, NOW)
    if shared is not None:
        named = [(s.what, s.value) for view in found.warnings for s in view.symptom.shared]
        assert shared in named
    else:
        symptom = next(
            view.symptom for view in found.symptoms if view.symptom.mechanism == told.mechanism
        )
        named_by = [symptom.title, *(f"{ref.namespace}/{ref.name}" for ref in symptom.objects)]
        assert told.says
        assert any(told.says in text for text in named_by), named_by


@pytest.mark.parametrize("name", sorted(TOLD))
def test_few_symptoms_lead_and_the_decoys_lead_nowhere(name: str) -> None:
    found = seen(name)
    assert len(found.warnings) <= 3, [view.symptom.title for view in found.warnings]
    for view in found.symptoms:
        if view.symptom.mechanism == "rollout-not-graceful" and "wishlist" in view.symptom.title:
            assert not any(match.confident for match in view.matches)


@pytest.mark.parametrize("name", SILENT)
def test_where_the_api_is_silent_nothing_is_claimed(name: str) -> None:
    assert nothing_fits(seen(name))


def test_a_healthy_cluster_with_all_decoys_is_no_incident() -> None:
    found = judge(calm())
    assert [view.symptom.title for view in found.warnings] == []
    assert nothing_fits(found)


def nothing_fits(found: Seen) -> bool:
    """No story and no guide is sure of anything that stands above a note."""
    return found.confident == [] and not any(
        match.confident for view in found.warnings for match in view.matches
    )

"""A fifth of the pods fails for reasons of its own: the story is still found, and the noise is
taken for no story."""

from __future__ import annotations

import pytest

from tests.drill_gates.expected import DRILLS, SILENT, TOLD, shared_by
from tests.drill_gates.ground import NOW, asked, calm, judge, rows, seen
from tests.drill_gates.noise import SHARE, failing, noise


@pytest.mark.parametrize("name", DRILLS)
def test_the_story_is_found_among_unrelated_failures(name: str) -> None:
    pods = sum(raw["kind"] == "Pod" for raw in rows(name))
    # in a cluster of which nothing is older than eight minutes, nothing else may be
    extra = noise(pods, young=name == "etcd-data-deleted")
    assert failing(extra) >= SHARE * pods
    found, before = judge([*rows(name), *extra], sources=asked(name)), seen(name)
    assert set(found.confident) <= set(before.confident), "the noise was taken for a story"
    if name in SILENT:
        return
    assert name in found.first_three
    symptom = next(
        view for view in found.symptoms if view.symptom.mechanism == TOLD[name].mechanism
    )
    assert (symptom.matches[0].id, symptom.matches[0].confident) == (name, True)
    shared = shared_by(name, NOW)
    if shared is not None:
        assert shared in [
            (one.what, one.value) for view in found.warnings for one in view.symptom.shared
        ]


def test_noise_alone_is_no_story() -> None:
    extra = noise(sum(raw["kind"] == "Pod" for raw in calm()))
    found = judge([*calm(), *extra])
    assert found.warnings
    assert found.confident == []

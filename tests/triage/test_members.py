"""Each member of each family of everyday faults is on the first line with the words that decide."""

from __future__ import annotations

import pytest

from tests.triage.build import Cluster
from tests.triage.members import MEMBERS, Member, gatewayed, lines, served
from tests.triage.situation import look, loud


@pytest.mark.parametrize("one", MEMBERS, ids=lambda one: f"{one.family}: {one.name}")
def test_a_fault_is_named_to_its_mechanism(one: Member) -> None:
    line, guide = lines(one)
    assert [word for word in one.says if word not in line] == [], line
    if one.guide:
        assert guide == one.guide, line


def test_the_same_objects_without_a_fault_are_quiet() -> None:
    cluster = Cluster(3)
    gatewayed(cluster)
    served(cluster)
    assert loud(look(cluster)) == set()

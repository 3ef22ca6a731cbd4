"""Clusters that were made apart from the drills and the detectors, in all 28 situations of the
catalogue and in none of them.

For each: its own runbook first and confident, since when and what is shared, the same under random
names, and not confident without the fault's signals. Where the API shows nothing, nothing is
claimed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.triage.elsewhere.busy import BUSY
from tests.triage.elsewhere.case import CASES, Case
from tests.triage.elsewhere.cases import (
    control_planes,
    credentials,
    disks,
    entrances,
    networking,
    nodes_in_turn,
    rollouts,
    runtimes,
    silent,
    workloads,
)
from tests.triage.elsewhere.finish import finish, renamed
from tests.triage.elsewhere.healthy import HEALTHY
from tests.triage.elsewhere.judge import MATCHER, answer, look
from tests.triage.elsewhere.world import World

NOW = datetime(2026, 5, 20, 14, 30, tzinfo=UTC)
SITUATIONS = (
    control_planes,
    credentials,
    disks,
    entrances,
    networking,
    nodes_in_turn,
    rollouts,
    runtimes,
    silent,
    workloads,
)
"""Importing them registers their cases."""
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.id}-{case.name}")


def test_every_situation_of_the_catalogue_is_there() -> None:
    assert all(module.__doc__ for module in SITUATIONS)
    assert {case.id for case in CASES} == {
        runbook.id for runbook in MATCHER.library.runbooks if not runbook.guide
    }


@each_case
def test_the_situation_is_recognised(case: Case) -> None:
    _, faults = look(case, NOW)
    assert faults == []


@each_case
def test_names_do_not_matter(case: Case) -> None:
    _, faults = look(case, NOW, seed=len(case.name))
    assert faults == []


@each_case
def test_without_its_signals_it_is_not_claimed(case: Case) -> None:
    found, faults = look(case, NOW, fault=False)
    assert faults == []
    assert found.confident == []


@pytest.mark.parametrize("healthy", [*HEALTHY, *BUSY], ids=lambda make: make.__name__)
@pytest.mark.parametrize("seed", [0, 5])
def test_a_healthy_cluster_is_quiet(healthy: Callable[[datetime], World], seed: int) -> None:
    world = healthy(NOW)
    objects = finish(world)
    found = answer(renamed(objects, seed)[0] if seed else objects, NOW)
    assert found.loud() == []
    assert found.confident == []

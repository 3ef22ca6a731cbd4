"""Tests that must not meet are in one unit; tests on real nodes are in few."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from tests import conftest
from tests.schedule import ALL_LABS, SECONDS, USUAL, on_nodes, seconds, unit


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        ("tests/probes/test_story_on_nodes.py::test_it", "lab 1"),
        ("tests/probes/test_paths_on_nodes.py::test_it[a-b]", "lab 2"),
        ("tests/probes/test_killed.py::test_moments_on_real_nodes", "lab 3"),
        ("tests/probes/test_killed.py::test_moments_of_creating", "tests/probes/test_killed.py"),
        ("tests/rungs/test_nodes.py::test_it", "lab 3"),
        ("tests/contract/test_lists.py::test_it[nodes-a in (b)]", "lab 3"),
        ("tests/contract/test_lists.py::test_it[control plane-a]", "tests/contract[control plane]"),
        ("tests/contract/test_live.py::test_it[control plane]", "tests/contract[control plane]"),
        ("tests/contract/test_live.py::test_it[drill]", "tests/contract/test_live.py"),
        (
            "tests/drill_gates/test_table.py::test_it[nodes-notready-system-oom]",
            "tests/drill_gates/test_table.py",
        ),
        (
            "tests/tui/test_anywhere.py::test_it[size0-story]",
            "tests/tui/test_anywhere.py::test_it[size0-story]",
        ),
    ],
)
def test_units(nodeid: str, expected: str) -> None:
    assert unit(nodeid) == expected


def test_the_labs_begin_before_all_others() -> None:
    assert min(SECONDS[lab] for lab in ALL_LABS) >= max(
        length for name, length in SECONDS.items() if name not in ALL_LABS
    )
    assert seconds("tests/actions/test_gate.py::test_it") == USUAL


def test_only_tests_on_real_nodes_are_tried_again() -> None:
    assert on_nodes("tests/probes/test_story_on_nodes.py::test_it")
    assert on_nodes("tests/contract/test_lists.py::test_it[nodes-a in (b)]")
    assert not on_nodes("tests/contract/test_lists.py::test_it[control plane-a]")
    assert not on_nodes("tests/tui/test_anywhere.py::test_it")


def test_the_clusters_of_a_unit_end_with_its_last_test() -> None:
    ended: list[object] = []
    session = SimpleNamespace(_setupstate=SimpleNamespace(teardown_exact=ended.append))
    first, same, other = (
        cast("pytest.Item", SimpleNamespace(nodeid=nodeid, session=session))
        for nodeid in (
            "tests/rungs/test_nodes.py::test_it",
            "tests/contract/test_lists.py::test_it[nodes-a in (b)]",
            "tests/tui/test_now.py::test_it",
        )
    )
    conftest.pytest_runtest_teardown(first, same)
    assert ended == []
    conftest.pytest_runtest_teardown(same, other)
    assert ended == [None]

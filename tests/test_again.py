"""A test that failed by chance is tried again, alone; a mistake never passes for chance."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.again import MOST, decide, depends_on_the_machine

SOURCES = {
    "tests.cli.test_commands": "import subprocess\ndef test_it(): ...",
    "tests.tui.test_now": "async def test_it():\n    async with app.run_test(): ...",
    "tests.incident.test_waits": "import asyncio\nasync def test_it(): ...",
    "tests.triage.test_pods": "from triage.facts import rules\ndef test_it(): ...",
    "tests.cluster.test_fuzz": "import subprocess\nfrom hypothesis import given\ndef test_it(): ...",
}
COMMAND = "tests/cli/test_commands.py::test_a"
NODES = "tests/contract/test_live.py::test_it[nodes]"


@pytest.mark.parametrize(
    ("nodeid", "expected"),
    [
        (COMMAND, True),
        ("tests/tui/test_now.py::test_it", True),
        ("tests/incident/test_waits.py::test_it", True),
        ("tests/triage/test_pods.py::test_it", False),
        ("tests/cluster/test_fuzz.py::test_it", False),
        ("tests/cli/test_commands.py", False),
        ("tests/not/there.py::test_it", False),
    ],
)
def test_what_only_computes_or_draws_examples_or_is_not_collected_is_no_chance(
    nodeid: str, expected: bool
) -> None:
    assert depends_on_the_machine(nodeid, SOURCES) is expected


class Runs:
    """Records the runs; those with an argument in `fail` fail."""

    def __init__(self, *fail: Sequence[str]) -> None:
        self.done: list[list[str]] = []
        self._fail = [list(each) for each in fail]

    def __call__(self, arguments: Sequence[str]) -> bool:
        self.done.append(list(arguments))
        if list(arguments) in self._fail:
            self._fail.remove(list(arguments))
            return False
        return True


def test_one_that_passes_with_its_file_and_alone_is_told_as_flaky(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = Runs()
    assert decide([COMMAND], SOURCES, run) == (0, [COMMAND])
    assert run.done == [["tests/cli/test_commands.py"], [COMMAND], [COMMAND]]
    assert f"FLAKY: failed beside all others, passed alone: {COMMAND}" in capsys.readouterr().out


@pytest.mark.parametrize("fails", [["tests/cli/test_commands.py"], [COMMAND]])
def test_one_that_fails_in_any_of_its_runs_has_failed(fails: list[str]) -> None:
    assert decide([COMMAND], SOURCES, Runs(fails)) == (1, [])


def test_a_failure_for_good_stays_one_beside_a_flaky_one() -> None:
    assert decide([COMMAND, "tests/triage/test_pods.py::test_it"], SOURCES, Runs()) == (
        1,
        [COMMAND],
    )


def test_many_failures_are_no_chance() -> None:
    few = [f"tests/cli/test_commands.py::test_{number}" for number in range(MOST)]
    assert decide(few, SOURCES, Runs()) == (0, few)
    run = Runs()
    assert decide([*few, "tests/triage/test_pods.py::test_it"], SOURCES, run) == (1, [])
    assert run.done == []


def test_tests_on_real_nodes_run_once_more_however_many_others_failed() -> None:
    others = [f"tests/cli/test_commands.py::test_{number}" for number in range(MOST + 1)]
    run = Runs()
    assert decide([NODES, *others], SOURCES, run) == (1, [NODES])
    assert run.done == [[NODES]]


def test_a_failure_that_names_no_test_is_a_failure() -> None:
    assert decide([], SOURCES, Runs()) == (1, [])

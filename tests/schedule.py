"""Which tests run one after another in one process, and which begin first, where pytest-xdist runs
several processes.

Tests on real clusters mostly wait and tests on drills mostly compute: beside each other they use
two cores well. A process starts a cluster at most once, when the first of its tests asks for it. So
whatever a test does to a whole cluster (rules and routes of a node, a frozen API server) disturbs
only those that come after it in the same process, and each puts right what it changed.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

BESIDE = 4
"""Processes more than there are cores: about as many wait at any time."""

NODES = ("_on_nodes.py", "_on_real_nodes", "tests/rungs/test_nodes.py")
"""Marks of tests on real nodes outside `tests/contract`, where the name of the rung is the first
argument."""
LABS = {
    "tests/probes/test_story": "lab 1",
    "tests/probes/test_paths": "lab 2",
    "tests/probes/test_reading": "lab 2",
}
OTHER_LAB = "lab 3"
ALL_LABS = frozenset({*LABS.values(), OTHER_LAB})
"""Tests on real nodes share so many labs: each takes 24 of the 128 inotify instances that Linux
gives a user, and a gigabyte of memory."""

APART = (
    "tests/tui/test_anywhere.py",
    "tests/drill_gates/test_real_api.py",
    "tests/triage/elsewhere/test_real_server.py",
)
"""Files whose tests share nothing: each test is a unit. Any other file is one."""

SECONDS = {
    "lab 1": 300,
    "lab 2": 300,
    "lab 3": 240,
    "tests/triage/elsewhere/test_elsewhere.py": 120,
    "tests/actions/test_faces.py": 110,
    "tests/actions/test_on_api_server.py": 110,
    "tests/probes/test_killed.py": 100,
    "tests/tui/panes/test_key_order.py": 90,
    "tests/cli/test_commands.py": 90,
    "tests/drill_gates/test_mutation.py": 90,
    "tests/runbooks/test_matcher.py": 80,
    "tests/text/test_faces.py": 80,
    "tests/workloads/test_broken_for_real.py": 80,
    "tests/tui/test_terminal.py": 70,
    "tests/incident/test_full_disk.py": 60,
    "tests/drill_gates/test_fault_removed.py": 60,
    "tests/actions/test_on_drill.py": 50,
    "tests/drill_gates/test_quoted.py": 50,
    "tests/drill_gates/test_renaming.py": 50,
    "tests/drills/test_scenarios.py": 50,
    "tests/probes/pods/test_exec_channel.py": 50,
    "tests/runbooks/test_paste.py": 50,
    "tests/triage/test_drills.py": 50,
    "tests/probes/test_lab.py": 45,
    "tests/tui/test_objects.py": 45,
    "tests/cli/test_act.py": 40,
    "tests/contract[control plane]": 40,
    "tests/probes/test_lab6.py": 40,
    "tests/tui/test_record.py": 40,
    "tests/tui/test_runbook.py": 40,
    "tests/tui/test_snapshots.py": 40,
    "tests/drill_gates/test_guides.py": 30,
    "tests/incident/test_session.py": 30,
    "tests/runbooks/test_check.py": 30,
    "tests/actions/test_dialogs.py": 25,
    "tests/tui/panes/test_themes.py": 25,
    "tests/tui/test_bursts.py": 20,
}
"""How long the long units take, roughly, where three processes share a core. The longest begin
first, so that no process is left alone with one in the end."""
USUAL = 5
"""Seconds of every other unit."""


def unit(nodeid: str) -> str:
    """The name of the unit that a test belongs to."""
    file, _, test = nodeid.partition("::")
    if file.startswith("tests/contract/"):
        rung = next((rung for rung in ("nodes", "control plane") if f"[{rung}" in test), "")
        return {"nodes": OTHER_LAB, "control plane": "tests/contract[control plane]"}.get(
            rung, file
        )
    if any(mark in nodeid.partition("[")[0] for mark in NODES):
        return next((lab for begin, lab in LABS.items() if file.startswith(begin)), OTHER_LAB)
    return nodeid if file in APART else file


def on_nodes(nodeid: str) -> bool:
    """Whether a test runs on real nodes."""
    return unit(nodeid) in ALL_LABS


def seconds(nodeid: str) -> float:
    """About how long the unit of a test takes."""
    return SECONDS.get(unit(nodeid), USUAL)


class Schedule(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Hands out whole units in the order of the collection."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

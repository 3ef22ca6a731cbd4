"""The debrief after a blind drill uses the names that the player saw."""

from __future__ import annotations

from cli.debrief import debrief
from drills.scenario.catalogue import load
from drills.scenario.expand import expand
from drills.scenario.renaming import shuffle
from tests.drills.conftest import NOW


def test_decoys_are_named_as_the_player_saw_them() -> None:
    drill = load("coredns-oom")
    assert any("node-c4" in decoy for decoy in drill.answer.decoys)
    names = expand(shuffle(drill, 7), NOW).renames
    told = "\n".join(debrief(drill, [], names))
    assert names["node-c4"] in told
    assert "node-c4" not in told
    assert drill.answer.debrief["took"] in told

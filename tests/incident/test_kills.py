"""A session that is killed while it changes the cluster: each change at the server has an intent in
the record, and each intent a result or a place among the unknown. `python -m tests.incident.kills
200` runs it with 200 kills."""

from __future__ import annotations

from pathlib import Path

from tests.incident.kills import faultless, kill_sessions


def test_every_intent_of_killed_sessions_is_accounted_for(tmp_path: Path) -> None:
    figures = kill_sessions(6, tmp_path)
    assert faultless(figures), figures
    assert figures["inside"] >= 4, "those killed before the answer of a change"
    assert figures["intents"] >= 9, "one of each of three sessions, two of each of three"
    assert figures["changes at the server"] >= 7

"""Full collections run when no key was pressed for a second, and after a while in any case."""

from __future__ import annotations

import gc
import time

import pytest

from incident.cadence import Cadence
from incident.process import READING, THRESHOLDS, YOUNG, GcPolicy

CADENCE = Cadence()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times of full collections; `looks[0]` is the clock."""
    seen = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seen[0])
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, YOUNG))
    monkeypatch.setattr(gc, "collect", lambda: seen.append(seen[0]))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    return seen


def test_at_intervals_while_no_key_is_pressed(looks: list[float]) -> None:
    policy = GcPolicy(CADENCE)
    policy.settle()
    for _ in range(30):
        looks[0] += CADENCE.gc / 10
        policy.collect(quiet=5)
    assert looks[1:] == pytest.approx(
        [1000 + CADENCE.gc, 1000 + 2 * CADENCE.gc, 1000 + 3 * CADENCE.gc]
    )


def test_while_keys_are_pressed_only_at_last(looks: list[float]) -> None:
    policy = GcPolicy(CADENCE)
    policy.settle()
    for _ in range(int(CADENCE.gc_latest) + 5):
        looks[0] += 1
        policy.collect(quiet=0.1)
    assert looks[1:] == [1000 + CADENCE.gc_latest]


def test_not_where_little_was_allocated(
    looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (600, 9, YOUNG - 1))
    policy = GcPolicy(CADENCE)
    policy.settle()
    looks[0] += CADENCE.gc_latest
    policy.collect(quiet=5)
    assert looks[1:] == []


def test_modules_are_left_out_of_collections_once(
    looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []
    monkeypatch.setattr(gc, "freeze", lambda: done.append("freeze"))
    monkeypatch.setattr(gc, "set_threshold", lambda *numbers: done.append(numbers))
    policy = GcPolicy(CADENCE)
    for _ in range(3):
        policy.collect(quiet=5)
    assert done == ["freeze", READING]
    policy.settle()
    policy.collect(quiet=5)
    assert done == ["freeze", READING, "freeze", THRESHOLDS]
    assert looks[1:] == []

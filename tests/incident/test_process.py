"""The collector looks at everything when nobody types, and in the end in any case."""

from __future__ import annotations

import gc
import time

import pytest

from incident.cadence import Cadence
from incident.process import YOUNG, GcPolicy

CADENCE = Cadence()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Moments at which everything was looked at; `looks[0]` is the clock."""
    seen = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: seen[0])
    monkeypatch.setattr(gc, "get_count", lambda: (0, 0, YOUNG))
    monkeypatch.setattr(gc, "collect", lambda: seen.append(seen[0]))
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "set_threshold", lambda *numbers: None)
    return seen


def test_not_before_everything_has_been_read(looks: list[float]) -> None:
    policy = GcPolicy(CADENCE)
    looks[0] += 10 * CADENCE.gc_latest
    policy.collect(quiet=100)
    assert looks[1:] == []


def test_now_and_then_while_nobody_types(looks: list[float]) -> None:
    policy = GcPolicy(CADENCE)
    policy.settle()
    for _ in range(30):
        looks[0] += CADENCE.gc / 10
        policy.collect(quiet=5)
    assert looks[1:] == pytest.approx(
        [1000 + CADENCE.gc, 1000 + 2 * CADENCE.gc, 1000 + 3 * CADENCE.gc]
    )


def test_while_somebody_types_only_at_last(looks: list[float]) -> None:
    policy = GcPolicy(CADENCE)
    policy.settle()
    for _ in range(int(CADENCE.gc_latest) + 5):
        looks[0] += 1
        policy.collect(quiet=0.1)
    assert looks[1:] == [1000 + CADENCE.gc_latest]


def test_not_where_little_was_made(looks: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (600, 9, YOUNG - 1))
    policy = GcPolicy(CADENCE)
    policy.settle()
    looks[0] += CADENCE.gc_latest
    policy.collect(quiet=5)
    assert looks[1:] == []

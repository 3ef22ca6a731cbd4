"""The collector looks at everything when nobody types, and in the end in any case."""

from __future__ import annotations

import gc
import time

import pytest

from incident.report.gc_policy import AT_LAST, EVERY, YOUNG, Garbage


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
    garbage = Garbage()
    looks[0] += 10 * AT_LAST
    garbage.collect(quiet=100)
    assert looks[1:] == []


def test_now_and_then_while_nobody_types(looks: list[float]) -> None:
    garbage = Garbage()
    garbage.settle()
    for _ in range(30):
        looks[0] += EVERY / 10
        garbage.collect(quiet=5)
    assert looks[1:] == pytest.approx([1000 + EVERY, 1000 + 2 * EVERY, 1000 + 3 * EVERY])


def test_while_somebody_types_only_at_last(looks: list[float]) -> None:
    garbage = Garbage()
    garbage.settle()
    for _ in range(int(AT_LAST) + 5):
        looks[0] += 1
        garbage.collect(quiet=0.1)
    assert looks[1:] == [1000 + AT_LAST]


def test_not_where_little_was_made(looks: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "get_count", lambda: (600, 9, YOUNG - 1))
    garbage = Garbage()
    garbage.settle()
    looks[0] += AT_LAST
    garbage.collect(quiet=5)
    assert looks[1:] == []

"""A journal on a clock that the test sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster.kube.text import clean_uncut
from timeline.journal.journal import EntryOrigin, Journal

START = datetime(2026, 11, 21, 3, 2, 11, tzinfo=UTC)


class Clock:
    """Wall and monotonic time in one; each reading is a millisecond later."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def monotonic(self) -> int:
        return int((self.now - START).total_seconds() * 1_000_000_000)

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def new_journal(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., Journal]]:
    opened: list[Journal] = []

    def make(title: str = "marketplace refuses connections", **options: object) -> Journal:
        settings: dict[str, Any] = {
            "origin": EntryOrigin(actor="jo.banks", host="laptop-17", context="prod-eu1"),
            "clock": clock,
            "monotonic": clock.monotonic,
        }
        journal = Journal.create(
            tmp_path / "incidents", title, **(settings | options), clean=clean_uncut
        )
        opened.append(journal)
        return journal

    yield make
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(new_journal: Callable[..., Journal]) -> Journal:
    return new_journal()

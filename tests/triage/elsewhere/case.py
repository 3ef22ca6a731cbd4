"""A cluster in one of the catalogue's situations, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.triage.elsewhere.world import World


@dataclass(frozen=True)
class Truth:
    """When it began, and what the failing things share: (what, value), any of them; empty where
    nothing separates them."""

    since: datetime
    shared: tuple[tuple[str, str], ...] = ()


Make = Callable[[datetime, bool], tuple[World, Truth]]


@dataclass(frozen=True)
class Case:
    """`make(now, fault)`: the cluster with its decoys, with the fault's signals or without them.
    `silent`: the API shows nothing."""

    id: str
    name: str
    make: Make
    silent: bool = False
    ranked_only: bool = False
    """The API alone cannot make it sure: first place is enough, confidence is not asked for."""
    slack: float = 5.0
    """Minutes by which `since` may differ."""


CASES: list[Case] = []


def case(id_: str, **more: Any) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        CASES.append(Case(id_, getattr(make, "__name__", id_), make, **more))
        return make

    return register

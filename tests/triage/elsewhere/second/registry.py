"""The cases of this batch: an id of the catalogue, or None for a cluster in which nothing is
wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tests.triage.elsewhere.second.lab import Obj

Build = Callable[[datetime, bool], list[Obj]]


@dataclass(frozen=True, slots=True)
class Case:
    """One cluster. ``build(now, fault)``; ``silent``: its story leaves no trace in the API, so
    nothing may be claimed."""

    name: str
    expected: str | None
    build: Build
    silent: bool = False
    twin: bool = False
    ranked_only: bool = False
    """The API alone cannot make it sure: it is the first of the stories, and none is confident."""


CASES: list[Case] = []


def case(
    expected: str | None,
    name: str | None = None,
    *,
    silent: bool = False,
    twin: bool = False,
    ranked_only: bool = False,
) -> Callable[[Build], Build]:
    def keep(build: Build) -> Build:
        CASES.append(Case(name or build.__name__, expected, build, silent, twin, ranked_only))
        return build

    return keep

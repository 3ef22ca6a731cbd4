"""Rows of a report: what was measured, against what, and the goal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `goal` is an upper bound in the same unit, None for a figure that is only shown;
    `note` says what it is."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "ok" if self.value <= self.goal else "MISSED"


def middle(values: Sequence[float]) -> float:
    return median(values)


def spread(values: Sequence[float], unit: str = "s") -> str:
    """The runs behind a median."""
    return ", ".join(f"{value:.2f}" for value in values) + f" {unit}"


def figure(
    name: str, values: Sequence[float], unit: str, goal: float | None = None, digits: int = 2
) -> Figure:
    """The median of several runs; the note says minimum, median and maximum."""
    return Figure(name, median(values), unit, goal, f"{three(values, digits)} of {len(values)}")


def ratios(
    name: str, mine: Sequence[float], theirs: Sequence[float], goal: float | None = None
) -> Figure:
    """The median of the ratios of runs that went in turn."""
    each = [one / other for one, other in zip(mine, theirs, strict=True)]
    return figure(name, each, "ratio", goal)


def three(values: Sequence[float], digits: int = 2) -> str:
    """Minimum, median and maximum."""
    found = (min(values), median(values), max(values))
    return ", ".join(f"{value:.{digits}f}" for value in found)


def text(rows: Sequence[Figure]) -> str:
    lines = [f"{'figure':44} {'value':>10} {'unit':9} {'goal':>8}  {'':7} note"]
    for row in rows:
        goal = "" if row.goal is None else f"<= {row.goal:g}"
        lines.append(
            f"{row.name:44} {row.value:>10.3f} {row.unit:9} {goal:>8}  {row.verdict:7} {row.note}"
        )
    return "\n".join(lines)


def document(rows: Sequence[Figure]) -> str:
    return json.dumps(
        {
            "schema": "stanch.bench/1",
            "rows": [{**asdict(row), "verdict": row.verdict} for row in rows],
        },
        indent=2,
    )

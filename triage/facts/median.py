"""The median, for what was measured. Its module is imported at the first value: it takes 8 ms, and
a first look has measured nothing."""

from __future__ import annotations

from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    """The middle of at least one value; raises statistics.StatisticsError without any."""
    import statistics

    return statistics.median(values)

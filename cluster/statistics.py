"""Fisher's exact test and Holm's correction, for triage and probes, which have only `cluster` in
common. Knows no Kubernetes.

Sources: Fisher (1922), Holm (1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_EQUAL = 1 + 1e-7
"""Probabilities that differ by less come from rounding (the tolerance of R's fisher.test)."""


def fisher(a: int, of_a: int, b: int, of_b: int, *, two_sided: bool = False) -> float:
    """p of `a` or more of `of_a` beside `b` of `of_b`, given the margins (hypergeometric);
    `two_sided`: of any table that is as rare. 1.0 when there is nothing to compare.

    Raises ValueError when a count is negative or larger than its total.
    """
    if not 0 <= a <= of_a or not 0 <= b <= of_b:
        raise ValueError("a count must lie between 0 and its total")
    if of_a == 0 or of_b == 0:
        return 1.0
    total, having = of_a + of_b, a + b
    log_all = _log_choose(total, of_a)

    def probability(k: int) -> float:
        return math.exp(_log_choose(having, k) + _log_choose(total - having, of_a - k) - log_all)

    highest = min(of_a, having)
    if not two_sided:
        return min(1.0, math.fsum(map(probability, range(a, highest + 1))))
    seen = probability(a) * _EQUAL
    every = map(probability, range(max(0, having - of_b), highest + 1))
    return min(1.0, math.fsum(p for p in every if p <= seen))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction, in the order given; never below the value itself or above 1."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = running
    return corrected


def _log_choose(n: int, k: int) -> float:
    if k < 0 or k > n:
        return -math.inf
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)

"""Statistics of a few tries: bounds, and when to stop.

Sources: Wilson (1927) score interval; Wald's sequential probability ratio test.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from math import log, sqrt

Z95 = 1.959964


def wilson(failed: int, tries: int, z: float = Z95) -> tuple[float, float]:
    """95 % interval of the failure rate after `failed` of `tries`; (0, 1) without tries. Raises
    ValueError when failed > tries."""
    if not 0 <= failed <= tries:
        raise ValueError(f"{failed} of {tries} tries cannot have failed")
    if tries == 0:
        return 0.0, 1.0
    share = failed / tries
    denominator = 1 + z * z / tries
    middle = (share + z * z / (2 * tries)) / denominator
    half = z * sqrt(share * (1 - share) / tries + z * z / (4 * tries * tries)) / denominator
    low = 0.0 if failed == 0 else max(0.0, middle - half)
    high = 1.0 if failed == tries else min(1.0, middle + half)
    return low, high


def bound(failed: int, tries: int) -> str:
    """What failed, in words: "5 of 5 failed", "1 of 30 failed (so 1% to 17% of all)", "none of 20
    failed (so at most 16% of all)". The range is Wilson's of 95 %."""
    if tries == 0:
        return "not measured"
    low, high = wilson(failed, tries)
    if failed == 0:
        return f"none of {tries} failed (so at most {high:.0%} of all)"
    if failed == tries:
        return f"{failed} of {tries} failed"
    return f"{failed} of {tries} failed (so {low:.0%} to {high:.0%} of all)"


class Stop(enum.StrEnum):
    GOOD = "good"
    BAD = "bad"
    GO_ON = "go on"


def sequential(
    outcomes: Sequence[bool],
    *,
    good: float = 0.01,
    bad: float = 0.5,
    alpha: float = 0.01,
    beta: float = 0.05,
) -> Stop:
    """Wald's test between a failure rate of `good` and of `bad`; `outcomes` holds True for each
    failed try, in order.

    With the defaults it stops after two failures in a row or five successes; with bad=0.2 after two
    or fifteen.
    """
    upper, lower = log((1 - beta) / alpha), log(beta / (1 - alpha))
    step_bad, step_good = log(bad / good), log((1 - bad) / (1 - good))
    position = 0.0
    for failed in outcomes:
        position += step_bad if failed else step_good
        if position >= upper:
            return Stop.BAD
        if position <= lower:
            return Stop.GOOD
    return Stop.GO_ON


def tries_to_see(rate: float, confidence: float = 0.95) -> int:
    """Number of tries that show at least one failure of this rate with this confidence. Raises
    ValueError unless 0 < rate < 1."""
    if not 0 < rate < 1:
        raise ValueError(f"rate {rate} is not between 0 and 1")
    tries = 1
    while 1 - (1 - rate) ** tries < confidence:
        tries += 1
    return tries


def tries_wanted(failed: int, tries: int, *, first: int = 5, most: int = 30) -> int:
    """Number of tries still to make: up to `first`, or up to `most` when the answers differ."""
    if tries < first:
        return first - tries
    if 0 < failed < tries:
        return max(0, most - tries)
    return 0

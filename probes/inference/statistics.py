"""Statistics of a few tries: bounds (Wilson's score interval, 1927), and when to stop."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959964


def wilson(failed: int, tries: int) -> tuple[float, float]:
    """95 % interval of the failure rate after `failed` of `tries`; (0, 1) without tries. Raises
    ValueError when failed > tries."""
    if not 0 <= failed <= tries:
        raise ValueError(f"{failed} of {tries} tries cannot have failed")
    if tries == 0:
        return 0.0, 1.0
    share = failed / tries
    denominator = 1 + Z95 * Z95 / tries
    middle = (share + Z95 * Z95 / (2 * tries)) / denominator
    half = Z95 * sqrt(share * (1 - share) / tries + Z95 * Z95 / (4 * tries * tries)) / denominator
    low = 0.0 if failed == 0 else max(0.0, middle - half)
    high = 1.0 if failed == tries else min(1.0, middle + half)
    return low, high


def bound(failed: int, tries: int) -> str:
    """What failed, in words: "5 of 5 failed", "1 of 30 failed (so 1% to 17% do)", "none of 20
    failed (so at most 16% do)". The range is Wilson's of 95 %."""
    if tries == 0:
        return "not measured"
    low, high = wilson(failed, tries)
    if failed == 0:
        return f"none of {tries} failed (so at most {high:.0%} do)"
    if failed == tries:
        return f"{failed} of {tries} failed"
    return f"{failed} of {tries} failed (so {low:.0%} to {high:.0%} do)"


def tries_wanted(failed: int, tries: int, *, most: int = 30) -> int:
    """Number of tries still to make: up to five, or up to `most` when the answers differ."""
    if tries < 5:
        return 5 - tries
    if 0 < failed < tries:
        return max(0, most - tries)
    return 0

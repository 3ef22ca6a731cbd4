"""Bounds and tests against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.inference.statistics import bound, tries_wanted, wilson


@pytest.mark.parametrize(
    ("failed", "tries", "text"),
    [
        (0, 20, "none of 20 failed (so at most 16% do)"),
        (5, 5, "5 of 5 failed"),
        (0, 100, "none of 100 failed (so at most 4% do)"),
        (1, 30, "1 of 30 failed (so 1% to 17% do)"),
        (0, 0, "not measured"),
    ],
)
def test_bounds_in_words(failed: int, tries: int, text: str) -> None:
    assert bound(failed, tries) == text


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_holds_the_observed_share(failed: int, tries: int) -> None:
    if failed > tries:
        with pytest.raises(ValueError, match="cannot have failed"):
            wilson(failed, tries)
        return
    low, high = wilson(failed, tries)
    assert 0 <= low <= failed / tries <= high <= 1


def test_more_tries_only_where_answers_differ() -> None:
    assert tries_wanted(0, 2) == 3
    assert tries_wanted(0, 5) == 0
    assert tries_wanted(5, 5) == 0
    assert tries_wanted(2, 5) == 25
    assert tries_wanted(2, 30) == 0

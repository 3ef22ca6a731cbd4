"""Fisher's exact test against exact fractions, and Holm's correction."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.statistics import fisher, holm

counts = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("table", "p"),
    [
        ((3, 4, 1, 4), 17 / 70),  # Fisher's tea: P(3 or 4 of 4)
        ((4, 4, 0, 4), 1 / 70),
        ((1, 1, 0, 8), 1 / 9),
        ((2, 2, 0, 7), 1 / 36),
        ((0, 3, 5, 9), 1.0),
        ((2, 2, 0, 0), 1.0),
    ],
)
def test_fisher_known_values(table: tuple[int, int, int, int], p: float) -> None:
    assert fisher(*table) == pytest.approx(p)


def test_fisher_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="between 0 and its total"):
        fisher(3, 2, 0, 1)


@given(counts, counts)
def test_fisher_is_a_probability_and_falls_with_evidence(
    inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    p = fisher(*inside, *outside)
    assert 0.0 <= p <= 1.0
    if inside[0] < inside[1]:
        assert fisher(inside[0] + 1, inside[1], *outside) <= p + 1e-9 or outside[1] == 0
    if outside[0] < outside[1]:
        assert fisher(*inside, outside[0] + 1, outside[1]) >= p - 1e-9


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_order_and_never_flatters(values: list[float]) -> None:
    corrected = holm(values)
    assert all(c >= v and c <= 1.0 for v, c in zip(values, corrected, strict=True))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert all(corrected[a] <= corrected[b] for a, b in itertools.pairwise(order))
    if values:
        assert corrected[order[0]] == pytest.approx(min(1.0, values[order[0]] * len(values)))


@pytest.mark.parametrize(
    ("cells", "p_value"),
    [((3, 3, 0, 3), 0.10), ((4, 4, 0, 4), 0.029), ((5, 5, 0, 5), 0.008), ((3, 10, 0, 30), 0.012)],
)
def test_fisher_two_sided_known_values(cells: tuple[int, int, int, int], p_value: float) -> None:
    assert fisher(*cells, two_sided=True) == pytest.approx(p_value, abs=0.001)


@given(counts, counts)
def test_fisher_is_exact_to_rounding(a: tuple[int, int], b: tuple[int, int]) -> None:
    if not a[1] or not b[1]:
        return
    having = a[0] + b[0]
    ways = comb(a[1] + b[1], having)
    table = {
        k: Fraction(comb(a[1], k) * comb(b[1], having - k), ways)
        for k in range(max(0, having - b[1]), min(a[1], having) + 1)
    }
    more = sum(p for k, p in table.items() if k >= a[0])
    as_rare = sum(p for p in table.values() if p <= table[a[0]])
    assert fisher(*a, *b) == pytest.approx(float(more), rel=1e-9)
    assert fisher(*a, *b, two_sided=True) == pytest.approx(float(as_rare), rel=1e-6)


def test_holm_is_monotone_and_bounded() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])

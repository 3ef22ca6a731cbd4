"""Quantities as the API writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils.quantity import parse_quantity

from cluster.kube.quantity import parse, size_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4.0),
        ("250m", 0.25),
        ("16Gi", 16 * 2.0**30),
        ("1e3", 1000.0),
        ("1E", 1e18),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1k", -1000.0),
        (" 2Ki ", 2048.0),
        ("100n", pytest.approx(1e-7)),
        ("", None),
        ("lots", None),
        ("1.2.3", None),
        ("4 Gi", None),
        ("1Zi", None),
        ("nan", None),
        ("inf", None),
        ("1GiB", None),
        ("1e3Ki", None),
        ("1E3", 1000.0),
    ],
)
def test_parse(text: str, value: float | None) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2.0**30, "1.0 GiB"),
        (3 * 2.0**40, "3.0 TiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_size_text(value: float, text: str) -> None:
    assert size_text(value) == text


NUMBERS = st.from_regex(r"\A[+-]?[0-9]{1,12}(\.[0-9]{1,6})?\Z")
SUFFIXES = st.sampled_from(
    [
        "",
        "n",
        "u",
        "m",
        "k",
        "M",
        "G",
        "T",
        "P",
        "E",
        "Ki",
        "Mi",
        "Gi",
        "Ti",
        "Pi",
        "Ei",
        "e3",
        "e-2",
    ]
)


@given(NUMBERS, SUFFIXES)
def test_as_the_official_client_reads_them(number: str, suffix: str) -> None:
    theirs = parse_quantity(number + suffix)  # type: ignore[no-untyped-call]  # of the library
    assert parse(number + suffix) == pytest.approx(float(theirs), rel=1e-12)

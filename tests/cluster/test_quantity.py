"""Quantities as the API writes them."""

from __future__ import annotations

import pytest

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

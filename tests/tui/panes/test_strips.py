"""The last place before the terminal: the exact width, and nothing that a terminal acts on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tests.text.test_lines import ANYTHING
from text.lines import Line, columns, fit, line
from tui.strips import to_strip

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]")


@given(ANYTHING, st.integers(1, 80))
def test_no_control_character_is_drawn(text: str, width: int) -> None:
    strip = to_strip(line(text), lambda name: Style.null(), 0, width, Style.null())
    assert strip.cell_length == width
    assert not UNSAFE.search(strip.text)


@given(ANYTHING)
def test_a_line_that_was_not_cleaned_is_cleaned_when_it_is_drawn(text: str) -> None:
    strip = to_strip(Line(((text, "plain"),)), lambda name: Style.null(), 0, 40, Style.null())
    assert not UNSAFE.search(strip.text)


@pytest.mark.parametrize(
    "text",
    [
        "⚠️ disk",
        "❤️",
        "1️⃣ first",
        "👍🏽 ok",
        "👨‍👩‍👧",
        "🇩🇪",
        "한국어",
        "東京",
        "e\u0301te\u0301",
        "ﾊﾝｶｸ",
        "🚀",
    ],
)
def test_columns_stay_aligned_after_wide_characters(text: str) -> None:
    """Textual places what follows by its own measure of a text."""
    row = columns((text, 20), ("after", 5))
    drawn = to_strip(row, lambda _: Style.null(), 0, 30, Style.null())
    before = drawn.text.partition("after")[0]
    assert cell_len(before) == 22
    assert cell_len(fit(text * 9, 7)) == 7

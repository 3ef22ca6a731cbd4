"""The last place before the terminal: the exact width, and nothing that a terminal acts on."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from tests.text.test_lines import ANYTHING
from text.lines import Line, line
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

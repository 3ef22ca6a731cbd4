"""The door from strings to the terminal: exact widths, nothing lost, nothing that a terminal acts
on."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from tests.tui.fake import HOSTILE
from tui.strips import columns, fit, line, paragraphs, rule, shorten, to_strip, wrap

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b-\u200f]")
ANYTHING = st.text(max_size=120) | st.sampled_from(
    [HOSTILE, "漢字" * 30, "e\u0301" * 40, "\x1b]52;c;x\x07", "[/", "[@click=app.quit]x[/]"]
)


@given(ANYTHING, st.integers(1, 60))
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(shorten(text, width)) <= width


@given(ANYTHING, st.integers(8, 60), st.integers(0, 12))
def test_wrapped_lines_fit_and_lose_no_word(text: str, width: int, hang: int) -> None:
    whole = line(text)
    rows = wrap(whole, width, hang)
    assert all(row.width <= width for row in rows)
    assert "".join(row.text for row in rows).replace(" ", "") == whole.text.replace(" ", "")


@given(ANYTHING, st.integers(1, 80))
def test_no_control_character_is_drawn(text: str, width: int) -> None:
    strip = to_strip(line(text), lambda name: Style.null(), 0, width, Style.null())
    assert strip.cell_length == width
    assert not UNSAFE.search(strip.text)


@given(ANYTHING)
def test_a_line_that_was_not_cleaned_is_cleaned_when_it_is_drawn(text: str) -> None:
    from tui.strips import Line

    strip = to_strip(Line(((text, "plain"),)), lambda name: Style.null(), 0, 40, Style.null())
    assert not UNSAFE.search(strip.text)


def test_markup_is_text() -> None:
    assert line("[/x] [@click=app.quit]x[/] [bold").text == "[/x] [@click=app.quit]x[/] [bold"


def test_columns_stay_aligned_with_wide_and_combining_characters() -> None:
    rows = [columns((text, 12), ("x", 1)) for text in ("abc", "漢字漢字漢字漢字", "e\u0301tat")]
    assert {row.width for row in rows} == {15}


def test_a_long_text_is_counted_when_cut() -> None:
    rows = paragraphs("\n".join(map(str, range(50))), 20, limit=5)
    assert len(rows) == 5
    assert rows[-1].text == "… 46 more lines"


@pytest.mark.parametrize("width", [3, 10, 80])
def test_rule_fills_the_width(width: int) -> None:
    assert rule("now", width).width >= min(width, 6)
    assert rule("a very long title of a pane", 80).width == 80

"""Styled lines: exact widths, nothing lost, markup is only text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.tui.fake import HOSTILE
from text.lines import columns, fit, line, paragraphs, rule, shorten, wrap
from text.width import cells, head

ANYTHING = st.text(max_size=120) | st.sampled_from(
    [HOSTILE, "漢字" * 30, "e\u0301" * 40, "\x1b]52;c;x\x07", "[/", "[@click=app.quit]x[/]"]
)


@given(ANYTHING, st.integers(1, 60))
def test_fit_is_exactly_as_wide_as_asked(text: str, width: int) -> None:
    assert cells(fit(text, width)) == width
    assert cells(shorten(text, width)) <= width


@given(ANYTHING, st.integers(8, 60), st.integers(0, 12))
def test_wrapped_lines_fit_and_lose_no_word(text: str, width: int, hang: int) -> None:
    whole = line(text)
    rows = wrap(whole, width, hang)
    assert all(row.width <= width for row in rows)
    assert "".join(row.text for row in rows).replace(" ", "") == whole.text.replace(" ", "")


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


@given(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Z")))
def test_widths_are_those_that_the_screens_are_drawn_with(character: str) -> None:
    """Symbols differ by one version of Unicode and are left out where they do."""
    if not 0x2028 <= ord(character) <= 0x2029 and character < "\u2630":
        assert cells(character) == cell_len(character)


@given(ANYTHING, st.integers(0, 40))
def test_the_head_of_a_text_fits_and_could_not_be_longer(text: str, width: int) -> None:
    first = head(text, width)
    assert text.startswith(first)
    assert cells(first) <= width or text.isascii()
    assert first == text or cells(text[: len(first) + 1]) > width

"""Styled lines: exact widths, nothing lost, markup is only text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.tui.fake import HOSTILE
from text.lines import (
    HINT,
    KeptLayout,
    columns,
    field,
    fields,
    fit,
    fit_name,
    layout,
    line,
    plain_text,
    rows,
    rule,
    shorten,
    without_hints,
)
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
    whole = line(text, target="x", hang=hang)
    found = rows(whole, width)
    assert all(row.width <= width for row in found)
    assert {row.target for row in found} == {"x"}
    assert "".join(row.text for row in found).replace(" ", "") == whole.text.replace(" ", "")


@given(ANYTHING, st.text("ab ", max_size=12), st.integers(30, 80))
def test_what_stands_at_the_right_edge_is_never_pushed_out(
    text: str, edge: str, width: int
) -> None:
    found = rows(line(text, right=((edge, "key"),)), width)
    assert all(row.width <= width for row in found)
    assert edge.strip() in " ".join(row.text for row in found)


def test_a_narrow_pane_gives_the_right_edge_a_row_of_its_own() -> None:
    both = line(
        "failing: 7 of 7 on node-2", right=(("network-policy-cni-version-skew 0.91", "key"),)
    )
    assert len(rows(both, 80)) == 1
    first, last = rows(both, 44)
    assert first.text == "failing: 7 of 7 on node-2"
    assert last.text.strip() == "network-policy-cni-version-skew 0.91"


def test_plain_text_is_whole_and_leaves_the_keys_of_the_screens_out() -> None:
    both = line("not run yet", ("; enter runs it", HINT), right=(("8 min", "plain"),))
    assert plain_text(without_hints(both)) == "not run yet  8 min"
    assert plain_text(without_hints(rule("now", "x exports it"))) == "── now"


def test_further_rows_of_a_field_stand_below_its_text() -> None:
    assert [row.text for row in rows(field("for", "one two three"), 20)] == [
        " for      one two ",
        "          three",
    ]
    assert layout(fields("shared", ["a", "b", "c"], limit=2), 40)[-1].text == "          and 1 more"


def test_a_long_name_keeps_the_end_that_tells_pods_apart() -> None:
    names = [f"checkout-webhook-v5-9n2xc4s8b-{end}" for end in ("x2k8z", "p9q4w")]
    assert [fit_name(name, 26) for name in names] == [
        "checkout-webhook-v5…-x2k8z",
        "checkout-webhook-v5…-p9q4w",
    ]
    assert fit_name("web", 6) == "web   "
    assert {cells(fit_name("漢字漢字漢字漢字漢字漢字漢字", width)) for width in (19, 20)} == {
        19,
        20,
    }


def test_markup_is_text() -> None:
    assert line("[/x] [@click=app.quit]x[/] [bold").text == "[/x] [@click=app.quit]x[/] [bold"


def test_columns_stay_aligned_with_wide_and_combining_characters() -> None:
    found = [columns((text, 12), ("x", 1)) for text in ("abc", "漢字漢字漢字漢字", "e\u0301tat")]
    assert {row.width for row in found} == {15}


@pytest.mark.parametrize("width", [3, 10, 80])
def test_rule_fills_the_width(width: int) -> None:
    for title in ("now", "a very long title of a pane"):
        assert [row.width for row in rows(rule(title), width)] == [width]


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


def test_rows_of_a_line_that_is_drawn_again_are_kept_unless_it_is_long() -> None:
    """A list of 500 symptoms is laid out with each key; a log line of a megabyte is not kept."""
    short, long = (line("word " * number, right=(("1 min", "muted"),)) for number in (9, 900))
    again = line("word " * 9, right=(("1 min", "muted"),))
    assert rows(short, 20) is rows(again, 20)
    assert rows(short, 20) != rows(short, 30)
    assert rows(long, 20) is not rows(long, 20)
    assert rows(long, 20) == rows(long, 20)


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("no pod matches its selector", 24, "no pod matches its…"),
        ("no pod matches its selector", 19, "no pod matches its…"),
        ("https://api.example.com:6443", 20, "https://api.example…"),
        ("a https://api.example.com:6443", 20, "a https://api.examp…"),
    ],
)
def test_a_sentence_is_cut_at_a_word_and_an_address_anywhere(
    text: str, width: int, short: str
) -> None:
    assert shorten(text, width) == short


@given(st.lists(ANYTHING, max_size=8), st.lists(st.sampled_from((20, 20, 33)), max_size=4))
def test_a_layout_that_keeps_rows_is_the_layout_of_the_lines(
    texts: list[str], widths: list[int]
) -> None:
    kept, lines = KeptLayout(), [line(text, hang=2) for text in texts]
    for width in widths:
        assert kept(lines, width) == layout(lines, width)
        lines = [line("new"), *lines[1:]]

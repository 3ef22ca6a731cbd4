"""The timeline's own door for hostile text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.redaction.clean import clean, clean_line, clean_value


@pytest.mark.parametrize(
    ("hostile", "inert"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]52;c;cm0gLXJm\x07x", "x"),
        ("\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bP+q\x1b\\dcs", "dcs"),
        ("\x1b]0;never ended and more", "0;never ended and more"),
        ("real line\rfake", "real line\nfake"),
        ("a\r\nb", "a\nb"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("pass\u200bword", "password"),
        ("bell\x07 null\x00 del\x7f", "bell\\x07 null\\x00 del\\x7f"),
        ("c1 \x85 next", "c1 \n next"),
        ("lone \ud83d", "lone \\ud83d"),
        ("\x1b[?1049h\x1b[6n", ""),
        ("tab\tand\nline 日本語 é 🙂", "tab\tand\nline 日本語 é 🙂"),
        ("[red]x[/] [@click=app.quit]y[/]", "[red]x[/] [@click=app.quit]y[/]"),
        ("\x1b\x1b[2J", ""),
    ],
)
def test_known_tricks(hostile: str, inert: str) -> None:
    assert clean(hostile) == inert


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b[]m;\x07\\P\r\u202e\ud800"), max_size=60))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    for character in cleaned:
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


def test_lines_and_values() -> None:
    assert clean_line(" a\n\tb\x1b[0m  c ") == "a b c"
    assert clean_value({"\x1b[1mk": ["\x07", 1, None, True, 2.5, float("inf")]}) == {
        "k": ["\\x07", 1, None, True, 2.5, "inf"]
    }

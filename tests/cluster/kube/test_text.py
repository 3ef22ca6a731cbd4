"""Text from outside: nothing that a terminal obeys or a reader cannot see is left."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kube.text import (
    LINE_LIMIT,
    clean,
    clean_line,
    clean_tree,
    clean_uncut,
    is_clean,
    is_suspect,
)

REMOVED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""General categories that no cleaned text holds, line feed and tab apart."""
EVERY = [
    character
    for character in map(chr, range(0x110000))
    if unicodedata.category(character) in REMOVED and character not in "\n\t"
]


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
        ("soft\u00adhyphen", "softhyphen"),
        ("mongolian\u180evowel", "mongolianvowel"),
        ("hangul\u3164filler", "hangulfiller"),
        ("smuggled\U000e0141\U000e01ef", "smuggled"),
        ("bell\x07 null\x00 del\x7f", "bell\\x07 null\\x00 del\\x7f"),
        ("c1 \x85 next", "c1 \n next"),
        ("line\u2028paragraph\u2029end", "line\nparagraph\nend"),
        ("lone \ud83d", "lone \\ud83d"),
        ("lone \x1b", "lone "),
        ("\x1b[?1049h\x1b[6n", ""),
        ("\x1b\x1b[2J", ""),
        ("tab\tand\nline 日本語 é 🙂 ❤️", "tab\tand\nline 日本語 é 🙂 ❤️"),
        ("[red]x[/] [@click=app.quit]y[/]", "[red]x[/] [@click=app.quit]y[/]"),
    ],
)
def test_known_tricks(hostile: str, inert: str) -> None:
    assert clean(hostile) == inert


def test_every_character_of_these_categories_is_removed_or_made_visible() -> None:
    for character in EVERY:
        left = clean(f"a{character}b")
        assert not {unicodedata.category(each) for each in left.replace("\n", "")} & set(REMOVED)
        assert not is_clean(character, 0, 1), hex(ord(character))


def test_the_set_within_ascii_is_that_of_all_text() -> None:
    from cluster.kube import text

    for sign in map(chr, range(128)):
        assert bool(text._UNSAFE_ASCII.search(sign)) is bool(text._UNSAFE.search(sign)), repr(sign)


def test_encoded_json_with_any_of_them_is_suspect() -> None:
    for character in EVERY:
        escaped = json.dumps(character).encode()
        assert is_suspect(escaped), hex(ord(character))
        if unicodedata.category(character) != "Cs" and ord(character) >= 0x7F:
            assert is_suspect(f'"{character}"'.encode()), hex(ord(character))


@given(st.text(st.characters() | st.sampled_from("\x1b\x9b[]m;\x07\\P\r\u202e\ud800"), max_size=60))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    for character in cleaned:
        assert character in "\n\t" or unicodedata.category(character) not in REMOVED


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_what_is_not_suspect_is_clean(text: str) -> None:
    for encoded in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        if not is_suspect(encoded.encode()):
            assert clean(text) == text


@given(st.integers(1, 200), st.text(min_size=1, max_size=300))
def test_cutting_keeps_the_limit_and_is_idempotent(limit: int, text: str) -> None:
    cut = clean(text, limit)
    assert len(cut) <= limit
    assert clean(cut, limit) == cut


def test_a_cut_text_says_how_much_is_missing() -> None:
    cut = clean("x" * 10_000)
    assert len(cut) <= LINE_LIMIT
    kept = cut.count("x")
    assert cut.endswith(f" … ({10_000 - kept} more characters)")
    assert clean_uncut("x" * 10_000) == "x" * 10_000


def test_a_line_is_one_line_whatever_ends_it() -> None:
    for end in ("\n", "\r", "\r\n", "\x85", "\u2028", "\u2029", "\t"):
        assert clean_line(f"real{end}fake") == "real fake"
    assert clean_line("    at  com.example") == "    at  com.example"


def test_a_tree_is_cleaned_with_its_keys() -> None:
    tree = {"k\x1b[0m": ["\x07", {"a": "\u202eb"}], "n": 1, "t": None}
    assert clean_tree(tree) == {"k": ["\\x07", {"a": "b"}], "n": 1, "t": None}

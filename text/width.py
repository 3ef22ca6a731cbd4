"""How many terminal cells a text takes: 2 for East Asian wide characters, 0 for combining ones."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

SOFT_HYPHEN = "\xad"


def cells(text: str) -> int:
    """Width of cleaned text in terminal cells."""
    return len(text) if text.isascii() else _measured(text)


def head(text: str, width: int) -> str:
    """The longest beginning of `text` that fits `width` cells."""
    if text.isascii():
        return text[: max(0, width)]
    used = 0
    for index, character in enumerate(text):
        used += _cell(character)
        if used > width:
            return text[:index]
    return text


@lru_cache(4096)
def _measured(text: str) -> int:
    return sum(map(_cell, text))


@lru_cache(4096)
def _cell(character: str) -> int:
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Mc") or (category == "Cf" and character != SOFT_HYPHEN):
        return 0
    if "\u1160" <= character <= "\u11ff":  # Hangul vowels and finals join the syllable before
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1

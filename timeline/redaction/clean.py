"""Cleans JSON-like values with a function from the caller.

`timeline` imports nothing of the project, so the journal's opener passes in the rule for removed
characters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Clean = Callable[[str], str]
"""Returns text without terminal control, bidirectional and invisible characters, uncut. Line feed
and tab stay; cleaning twice changes nothing."""


def clean_line(text: str, clean: Clean) -> str:
    """`text` cleaned and on one line: each run of white space becomes one space."""
    return " ".join(clean(text).split())


def clean_value(value: object, clean: Clean) -> object:
    """Return a JSON-like value with every string (keys too) cleaned.

    Tuples become lists, floats that JSON cannot hold become their name, and anything else becomes
    its `str()`.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): clean_value(item, clean) for key, item in value.items()}
    if isinstance(value, (Sequence, set, frozenset)) and not isinstance(value, (bytes, bytearray)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [clean_value(item, clean) for item in items]
    return clean(str(value))

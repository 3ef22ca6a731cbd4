"""Finds which of many regular expressions match a text, at the cost of a few."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from runbooks.documents import Pattern

SHOWN = 60
"""Characters that are shown of what a pattern matches."""


class PatternIndex:
    """Patterns by the parts of a text that they need. Immutable once built."""

    def __init__(self, rows: Iterable[tuple[int, Pattern]]) -> None:
        """`rows`: the number of a document and a pattern of it."""
        self._documents: dict[str, list[int]] = defaultdict(list)
        self._by_part: dict[str, list[str]] = defaultdict(list)
        """Expressions by the part that a text must have; those under "" may match anywhere."""
        for number, pattern in rows:
            if pattern.expression not in self._documents:
                for part in pattern.needs or ("",):
                    self._by_part[part].append(pattern.expression)
            self._documents[pattern.expression].append(number)

    def find(self, folded: str) -> dict[int, list[str]]:
        """Matches in a text, by document, in the order in which the patterns were given."""
        possible = {
            expression
            for part, expressions in self._by_part.items()
            if part in folded
            for expression in expressions
        }
        found: dict[int, list[str]] = defaultdict(list)
        for expression in (one for one in self._documents if one in possible):
            pattern = compiled(expression)
            match = pattern.search(folded) if pattern is not None else None
            if match is not None:
                for number in self._documents[expression]:
                    found[number].append(match.group()[:SHOWN].strip())
        return found


@cache
def compiled(expression: str) -> re.Pattern[str] | None:
    """None when it is no regular expression. Compiled when a text first has a part that it needs:
    most never are, and compiling all costs as much as the rest of the index."""
    try:
        return re.compile(expression, re.IGNORECASE)
    except re.error:
        return None  # lint reports it with its line

"""Which words a regular expression cannot match without: a cheap look before the expensive one.

A pattern such as `(docker|containerd).{0,80}hang` needs "docker" or "containerd". Looking for these
substrings first makes hundreds of patterns affordable at every keystroke. What is not understood
gives no words, and then the pattern is always tried.
"""

from __future__ import annotations

from re import _parser  # type: ignore[attr-defined]  # the parser that re itself uses; there is no public one
from typing import Any

SHORTEST = 3
MOST = 60


def needed_words(pattern: str) -> tuple[str, ...]:
    """Substrings (lower case) of which any text that matches has at least one; empty when there is
    no such set. `pattern` ignores case."""
    try:
        words = _best(_parser.parse(pattern))
    except (
        AttributeError,
        TypeError,
        ValueError,
        KeyError,
        RecursionError,
        _parser.error,
    ):  # also a later shape of the parser's answer
        return ()
    return tuple(sorted(words)) if words and len(words) <= MOST else ()


def _best(items: Any) -> set[str] | None:
    """The most selective set that a sequence demands: the one whose shortest word is longest."""
    choices: list[set[str]] = []
    run = ""
    for operation, argument in items:
        name = str(operation)
        if name == "LITERAL" and argument < 128:
            run += chr(argument).lower()
            continue
        if len(run) >= SHORTEST:
            choices.append({run})
        run = ""
        found = _of(name, argument)
        if found:
            choices.append(found)
    if len(run) >= SHORTEST:
        choices.append({run})
    return max(choices, key=lambda words: (min(map(len, words)), -len(words)), default=None)


def _of(name: str, argument: Any) -> set[str] | None:
    if name == "SUBPATTERN":
        return _best(argument[-1])
    if name == "BRANCH":
        union: set[str] = set()
        for branch in argument[1]:
            words = _best(branch)
            if not words:
                return None
            union |= words
        return union
    if name in ("MAX_REPEAT", "MIN_REPEAT") and argument[0] >= 1:
        return _best(argument[2])
    return None

"""The runbooks that are shipped, read once in a process of tests: a library takes 0.4 s of CPU, the
index of its words 0.7 s. Neither is changed by what is asked of it."""

from __future__ import annotations

from functools import cache

from runbooks.loader import Library
from runbooks.matcher import Matcher


@cache
def library() -> Library:
    return Library()


@cache
def matcher() -> Matcher:
    return Matcher(library())

"""Work in stages: a generator that stops wherever others may come in between, and returns what was
made.

Whoever has the thread for itself calls `finish`; whoever shares it goes on with the next stage when
others have had their turn.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Stages = Generator[None, None, T]


def finish(stages: Stages[T]) -> T:
    """All stages at once."""
    while True:
        try:
            next(stages)
        except StopIteration as end:
            made: T = end.value
            return made

"""Long work as a generator: it yields where other tasks of the event loop may run, and returns its
result."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Cooperative = Generator[None, None, T]


def run(work: Cooperative[T]) -> T:
    """Run the work to its end without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result

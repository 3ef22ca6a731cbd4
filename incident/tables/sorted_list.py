"""A sorted list in blocks: adding, removing and finding by rank cost about the square root of its
length."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

BLOCK = 512
"""Items of a new block; it is split at twice that."""


class Ordered:
    """Distinct comparable items in ascending order."""

    def __init__(self, ordered: Sequence[Any] = ()) -> None:
        """`ordered` is in ascending order."""
        self._blocks: list[list[Any]] = [
            [*ordered[i : i + BLOCK]] for i in range(0, len(ordered), BLOCK)
        ]
        self._last: list[Any] = [block[-1] for block in self._blocks]
        self._starts: list[int] | None = None
        """Rank of the first item of each block; None when it must be counted again."""
        self._length = len(ordered)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Any]:
        for block in self._blocks:
            yield from block

    def __getitem__(self, rank: int) -> Any:
        """The item with that rank, counted from 0. Raises IndexError."""
        if not 0 <= rank < self._length:
            raise IndexError(rank)
        index = bisect_right(self._ranks(), rank) - 1
        return self._blocks[index][rank - self._ranks()[index]]

    def rank(self, item: Any) -> int:
        """The rank of an item. Raises ValueError when it is absent."""
        index, place = self._find(item)
        return self._ranks()[index] + place

    def below(self, bound: Any) -> int:
        """How many items are less than `bound`, which need not be an item."""
        index = bisect_left(self._last, bound)
        if index == len(self._blocks):
            return self._length
        return self._ranks()[index] + bisect_left(self._blocks[index], bound)

    def add(self, item: Any) -> None:
        self._length += 1
        self._starts = None
        if not self._blocks:
            self._blocks.append([item])
            self._last.append(item)
            return
        index = min(bisect_left(self._last, item), len(self._blocks) - 1)
        block = self._blocks[index]
        insort(block, item)
        self._last[index] = block[-1]
        if len(block) > 2 * BLOCK:
            tail = block[BLOCK:]
            del block[BLOCK:]
            self._last[index] = block[-1]
            self._blocks.insert(index + 1, tail)
            self._last.insert(index + 1, tail[-1])

    def remove(self, item: Any) -> None:
        """Raises ValueError when the item is absent."""
        index, place = self._find(item)
        block = self._blocks[index]
        del block[place]
        self._length -= 1
        self._starts = None
        if block:
            self._last[index] = block[-1]
        else:
            del self._blocks[index], self._last[index]

    def _find(self, item: Any) -> tuple[int, int]:
        index = bisect_left(self._last, item)
        if index < len(self._blocks):
            block = self._blocks[index]
            place = bisect_left(block, item)
            if place < len(block) and block[place] == item:
                return index, place
        raise ValueError(f"{item!r} is not in the list")

    def _ranks(self) -> list[int]:
        if self._starts is None:
            self._starts = (
                [0, *accumulate(len(block) for block in self._blocks)][:-1] if self._blocks else []
            )
        return self._starts

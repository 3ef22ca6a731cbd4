"""Where a list and watch hands its state on to."""

from __future__ import annotations

from typing import Protocol

from cluster.kube.objects import Object
from cluster.live.freshness import State
from cluster.live.store import Key


class Sink(Protocol):
    """Where the state of one kind goes. No method waits."""

    def listing(self) -> None:
        """A list begins: what follows is the whole, until `listed`."""

    def objects(self, objects: list[Object], remaining: int | None) -> None:
        """A part of the list; `remaining` objects are still to come, None when that is not
        known."""

    def listed(self) -> None:
        """The list is complete: what it did not name is gone."""

    def updates(self, upserts: list[Object], deletes: list[Key]) -> None:
        """Changes after the list."""

    def beat(self) -> None:
        """The server said something, a bookmark for example."""

    def connected(self) -> None:
        """A watch is open: the state is live."""

    def faulty(self, number: int) -> None:
        """So many objects could not be decoded."""

    def trouble(self, state: State, reason: str) -> None:
        """No longer live, and why."""

"""The state of one list and watch: its rows in the store, and how fresh they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cluster.kube.kinds import Kind
from cluster.kube.objects import Object
from cluster.live.freshness import State
from cluster.live.store import Change, Key, Store


class KindState:
    """One kind in one namespace ("" for all) on its way into the store. The `Sink` of a
    `KindWatch`."""

    def __init__(
        self,
        kind: Kind,
        namespace: str,
        store: Store,
        clock: Callable[[], datetime],
        note: Callable[[Sequence[Change]], None],
        settled: Callable[[], None],
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.state = State.WAITING
        self.reason = ""
        self.heard: datetime | None = None
        self.expected: int | None = None
        self.faults = 0
        self._store = store
        self._clock = clock
        self._note = note
        self._settled = settled
        self._complete = False
        self._seen: set[Key] = set()

    # -- the sink

    def listing(self) -> None:
        self._seen = set()
        self.expected = None
        if not self._complete:
            self._be(State.LOADING, "")

    def objects(self, objects: list[Object], remaining: int | None) -> None:
        self.heard = self._clock()
        self._seen.update((each.metadata.namespace, each.metadata.name) for each in objects)
        if remaining is not None:
            self.expected = len(self._seen) + remaining
        self._note(self._store.apply(self.kind.name, objects))

    def listed(self) -> None:
        self.heard = self._clock()
        rows = (
            self._store.in_namespace(self.kind.name, self.namespace)
            if self.namespace
            else self._store.rows(self.kind.name)
        )
        gone = [key for key in rows if key not in self._seen]
        self._seen = set()
        self._complete = True
        self.expected = None
        self._note(self._store.apply(self.kind.name, (), gone))
        self._be(State.LIVE, "")
        self._settled()

    def updates(self, upserts: list[Object], deletes: list[Key]) -> None:
        self._note(self._store.apply(self.kind.name, upserts, deletes))

    def beat(self) -> None:
        self.heard = self._clock()

    def connected(self) -> None:
        self.heard = self._clock()
        if self._complete:
            self._be(State.LIVE, "")

    def faulty(self, number: int) -> None:
        self.faults += number

    def trouble(self, state: State, reason: str) -> None:
        if state is State.STALE and not self._complete:
            # an incomplete list must not pass for a complete one
            state = State.LOADING if self._seen else State.WAITING
        self._be(state, reason)
        self._settled()

    # -- inside

    def _be(self, state: State, reason: str) -> None:
        self.state, self.reason = state, reason
        self._note(())

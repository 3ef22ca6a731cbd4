"""The state of one list and watch: its rows in the store, and how fresh they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial, wraps
from typing import Concatenate, ParamSpec

from cluster.kube.kinds import Kind
from cluster.kube.objects import Object
from cluster.live.freshness import WatchState
from cluster.live.store import Key, Store, StoreUpdate
from cluster.live.write_buffer import WriteBuffer

P = ParamSpec("P")


def _buffered(
    method: Callable[Concatenate[KindState, P], None],
) -> Callable[Concatenate[KindState, P], None]:
    """Runs the method now, or when the write buffer is released."""

    @wraps(method)
    def run(self: KindState, /, *args: P.args, **kwargs: P.kwargs) -> None:
        self.write_buffer.do(partial(method, self, *args, **kwargs))

    return run


class KindState:
    """One kind in one namespace ("" for all). `KindWatch` calls the methods; none of them waits.

    `note` gets the changes of the store, also an empty list when state or reason changed.
    `settled` is called when the first list is complete or has failed.
    """

    def __init__(
        self,
        kind: Kind,
        namespace: str,
        store: Store,
        write_buffer: WriteBuffer,
        clock: Callable[[], datetime],
        note: Callable[[Sequence[StoreUpdate]], None],
        settled: Callable[[], None],
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.write_buffer = write_buffer
        self.state = WatchState.WAITING
        self.reason = ""
        self.heard: datetime | None = None
        self.expected: int | None = None
        self.watched = False
        """Whether a watch was open since the first list. Without one, a server that answers says
        nothing about the rows."""
        self.audit_ids: Sequence[str] = ()
        """Of the answers to its lists and watches, the newest last."""
        self.faults = 0
        """Objects that could not be decoded."""
        self._store = store
        self._clock = clock
        self._note = note
        self._settled = settled
        self._complete = False
        self._count = 0
        """Objects of the list so far."""
        self._seen: set[Key] | None = None
        """Their keys; None when no row was known before, so that none can be gone."""

    @_buffered
    def listing(self) -> None:
        """A list begins: what follows until `listed` is the whole. Why the one before failed is
        said until then."""
        self._count = 0
        self._seen = set() if self._rows() else None
        self.expected = None
        if not self._complete:
            self._set(WatchState.LOADING, self.reason)

    @_buffered
    def objects(self, objects: list[Object], remaining: int | None) -> None:
        """A part of the list; `remaining` objects follow, None when that is not known."""
        self.heard = self._clock()
        self._count += len(objects)
        if self._seen is not None:
            self._seen.update((each.metadata.namespace, each.metadata.name) for each in objects)
        if remaining is not None:
            self.expected = self._count + remaining
        self._note(self._store.apply(self.kind.name, objects))

    @_buffered
    def listed(self) -> None:
        """The list is complete: objects that it did not have are gone."""
        self.heard = self._clock()
        seen = self._seen
        gone = [key for key in self._rows() if key not in seen] if seen is not None else []
        self._count, self._seen = 0, None
        self._complete = True
        self.expected = None
        self._note(self._store.apply(self.kind.name, (), gone))
        self._set(WatchState.LIVE, "")
        self._settled()

    @_buffered
    def updates(self, upserts: list[Object], deletes: list[Key]) -> None:
        """Changes after the list."""
        self._note(self._store.apply(self.kind.name, upserts, deletes))

    def alive(self) -> None:
        """The server sent something, a bookmark for example."""
        self.heard = self._clock()

    @_buffered
    def connected(self) -> None:
        """A watch is open."""
        self.heard = self._clock()
        self.watched = True
        if self._complete:
            self._set(WatchState.LIVE, "")

    @_buffered
    def trouble(self, state: WatchState, reason: str) -> None:
        """The kind is not live, and why."""
        if state is WatchState.STALE and not self._complete:
            # an incomplete list must not be shown as a complete one
            state = WatchState.LOADING if self._count else WatchState.WAITING
        self._set(state, reason)
        self._settled()

    def _rows(self) -> Mapping[Key, Object]:
        if self.namespace:
            return self._store.in_namespace(self.kind.name, self.namespace)
        return self._store.rows(self.kind.name)

    def _set(self, state: WatchState, reason: str) -> None:
        self.state, self.reason = state, reason
        self._note(())

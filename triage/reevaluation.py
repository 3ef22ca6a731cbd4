"""Evaluates unchanged objects again: all once every kind has been read, then a few each second.

A finding about one object may depend on others (a Service on its pods, an attachment on its node).
The engine follows the most important relations; this round catches the rest, so that findings do
not depend on the order in which kinds arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from cluster.kube.objects import Ref
from cluster.live.freshness import Freshness, WatchState
from cluster.live.store import Store

SHARE = 30
"""Objects evaluated per second since the last time, for at most LONGEST seconds."""
LONGEST = 10


class Reevaluation:
    """Which objects are due again. `kinds` are those with object detectors; pods are evaluated
    when they change."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._kinds = tuple(kind for kind in sorted(kinds) if kind != "Pod")
        self._complete: frozenset[str] = frozenset()
        self._turn: Iterator[Ref] = iter(())
        self._last: datetime | None = None

    def everything(self, freshness: Mapping[str, Freshness], store: Store) -> Iterator[Ref]:
        """All objects, once the set of completely read kinds has changed and no kind is loading."""
        if any(
            state.state in (WatchState.WAITING, WatchState.LOADING) and not state.reason
            for state in freshness.values()
        ):
            return
        complete = frozenset(kind for kind, state in freshness.items() if state.complete())
        if complete == self._complete:
            return
        self._complete = complete
        yield from self._all(store)

    def some(self, store: Store, now: datetime) -> Iterator[Ref]:
        """The next objects of the present round, at most once a second."""
        passed = LONGEST if self._last is None else (now - self._last).total_seconds()
        if 0 <= passed < 1:
            return
        self._last = now
        for _ in range(int(SHARE * min(max(passed, 1), LONGEST))):
            ref = next(self._turn, None)
            if ref is None:
                self._turn = self._all(store)
                return
            yield ref

    def _all(self, store: Store) -> Iterator[Ref]:
        for kind in self._kinds:
            for key in tuple(store.rows(kind)):  # the store may change meanwhile
                yield Ref(kind, *key)

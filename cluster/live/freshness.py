"""How far each part of the live state can be trusted: loading, live, stale, forbidden and absent
are different things."""

from __future__ import annotations

import enum
from datetime import datetime

import msgspec


class WatchState(enum.StrEnum):
    WAITING = "waiting"
    """Not asked yet."""
    LOADING = "loading"
    """The first list is under way: what is there is a part."""
    LIVE = "live"
    STALE = "stale"
    """Nothing was heard of this kind for longer than its watch allows; the rows are the last
    known."""
    FORBIDDEN = "forbidden"
    ABSENT = "absent"
    """The server does not offer this kind."""


class Freshness(msgspec.Struct, frozen=True):
    """The state of one kind. `heard` is when the server last said something about it (UTC), None if
    it never did."""

    kind: str
    state: WatchState
    count: int = 0
    expected: int | None = None
    """About how many there will be while loading (from remainingItemCount), None when the server
    does not say."""
    heard: datetime | None = None
    reason: str = ""
    """One sentence: why it is not live, cleaned text."""

    def complete(self) -> bool:
        """Whether a full list has been seen at some time."""
        return self.state in (WatchState.LIVE, WatchState.STALE) and self.heard is not None

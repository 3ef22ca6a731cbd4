"""What is running now, for the view."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from incident.view import Activity


class Activities:
    """The activities that are running. `changed` is called after each change, so that a new view is
    made."""

    def __init__(self, clock: Callable[[], datetime], changed: Callable[[], None]) -> None:
        self._clock = clock
        self._changed = changed
        self._running: dict[str, Activity] = {}

    def now(self) -> tuple[Activity, ...]:
        return tuple(self._running.values())

    @contextlib.asynccontextmanager
    async def under_way(self, key: str, title: str) -> AsyncIterator[Callable[[str], None]]:
        """Show an activity while the context is open. The context manager yields a function that
        sets its details."""
        started = self._clock()

        def detail(text: str) -> None:
            self._running[key] = Activity(key, title, started, text)
            self._changed()

        detail("")
        try:
            yield detail
        finally:
            self._running.pop(key, None)
            self._changed()

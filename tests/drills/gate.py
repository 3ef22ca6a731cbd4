"""Holds requests at a drill server, so that a test kills a client at a moment that it chooses and not
at one that depends on the machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Literal

from aiohttp import web

from drills.server.http import DrillServer

Moment = Literal["before", "after", "answered"]
"""Where the request that closes the gate stands: not done yet, done without an answer, or answered."""
LIMIT_S = 240.0


class Gate:
    """Counts the requests that match, and keeps the bodies of those that were received and done.

    Closed at the n-th of them, it holds that one and all later ones until it is opened.
    """

    def __init__(self, server: DrillServer, matches: Callable[[web.Request, str], bool]) -> None:
        self.received: list[bytes] = []
        self.done: list[bytes] = []
        self._matches, self._dispatch = matches, server._dispatch
        self._last, self._moment = 0, "answered"
        self._open, self._reached, self._idle = (threading.Event() for _ in range(3))
        self._under_way = 0
        self._open.set()
        self._idle.set()
        server._dispatch = self._through  # type: ignore[method-assign]  # requests are held there

    def close(self, number: int, moment: Moment) -> None:
        """At the request with this number, counted from now; the first is 1."""
        self._last, self._moment = len(self.received) + number, moment
        self._reached.clear()
        self._open.clear()

    def reached(self) -> bool:
        """Waits for the request that closes the gate; False when it does not come in time."""
        return self._reached.wait(LIMIT_S)

    def open(self) -> bool:
        """Waits until no request is under way; False when one does not end in time."""
        self._open.set()
        return self._idle.wait(LIMIT_S)

    async def _through(self, request: web.Request, path: str) -> web.StreamResponse:
        if not self._matches(request, path):
            return await self._dispatch(request, path)
        body = await request.read()
        self.received.append(body)
        number = len(self.received)
        self._under_way += 1
        self._idle.clear()
        try:
            if number > self._last or (number == self._last and self._moment == "before"):
                await self._held()
            answer = await self._dispatch(request, path)
            self.done.append(body)
            if number == self._last and self._moment == "after":
                await self._held()
            return answer
        finally:
            if number >= self._last:
                self._reached.set()
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def _held(self) -> None:
        self._reached.set()
        while not self._open.is_set():  # noqa: ASYNC110  # opened by another thread
            await asyncio.sleep(0.01)

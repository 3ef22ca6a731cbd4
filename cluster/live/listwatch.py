"""Keeps one kind up to date: list once, then watch, until cancelled.

The list comes as a stream where the server offers it (KEP-3157: `sendInitialEvents`, ended by a
bookmark), else in pages. The first lists of all kinds come in pages, because they share few
connections. Of a bulky kind the first page is read, which also tells how many objects there are,
and then all of them in one answer from the server's watch cache; if they are too many for that, in
pages. Then a watch continues from the last resource version. After HTTP 410 the kind is listed
again, and the old rows stay meanwhile. The methods of `KindState` do not wait, so a cancellation
never leaves half an update.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from cluster.api.audit import audit_trail
from cluster.api.transport import JSON, PARTIAL
from cluster.errors import (
    ClusterError,
    Expired,
    Forbidden,
    Invalid,
    NotAcceptable,
    NotFound,
    ServerError,
    TooManyRequests,
    Unreachable,
    from_status,
)
from cluster.kube.decode import KindDecoder, Known, WatchEvent
from cluster.kube.interning import Interning
from cluster.kube.objects import Object
from cluster.live.freshness import WatchState
from cluster.live.input_priority import InputPriority
from cluster.live.kind_state import KindState
from cluster.live.listing import Collection, Listing, ServerFeatures
from cluster.live.store import Key

SLICE = 100
"""Changes that are decoded and stored in one turn: about a millisecond."""
Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds, or until the server is back if that is sooner."""


class KindWatch:
    """The list and watch of one collection.

    With `turns` the kind is listed once, in its turn, and not watched: few connections are opened
    then, and each costs a TLS handshake. With `first_watch` it is listed without a stream and
    watched when that returns, for the same reason. With `escalate` `run` raises `Forbidden`.
    """

    def __init__(
        self,
        collection: Collection,
        state: KindState,
        *,
        features: ServerFeatures,
        pause: Pause,
        interning: Interning,
        known: Known,
        input_priority: InputPriority,
        turns: asyncio.Semaphore | None = None,
        first_watch: Callable[[], Awaitable[None]] | None = None,
        escalate: bool = False,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._api, self._kind = collection.api, collection.kind
        self._path = collection.kind.path(collection.namespace)
        self._what = f"watch {collection.what}"
        self._config = collection.watch_config
        self._state = state
        self._features = features
        self._pause = pause
        self._escalate = escalate
        self._turns = turns
        self._first_watch = first_watch
        self._chance = chance
        self._input_priority = input_priority
        self._decoder = KindDecoder(collection.kind, interning, known)
        self._listing = Listing(collection, state, self._decoder, features, input_priority)
        self._version = ""
        self._restarts = 0
        self._store_fails = False
        self._scope: asyncio.Timeout | None = None
        self._cut = False

    async def run(self) -> None:
        """List and watch until cancelled. Raises no error of server or network, except `Forbidden`
        with `escalate`."""
        self._state.audit_ids = audit_trail()
        failures = 0
        while True:
            try:
                await self._attempt()
                failures = 0
            except Expired:
                # the second 410 in a row waits: a server may answer so each time
                self._version = ""
                self._restarts += 1
                failures += 1
                if failures > 1:
                    await self._wait(failures)
            except (Forbidden, NotFound, NotAcceptable) as error:
                self._version = ""
                if self._escalate and isinstance(error, Forbidden):
                    raise
                self._state.trouble(
                    WatchState.FORBIDDEN if isinstance(error, Forbidden) else WatchState.ABSENT,
                    str(error),
                )
                await self._pause(self._config.denied)
            except TooManyRequests as error:
                failures += 1
                self._state.trouble(WatchState.STALE, str(error))
                wait = min(
                    error.retry_after if error.retry_after is not None else 1.0,
                    self._config.retry_after_cap,
                )
                await asyncio.sleep(wait + self._chance(0, min(1.0, wait)))
            except ClusterError as error:
                failures += 1
                # After a 5xx the watch cache is tried: it can be read while etcd does not answer.
                self._store_fails = isinstance(error, ServerError) and not self._store_fails
                self._state.trouble(WatchState.STALE, str(error))
                await self._wait(failures)

    def cut(self) -> None:
        """Close the connection, which may hang, and connect again at once."""
        if self._scope is not None:
            self._cut = True
            with contextlib.suppress(RuntimeError):  # it has ended
                self._scope.reschedule(asyncio.get_running_loop().time())

    async def _wait(self, failures: int) -> None:
        """Back off with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), at
        least 50 ms."""
        limit = min(self._config.backoff_cap, self._config.backoff * 2 ** min(failures, 10))
        await self._pause(max(0.05, self._chance(0, limit)))

    async def _attempt(self) -> None:
        self._cut = False
        try:
            async with asyncio.timeout(None) as scope:
                self._scope = scope
                if self._turns is not None:
                    async with self._turns:
                        self._finish_list(await self._listing.pages())
                    await asyncio.Event().wait()
                elif self._kind.poll:
                    while True:
                        self._finish_list(await self._listing.whole({"resourceVersion": "0"}))
                        await asyncio.sleep(self._kind.poll)
                elif self._version:
                    if self._first_watch is not None:
                        await self._first_watch()
                        self._first_watch = None
                    await self._watch()
                else:
                    await self._list()
        except TimeoutError as error:
            if not self._cut:
                raise Unreachable(
                    f"{self._what}: the server did not answer in time; the connection is "
                    "opened again."
                ) from error
        finally:
            self._scope = None

    # -- list

    async def _list(self) -> None:
        stream = self._first_watch is None and not self._kind.bulky and self._restarts < 3
        if self._features.streaming is not False and stream:
            try:
                await self._stream()
                return
            except Invalid:
                self._features.streaming = (
                    False  # the feature is off, or the server is older than it
                )
            except _NotStreaming:
                self._features.incomplete_stream()
        if self._store_fails or self._restarts >= 3:  # one answer cannot expire between two pages
            self._finish_list(await self._listing.whole({"resourceVersion": "0"}))
        else:
            self._finish_list(await self._listing.pages())

    async def _stream(self) -> None:
        """A watch that begins with all objects and continues as the watch."""
        parameters = self._watch_parameters() | {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
        }
        self._state.listing()
        listed = False

        def take(events: list[WatchEvent]) -> None:
            nonlocal listed
            if listed:
                self._apply(events)
                return
            for number, event in enumerate(events):
                self._check(event)
                if event.type == "BOOKMARK":
                    if not event.ends_initial_events():
                        self._features.streaming = False
                        raise _NotStreaming
                    self._initial(events[:number])
                    self._finish_list(event.version)
                    self._features.streaming = True
                    listed = True
                    self._state.connected()
                    self._apply(events[number + 1 :])
                    return
            self._initial(events)

        await self._follow(parameters, take, lambda: listed)

    def _initial(self, events: list[WatchEvent]) -> None:
        self._state.objects([event.object for event in events if event.object is not None], None)

    def _finish_list(self, version: str) -> None:
        self._version = version
        self._restarts = 0
        self._store_fails = False
        self._state.listed()

    # -- watch

    async def _watch(self) -> None:
        started = asyncio.get_running_loop().time()
        heard = False

        def take(events: list[WatchEvent]) -> None:
            nonlocal heard
            heard = True
            self._apply(events)

        await self._follow(
            self._watch_parameters() | {"resourceVersion": self._version}, take, lambda: True
        )
        if not heard and asyncio.get_running_loop().time() - started < 1:
            raise Unreachable(
                f"{self._what}: the server ends watches at once; it may be shutting down."
            )

    def _watch_parameters(self) -> dict[str, str]:
        low, high = self._config.watch
        return {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(self._chance(low, high))),
        }

    async def _follow(
        self,
        parameters: dict[str, str],
        take: Callable[[list[WatchEvent]], None],
        listed: Callable[[], bool],
    ) -> None:
        """Pass the events of one watch to `take`. Raises `_NotStreaming` when the list at its
        beginning does not end."""
        loop = asyncio.get_running_loop()
        accept = PARTIAL if self._kind.metadata_only else JSON
        opened = settled = False
        last = loop.time()

        def gather() -> float:
            return self._kind.gather if settled else 0.0

        try:
            async with (
                asyncio.timeout(self._config.answer) as guard,
                self._api.open(
                    self._path,
                    parameters,
                    accept=accept,
                    read=self._config.silence,
                    what=self._what,
                ) as response,
                contextlib.aclosing(response.lines(gather=gather)) as groups,
            ):
                opened = True
                settled = listed()
                if settled:
                    self._state.connected()
                guard.reschedule(None if settled else loop.time() + self._config.initial_silence)
                async for lines in groups:
                    last = loop.time()
                    self._state.alive()
                    for start in range(0, len(lines), SLICE):
                        await self._state.write_buffer.room()
                        await self._input_priority.turn()
                        events, faulty = self._decoder.lines(lines[start : start + SLICE])
                        self._state.faults += faulty
                        take(events)
                    if not settled:
                        settled = listed()
                        guard.reschedule(
                            None if settled else loop.time() + self._config.initial_silence
                        )
        except TimeoutError:
            if self._cut or listed() or not opened:
                raise
            raise _NotStreaming from None
        except Unreachable:
            # A kind without changes gets no bookmarks either (kube-apiserver cacher.go), so silence
            # is no failure: the watch is opened again, which fails if the server is gone.
            if not settled or loop.time() - last < 0.9 * self._config.silence:
                raise
        if not listed():
            raise Unreachable(
                f"{self._what}: the stream ended before the list was complete; it is asked "
                "for again."
            )

    def _apply(self, events: list[WatchEvent]) -> None:
        """Store `events`: of several changes to one object the last one."""
        latest: dict[Key, Object | None] = {}
        for event in events:
            self._check(event)
            if event.object is None:
                continue
            self._version = event.version or self._version
            if event.type == "BOOKMARK":
                continue
            meta = event.object.metadata
            key = (meta.namespace, meta.name)
            latest.pop(key, None)
            latest[key] = None if event.type == "DELETED" else event.object
        if latest:
            gone = [key for key, each in latest.items() if each is None]
            self._state.updates([each for each in latest.values() if each is not None], gone)

    def _check(self, event: WatchEvent) -> None:
        if event.type == "ERROR":
            raise from_status(event.status or {}, self._what)


class _NotStreaming(Exception):
    """The server sends a stream without the end of the list."""

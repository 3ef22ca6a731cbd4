"""Keeps one kind up to date: list once, then watch, for ever.

The list comes as a stream where the server offers it (KEP-3157: `sendInitialEvents`, ended by a
bookmark), else in pages. Of kinds that come in thousands a first page is read, for a first look and
for their number, and then all of them in one answer from the server's watch cache; what is too many
for that goes on in pages. After that a watch continues from the last resource version; 410 means
listing again while the old rows stay in place. Everything goes to a `Sink`, whose methods do not
wait, so that a cut can come at any moment without losing half an update.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

from cluster.api.transport import JSON, PARTIAL, Api
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
from cluster.kube.kinds import Kind
from cluster.kube.objects import Object
from cluster.live.freshness import State
from cluster.live.input_priority import InputPriority
from cluster.live.listing import Listing, Offer
from cluster.live.sink import Sink
from cluster.live.store import Key
from cluster.live.watch_config import WatchConfig

SMALL = 1 << 14
"""Bytes below which more would have come if there were more."""

Pause = Callable[[float], Awaitable[None]]
"""Waits so many seconds, or less when the server has come back meanwhile."""


class KindWatch:
    """The list and watch of one kind in one namespace ("" for all).

    With `turns` it is listed once and not watched, when its turn comes: few connections are opened
    then, and each costs a TLS handshake.
    """

    def __init__(
        self,
        api: Api,
        kind: Kind,
        sink: Sink,
        *,
        namespace: str = "",
        offer: Offer | None = None,
        pause: Pause = asyncio.sleep,
        pace: WatchConfig | None = None,
        escalate: bool = False,
        sharing: Interning | None = None,
        known: Known | None = None,
        turns: asyncio.Semaphore | None = None,
        way: InputPriority | None = None,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._api = api
        self._kind = kind
        self._sink = sink
        self._path = kind.path(namespace)
        self._what = f"{kind.plural} in {namespace}" if namespace else kind.plural
        self._offer = offer or Offer()
        self._pause = pause
        self._pace = pace or WatchConfig()
        self._escalate = escalate
        self._turns = turns
        self._chance = chance
        self._way = way or InputPriority()
        self._decoder = KindDecoder(kind, sharing, known)
        self._listing = Listing(
            api,
            kind,
            self._path,
            f"list {self._what}",
            sink,
            self._decoder,
            self._offer,
            self._pace,
            self._way,
        )
        self._version = ""
        self._restarts = 0
        self._store_fails = False
        self._scope: asyncio.Timeout | None = None
        self._cut = False

    async def run(self) -> None:
        """List and watch until cancelled. Raises nothing of what server or network do, but
        `Forbidden` if told to escalate it."""
        failures = 0
        while True:
            try:
                await self._attempt()
                failures = 0
            except Expired:
                # Rows stay; a second 410 in a row waits, so that a server that always says so is
                # not hammered.
                self._version = ""
                self._restarts += 1
                failures += 1
                if failures > 1:
                    await self._wait(failures)
            except (Forbidden, NotFound, NotAcceptable) as error:
                self._version = ""
                if self._escalate and isinstance(error, Forbidden):
                    raise
                self._sink.trouble(
                    State.FORBIDDEN if isinstance(error, Forbidden) else State.ABSENT, str(error)
                )
                await self._pause(self._pace.denied)
            except TooManyRequests as error:
                failures += 1
                self._sink.trouble(State.STALE, str(error))
                wait = min(
                    error.retry_after if error.retry_after is not None else 1.0,
                    self._pace.retry_after_cap,
                )
                await asyncio.sleep(wait + self._chance(0, min(1.0, wait)))
            except ClusterError as error:
                failures += 1
                # Behind a 5xx there may be an etcd that does not answer; the cache of the server
                # can be read without it.
                self._store_fails = isinstance(error, ServerError) and not self._store_fails
                self._sink.trouble(State.STALE, str(error))
                await self._wait(failures)

    def cut(self) -> None:
        """Give up the present connection, which may hang, and connect again at once."""
        if self._scope is not None:
            self._cut = True
            with contextlib.suppress(RuntimeError):  # it is ending already
                self._scope.reschedule(asyncio.get_running_loop().time())

    async def _wait(self, failures: int) -> None:
        """Full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"), never quite
        zero."""
        limit = min(self._pace.backoff_cap, self._pace.backoff * 2 ** min(failures, 10))
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
                    await self._watch()
                else:
                    await self._list()
        except TimeoutError as error:
            if not self._cut:
                raise Unreachable(
                    f"watch {self._what}: the server did not answer in time; the connection is "
                    "opened again."
                ) from error
        finally:
            self._scope = None

    # -- list

    async def _list(self) -> None:
        if self._offer.streaming is not False and not self._kind.bulky and self._restarts < 3:
            try:
                await self._stream()
                return
            except Invalid:
                self._offer.streaming = False  # the feature is off, or the server is older than it
            except _NotStreaming:
                self._offer.doubt()
        if (
            self._store_fails or self._restarts >= 3
        ):  # pages that expire faster than they can be read: all at once does not expire
            self._finish_list(await self._listing.whole({"resourceVersion": "0"}))
        else:
            self._finish_list(await self._listing.pages())

    async def _stream(self) -> None:
        """A watch that begins with all objects; goes on as the watch."""
        parameters = self._watch_parameters() | {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
        }
        self._sink.listing()
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
                        self._offer.streaming = False
                        raise _NotStreaming
                    self._initial(events[:number])
                    self._finish_list(event.version)
                    self._offer.streaming = True
                    listed = True
                    self._sink.connected()
                    self._apply(events[number + 1 :])
                    return
            self._initial(events)

        await self._follow(parameters, take, lambda: listed)

    def _initial(self, events: list[WatchEvent]) -> None:
        self._sink.objects([event.object for event in events if event.object is not None], None)

    def _finish_list(self, version: str) -> None:
        self._version = version
        self._restarts = 0
        self._store_fails = False
        self._sink.listed()

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
                f"watch {self._what}: the server ends watches at once; it may be shutting down."
            )

    def _watch_parameters(self) -> dict[str, str]:
        low, high = self._pace.watch
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
        """Pass the events of one watch to `take`. Raises `_NotStreaming` when a list does not come
        to its end."""
        loop = asyncio.get_running_loop()
        accept = PARTIAL if self._kind.metadata_only else JSON
        opened = settled = False
        last = loop.time()
        try:
            async with (
                asyncio.timeout(self._pace.answer) as guard,
                self._api.open(
                    self._path,
                    parameters,
                    accept=accept,
                    read=self._pace.silence,
                    what=f"watch {self._what}",
                ) as response,
                contextlib.aclosing(response.lines()) as groups,
            ):
                opened = True
                settled = listed()
                if settled:
                    self._sink.connected()
                guard.reschedule(None if settled else loop.time() + self._pace.initial_silence)
                async for lines in groups:
                    await self._way()
                    last = loop.time()
                    self._sink.beat()
                    events, faulty = self._decoder.lines(lines)
                    self._sink.faulty(faulty)
                    take(events)
                    if not settled:
                        settled = listed()
                        guard.reschedule(
                            None if settled else loop.time() + self._pace.initial_silence
                        )
                    elif sum(map(len, lines)) < SMALL:
                        await asyncio.sleep(self._kind.gather)
        except TimeoutError:
            if self._cut or listed() or not opened:
                raise
            raise _NotStreaming from None
        except Unreachable:
            # A kind to which nothing happens gets no bookmarks either (kube-apiserver cacher.go):
            # that is quiet, not lost. The watch is opened again, and a server that is gone does not
            # answer that.
            if not settled or loop.time() - last < 0.9 * self._pace.silence:
                raise
        if not listed():
            raise Unreachable(
                f"list {self._what}: the stream ended before the list was complete; it is asked "
                "for again."
            )

    def _apply(self, events: list[WatchEvent]) -> None:
        """Hand on what `events` amount to: of several changes to one object the last counts."""
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
            self._sink.updates([each for each in latest.values() if each is not None], gone)

    def _check(self, event: WatchEvent) -> None:
        if event.type == "ERROR":
            raise from_status(event.status or {}, f"watch {self._what}")


class _NotStreaming(Exception):
    """The server answers, but not with a list that ends."""

"""Reads all objects of one kind: in pages from the store of the API server, or in one answer from
its watch cache."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from cluster.api.transport import JSON, PARTIAL_LIST, Api
from cluster.errors import ClusterError, Invalid, ServerError, Unreachable
from cluster.kube.decode import KindDecoder, Page
from cluster.kube.kinds import Kind
from cluster.live.input_priority import InputPriority
from cluster.live.kind_state import KindState
from cluster.live.list_splitter import HELD, ListSplitter
from cluster.live.watch_config import WatchConfig

WHOLE = 50_000
"""Most objects that are asked for in one answer: old servers hold all of it in memory."""
SLICE = 150
"""Objects of a page that are cleaned and stored before the event loop runs other tasks."""
_CONTINUE = re.compile(rb'"continue":\s*"([^"\\]*)"')
_HEAD = 65_536
"""Bytes of a page within which its metadata stand: Go writes them before the items."""


class ServerFeatures(msgspec.Struct):
    """What this server supports, learnt once and shared by all kinds."""

    streaming: bool | None = None
    """Streaming lists; None: not tried yet."""
    whole: bool = True
    """All objects of a kind in one answer that is not older than a given version."""
    incomplete: int = 0
    """Streamed lists that did not end in time."""

    def incomplete_stream(self) -> None:
        """After the second one the server is taken for one that ignores the parameter."""
        self.incomplete += 1
        if self.incomplete > 1:
            self.streaming = False


class Collection(NamedTuple):
    """One kind in one namespace ("" for all)."""

    api: Api
    kind: Kind
    namespace: str
    watch_config: WatchConfig

    @property
    def what(self) -> str:
        """Its name in messages."""
        plural = self.kind.plural
        return f"{plural} in {self.namespace}" if self.namespace else plural

    async def read(
        self, parameters: dict[str, str], take: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Pass the body of a list to `take` as it arrives. Raises `ApiError`, and `Unreachable`
        when nothing arrives for `watch_config.answer` seconds."""
        accept = PARTIAL_LIST if self.kind.metadata_only else JSON
        limit, what = self.watch_config.answer, f"list {self.what}"
        path = self.kind.path(self.namespace)
        try:
            async with (
                asyncio.timeout(limit) as guard,
                self.api.open(
                    path, parameters, accept=accept, what=what, read=limit, compress=True
                ) as response,
                contextlib.aclosing(response.chunks()) as chunks,
            ):
                async for chunk in chunks:
                    guard.reschedule(asyncio.get_running_loop().time() + limit)
                    await take(chunk)
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: no answer within {limit:g} s; the server is slow or frozen."
            ) from error


class PageTask:
    """A page that is being read: its continue token is known first, so that the next page can be
    asked for meanwhile."""

    def __init__(self, collection: Collection, parameters: dict[str, str]) -> None:
        self.token: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.body = asyncio.create_task(self._fetch(collection, parameters))

    def cancel(self) -> None:
        self.body.cancel()
        self.token.cancel()
        # asyncio reports errors that are never retrieved
        self.body.add_done_callback(_retrieve)
        _retrieve(self.token)

    async def _fetch(self, collection: Collection, parameters: dict[str, str]) -> bytes:
        chunks, size = list[bytes](), 0

        async def take(chunk: bytes) -> None:
            nonlocal size
            chunks.append(chunk)  # one buffer would be moved each time that it grows
            size += len(chunk)
            if size > HELD:
                raise Unreachable(f"list {collection.what}: a page has more than {HELD:,} bytes.")
            if not self.token.done():
                self._find_token(b"".join(chunks))

        try:
            await collection.read(parameters, take)
        except ClusterError as error:
            if not self.token.done():
                self.token.set_exception(error)
            raise
        if not self.token.done():
            self.token.set_result("")  # the decoded page has it, if there is one
        return b"".join(chunks)

    def _find_token(self, kept: bytes) -> None:
        end = kept.find(b'"items"', 0, _HEAD)
        if end < 0 and len(kept) < _HEAD:
            return
        found = _CONTINUE.search(kept, 0, end if end >= 0 else _HEAD)
        self.token.set_result(found.group(1).decode("ascii", "replace") if found else "")


def _retrieve(future: asyncio.Future[str] | asyncio.Task[bytes]) -> None:
    if not future.cancelled():
        future.exception()


class Listing:
    """The lists of one collection. Each method returns the resource version of the list."""

    def __init__(
        self,
        collection: Collection,
        state: KindState,
        decoder: KindDecoder,
        features: ServerFeatures,
        input_priority: InputPriority,
    ) -> None:
        self._collection, self._state, self._decoder = collection, state, decoder
        self._features, self._input_priority = features, input_priority
        self._no_list = (
            f"list {collection.what}: the answer is not a list; something in front of the API "
            "server answers."
        )

    async def pages(self) -> str:
        """Reads pages in order. Asks for the next as soon as the continue token of one is known.
        Of a bulky kind only the first page is read so, and the rest in one answer."""
        self._state.listing()
        version = ""
        first = self._collection.kind.bulky and self._features.whole
        tasks = [self._page_task("")]
        try:
            while tasks:
                token = await tasks[0].token
                if token and not first:
                    tasks.append(self._page_task(token))
                try:
                    page = self._decoder.page(await tasks[0].body)
                except ValueError as error:
                    raise Unreachable(self._no_list) from error
                version = page.meta.resource_version or version
                more = page.meta.continue_
                await self._store(page, page.meta.remaining_item_count if more else 0)
                if first and more and (rest := await self._rest(page)):
                    return rest
                first = False
                if more and len(tasks) == 1:
                    tasks.append(self._page_task(more))
                del tasks[0]
        finally:
            for task in tasks:
                task.cancel()
        return self._checked(version)

    async def _rest(self, first: Page) -> str:
        """After a first page: everything in one answer, at least as new as that page. "" when that
        would be too large."""
        behind = first.meta.remaining_item_count
        if behind is None or behind > WHOLE or not first.meta.resource_version:
            return ""
        try:
            return await self.whole(
                {
                    "resourceVersion": first.meta.resource_version,
                    "resourceVersionMatch": "NotOlderThan",
                },
                len(first.objects) + behind,
                self._collection.watch_config.breath,
            )
        except (Invalid, ServerError):
            self._features.whole = False  # older than the parameter, or its cache lags behind
            return await self.pages()

    async def whole(
        self, parameters: dict[str, str], expected: int | None = None, breath: float = 0.0
    ) -> str:
        """Reads all objects in one answer and decodes it as it arrives. `expected` is about how
        many they are. Decodes nothing in the first `breath` seconds, in which the server prepares
        its answer."""
        splitter, count = ListSplitter(self._decoder), 0
        clock = asyncio.get_running_loop().time
        begins = clock() + breath

        async def store(page: Page) -> None:
            nonlocal count
            count += len(page.objects)
            await self._store(page, None if expected is None else max(0, expected - count))

        async def take(chunk: bytes) -> None:
            if (left := begins - clock()) > 0:
                await asyncio.sleep(left)
            for page in splitter.feed(chunk):
                await store(page)

        self._state.listing()
        try:
            await self._collection.read(parameters, take)
            await store(splitter.finish())
        except ValueError as error:
            raise Unreachable(self._no_list) from error
        return self._checked(splitter.meta.resource_version)

    async def _store(self, page: Page, after: int | None) -> None:
        """Store a page in slices of a few milliseconds; `after` objects follow it."""
        self._state.faults += page.faulty
        for start in range(0, max(1, len(page.objects)), SLICE):
            await self._state.write_buffer.room()
            await self._input_priority.turn()
            part = self._decoder.finish(page.objects[start : start + SLICE])
            behind = max(0, len(page.objects) - start - SLICE)
            self._state.objects(part, None if after is None else after + behind)

    def _checked(self, version: str) -> str:
        """Raises `Unreachable` for a list without version: `{}` from something in front of the
        server must not pass for an empty cluster."""
        if not version:
            raise Unreachable(self._no_list)
        return version

    def _page_task(self, token: str) -> PageTask:
        config = self._collection.watch_config
        first = self._collection.kind.bulky and self._features.whole and not token
        parameters = {"limit": str(config.first_page if first else config.page)}
        if token:
            parameters["continue"] = token
        return PageTask(self._collection, parameters)

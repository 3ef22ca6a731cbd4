"""Reads all objects of one kind into a `Sink`: in pages from the store, or in one answer from the
API server's watch cache."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from cluster.api.transport import JSON, PARTIAL_LIST, Api
from cluster.errors import Invalid, ServerError, Unreachable
from cluster.kube.decode import KindDecoder, Page
from cluster.kube.kinds import Kind
from cluster.live.input_priority import InputPriority
from cluster.live.list_splitter import ListSplitter
from cluster.live.pages import PageTask
from cluster.live.sink import Sink
from cluster.live.watch_config import WatchConfig

WHOLE = 50_000
"""Objects that are asked for in one answer at most: an old server holds all of it in memory at
once."""
SLICE = 150
"""Objects of a page that are cleaned and applied before others get a turn."""


class Offer(msgspec.Struct):
    """What this server offers, learnt once and shared by all kinds: streaming lists (None: not
    tried yet)."""

    streaming: bool | None = None
    whole: bool = True
    """All objects of a kind in one answer that is not older than a given version."""
    doubts: int = 0

    def doubt(self) -> None:
        """A streamed list did not come to its end in time; the second time it is taken for a server
        that ignores the parameter."""
        self.doubts += 1
        if self.doubts > 1:
            self.streaming = False


class Listing:
    """The lists of one kind at one path."""

    def __init__(
        self,
        api: Api,
        kind: Kind,
        path: str,
        what: str,
        sink: Sink,
        decoder: KindDecoder,
        offer: Offer,
        pace: WatchConfig,
        way: InputPriority,
    ) -> None:
        self._api, self._kind, self._path, self._what, self._way = api, kind, path, what, way
        self._sink, self._decoder, self._offer, self._pace = sink, decoder, offer, pace
        self._no_list = (
            f"{what}: the answer is not a list; something in front of the API server answers."
        )

    async def pages(self) -> str:
        """Pages in order; the next is asked for as soon as this one's continue token has come in.
        Returns the version of the list."""
        self._sink.listing()
        token, version = "", ""
        first = self._kind.bulky and self._offer.whole
        task = self._page_task("")
        try:
            while True:
                token = await task.token
                following = self._page_task(token) if token and not first else None
                try:
                    body = await task.body
                except BaseException:
                    if following is not None:
                        following.cancel()
                    raise
                page = self._decode_page(body)
                version = page.meta.resource_version or version
                self._sink.faulty(page.faulty)
                await self._hand_on(
                    page, page.meta.remaining_item_count if page.meta.continue_ else 0
                )
                if first and page.meta.continue_ and (rest := await self._rest(page)):
                    return rest
                first = False
                if page.meta.continue_ and following is None:
                    following = self._page_task(page.meta.continue_)
                if following is None:
                    break
                task = following
        finally:
            task.cancel()
        return self._checked(version)

    async def _rest(self, first: Page) -> str:
        """After a first page: all of it in one answer, at least as new as that page. "" when it is
        too many for that."""
        behind = first.meta.remaining_item_count
        if behind is None or behind > WHOLE or not first.meta.resource_version:
            return ""
        await asyncio.sleep(self._pace.breath)
        try:
            return await self.whole(
                {
                    "resourceVersion": first.meta.resource_version,
                    "resourceVersionMatch": "NotOlderThan",
                },
                len(first.objects) + behind,
            )
        except (Invalid, ServerError):
            self._offer.whole = False  # older than the parameter, or its cache lags behind
            return await self.pages()

    async def whole(self, parameters: dict[str, str], expected: int | None = None) -> str:
        """All objects in one answer, decoded while it comes in; returns its version. `expected` is
        about how many they will be."""
        loop, limit, what = asyncio.get_running_loop(), self._pace.answer, self._what
        splitter, count = ListSplitter(self._decoder), 0
        parameters = dict(parameters)
        accept = PARTIAL_LIST if self._kind.metadata_only else JSON

        async def take(page: Page) -> None:
            nonlocal count
            count += len(page.objects)
            self._sink.faulty(page.faulty)
            await self._hand_on(page, None if expected is None else max(0, expected - count))

        self._sink.listing()
        try:
            async with (
                asyncio.timeout(limit) as guard,
                self._api.open(
                    self._path, parameters, accept=accept, what=what, read=limit, compress=True
                ) as response,
                contextlib.aclosing(response.chunks()) as chunks,
            ):
                async for chunk in chunks:
                    guard.reschedule(loop.time() + limit)
                    for page in splitter.feed(chunk):
                        await take(page)
            await take(splitter.finish())
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: no answer within {limit:g} s; the server is slow or frozen."
            ) from error
        except ValueError as error:
            raise Unreachable(self._no_list) from error
        return self._checked(splitter.meta.resource_version)

    async def _hand_on(self, page: Page, after: int | None) -> None:
        """A page into the sink, in slices that do not hold the loop for more than a few
        milliseconds; `after` objects come behind it."""
        for start in range(0, max(1, len(page.objects)), SLICE):
            part = self._decoder.finish(page.objects[start : start + SLICE])
            behind = max(0, len(page.objects) - start - SLICE)
            self._sink.objects(part, None if after is None else after + behind)
            await asyncio.sleep(0)
            await self._way()

    def _checked(self, version: str) -> str:
        """Every list has a version; `{}` from something in front of the server must not pass for a
        cluster without objects."""
        if not version:
            raise Unreachable(self._no_list)
        return version

    def _decode_page(self, body: bytes) -> Page:
        try:
            return self._decoder.page(body)
        except ValueError as error:
            raise Unreachable(self._no_list) from error

    def _page_task(self, token: str) -> PageTask:
        first = self._kind.bulky and self._offer.whole and not token
        parameters: dict[str, str] = {
            "limit": str(self._pace.first_page if first else self._pace.page)
        }
        if token:
            parameters["continue"] = token
        accept = PARTIAL_LIST if self._kind.metadata_only else JSON
        return PageTask(self._api, self._path, parameters, accept, self._what, self._pace)

"""One page of a list on its way: its continue token is known before the page has come in, so that
the next can be asked for."""

from __future__ import annotations

import asyncio
import contextlib
import re

from cluster.api.transport import Api
from cluster.errors import ClusterError, Unreachable
from cluster.live.watch_config import WatchConfig

_CONTINUE = re.compile(rb'"continue":\s*"([^"\\]*)"')
_HEAD = 65_536
"""Bytes of a page within which its metadata are looked for: Go writes them before the items."""


class PageTask:
    """One page on its way: first its continue token, then its body."""

    def __init__(
        self,
        api: Api,
        path: str,
        parameters: dict[str, str],
        accept: str,
        what: str,
        pace: WatchConfig,
    ) -> None:
        self.token: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._arguments = (api, path, parameters, accept, what, pace)
        self.body = asyncio.create_task(self._fetch())

    def cancel(self) -> None:
        self.body.cancel()
        # A reader that gave up does not read the results any more, and asyncio would report them as
        # never retrieved.
        self.body.add_done_callback(_swallow)
        if not self.token.done():
            self.token.cancel()
        else:
            _swallow(self.token)

    async def _fetch(self) -> bytes:
        api, path, parameters, accept, what, pace = self._arguments
        kept = bytearray()
        try:
            async with (
                asyncio.timeout(pace.answer) as guard,
                api.open(
                    path, parameters, accept=accept, what=what, read=pace.answer, compress=True
                ) as response,
                contextlib.aclosing(response.chunks()) as chunks,
            ):
                async for chunk in chunks:
                    guard.reschedule(asyncio.get_running_loop().time() + pace.answer)
                    kept += chunk
                    if not self.token.done():
                        self._look(kept)
            if not self.token.done():
                self.token.set_result("")  # the page itself will tell
            return bytes(kept)
        except TimeoutError as error:
            failure = Unreachable(
                f"{what}: no answer within {pace.answer:g} s; the server is slow or frozen."
            )
            self._fail(failure)
            raise failure from error
        except ClusterError as error:
            self._fail(error)
            raise

    def _fail(self, error: ClusterError) -> None:
        if not self.token.done():
            self.token.set_exception(error)

    def _look(self, kept: bytearray) -> None:
        end = kept.find(b'"items"', 0, _HEAD)
        if end < 0 and len(kept) < _HEAD:
            return
        found = _CONTINUE.search(kept, 0, end if end >= 0 else _HEAD)
        self.token.set_result(found.group(1).decode("ascii", "replace") if found else "")


def _swallow(future: asyncio.Future[str] | asyncio.Task[bytes]) -> None:
    if not future.cancelled():
        future.exception()

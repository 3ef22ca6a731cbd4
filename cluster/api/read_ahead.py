"""Reads a stream ahead of its consumer, so that all that has arrived is handled together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

SMALL = 1 << 14
"""A group of fewer bytes than this has emptied the stream."""
Gather = Callable[[], float]
"""Seconds to wait after a small group, so that the next one is larger; asked after each."""
AHEAD = 1 << 17
"""Bytes that are read ahead: about 50 pods, which decode in about 1 ms."""


async def read_ahead(
    chunks: AsyncGenerator[bytes, None],
    limit: int = AHEAD,
    gather: Gather = lambda: 0.0,
) -> AsyncGenerator[bytes, None]:
    """Everything that has arrived since the last group, as one group of at most `limit` bytes and
    one chunk. After a small group it waits for `gather` seconds, or until `limit` bytes are
    there. Raises what `chunks` raises, after all that came before it.

    An API server writes each event of a watch as a chunk of its own (Go's net/http flushes what is
    longer than 2 KiB), and h11 hands out each chunk alone. A consumer that waits between two chunks
    would fall behind a busy cluster without end.
    """
    kept = bytearray()
    arrived, room, full = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                kept.extend(chunk)
                arrived.set()
                if len(kept) >= limit:
                    full.set()
                    room.clear()
                    await room.wait()

    reader = asyncio.create_task(read())

    def ended(_: asyncio.Task[None]) -> None:
        arrived.set()
        full.set()

    reader.add_done_callback(ended)
    try:
        while kept or not reader.done():
            await arrived.wait()
            arrived.clear()
            if kept:
                group = bytes(kept)
                kept.clear()
                full.clear()
                room.set()
                yield group
                if len(group) < SMALL and not reader.done() and (seconds := gather()):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(full.wait(), seconds)
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)

"""Reading a stream ahead: what has arrived is one group, bounded, in order, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from cluster.api.read_ahead import read_ahead


async def test_chunks_of_one_read_are_one_group() -> None:
    """As h11 hands them out: one after the other, without waiting in between."""
    second = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        for number in range(100):
            yield b"%d," % number
        await second.wait()
        yield b"end"

    groups = read_ahead(chunks())
    assert await anext(groups) == b"".join(b"%d," % number for number in range(100))
    second.set()
    assert [group async for group in groups] == [b"end"]


async def test_chunks_that_arrive_while_the_consumer_works_are_read_meanwhile() -> None:
    sent = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"first"
        for number in range(50):
            await asyncio.sleep(0)
            yield b"%d," % number
        sent.set()

    groups = read_ahead(chunks())
    assert await anext(groups) == b"first"
    await sent.wait()
    assert await anext(groups) == b"".join(b"%d," % number for number in range(50))


async def test_a_stream_without_end_is_read_no_further_than_the_limit() -> None:
    handed = 0

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal handed
        while True:
            handed += 10
            yield b"0123456789"

    async with contextlib.aclosing(read_ahead(chunks(), limit=100)) as groups:
        assert [len(await anext(groups)) for _ in range(3)] == [100, 100, 100]
        assert handed <= 400


async def test_an_error_comes_after_what_arrived_before_it() -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise ConnectionError("cut")

    groups = read_ahead(chunks())
    assert await anext(groups) == b"one"
    with pytest.raises(ConnectionError, match="cut"):
        await anext(groups)


async def test_a_consumer_that_leaves_closes_the_stream() -> None:
    closed = False

    async def chunks() -> AsyncGenerator[bytes, None]:
        nonlocal closed
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed = True

    async with contextlib.aclosing(read_ahead(chunks())) as groups:
        await anext(groups)
    assert closed


async def test_a_small_group_is_followed_by_all_that_comes_until_the_stream_is_full() -> None:
    """A wait that no clock ends: only the limit does."""
    more = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"small"
        await more.wait()
        for _ in range(200):
            yield bytes(1 << 10)

    groups = read_ahead(chunks(), limit=100 << 10, gather=lambda: 3600.0)
    assert await anext(groups) == b"small"
    more.set()
    assert len(await anext(groups)) == 100 << 10
    assert sum([len(group) async for group in groups]) == 100 << 10


async def test_the_end_of_a_stream_ends_the_wait_for_more() -> None:
    end = asyncio.Event()

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"last"
        await end.wait()

    groups = read_ahead(chunks(), gather=lambda: 3600.0)
    assert await anext(groups) == b"last"
    end.set()
    assert [group async for group in groups] == []

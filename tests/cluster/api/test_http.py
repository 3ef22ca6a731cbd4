"""What the HTTP client sends and decodes, seen by a server that keeps each request as bytes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from cluster.api.error_messages import RequestFailure
from cluster.api.http import HttpClient

LIMITS = {"connect": 30.0, "read": 30.0, "write": 30.0, "pool": 30.0}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that gives the same answer to each request and closes: its port, and the heads of
    the requests."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()


async def get(
    url: str, *, proxy: str = "", params: Any = None, headers: Any = (), content: Any = None
) -> bytes:
    client = HttpClient(False, proxy, 10)
    try:
        response = await client.send("GET", url, params, headers, content, LIMITS)
        try:
            return b"".join([chunk async for chunk in response.chunks()])
        finally:
            await response.aclose()
    finally:
        await client.aclose()


async def test_the_head_of_a_request() -> None:
    async with answering(OK) as (port, heads):
        await get(
            f"http://127.0.0.1:{port}/k8s/a%2Fb/api/é x",
            params={"limit": 5, "fieldSelector": "a=b,c!=d", "match": ["{a}", "b c"]},
            headers=[("Impersonate-Group", "a"), ("Impersonate-Group", "b")],
            content=b"{}",
        )
    first, *rest = heads[0].decode().split("\r\n")
    assert first == (
        "GET /k8s/a%2Fb/api/%C3%A9%20x?limit=5&fieldSelector=a%3Db%2Cc%21%3Dd"
        "&match=%7Ba%7D&match=b+c HTTP/1.1"
    )
    assert rest[0] == f"Host: 127.0.0.1:{port}"
    groups = [each for each in rest if each.startswith("Impersonate-Group")]
    assert groups == ["Impersonate-Group: a", "Impersonate-Group: b"]
    assert "Content-Length: 2" in rest


async def test_a_proxy_gets_the_login_and_the_whole_address() -> None:
    async with answering(OK) as (port, heads):
        await get("http://api.prod/version", proxy=f"http://me:p%40ss@127.0.0.1:{port}")
        await get("http://[fd00::1]:6443/version", proxy=f"http://127.0.0.1:{port}")
    assert heads[0].startswith(b"GET http://api.prod/version HTTP/1.1\r\nHost: api.prod\r\n")
    assert b"\r\nHost: [fd00::1]:6443\r\n" in heads[1]
    assert b"Basic " + base64.b64encode(b"me:p@ss") in heads[0]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_bodies_are_decoded(encoding: str) -> None:
    text = b'{"kind":"PodList"}' * 1000
    packed = text
    if encoding != "identity":
        packed = gzip.compress(text) if encoding == "gzip" else zlib.compress(text)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}"
    async with answering(head.encode() + b"\r\n\r\n" + packed) as (port, _):
        assert await get(f"http://127.0.0.1:{port}/") == text


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip.",
        b"Content-Length: 9\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_a_body_that_cannot_be_read_is_a_failure_that_was_sent(rest: bytes) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n" + rest) as (port, _):
        with pytest.raises(RequestFailure) as failed:
            await get(f"http://127.0.0.1:{port}/")
    assert failed.value.sent


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/", f"http://{'a' * 300}.é/", "gopher://127.0.0.1/"]
)
async def test_an_address_that_cannot_be_asked_is_a_failure_that_was_not_sent(url: str) -> None:
    with pytest.raises(RequestFailure) as failed:
        await get(url)
    assert not failed.value.sent

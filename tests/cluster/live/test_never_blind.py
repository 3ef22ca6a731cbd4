"""Frozen, refused and coming back: noticed in time, said with a reason, and live again without a
restart."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

from cluster.api.transport import Api, Limits
from cluster.connect.access import Access
from cluster.health.ladder import ladder
from cluster.health.reach import Reach
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from tests.cluster.fake import FakeCluster, until
from tests.cluster.live.running import BEAT, FAST, running, same

DETECTION = BEAT.interval + 2 * BEAT.limit + 5.0
"""What the shipped settings promise as 3 + 2 + 2 s, with the shorter ones of the tests and a margin
for a busy machine."""


async def test_frozen_then_back(fake: FakeCluster) -> None:
    await fake.put("a")
    async with running(fake) as live:
        await until(
            lambda: (
                live.freshness()["Pod"].state is WatchState.LIVE
                and live.health.reach is Reach.REACHABLE
            )
        )
        fake.frozen.clear()
        await until(lambda: live.health.reach is Reach.UNREACHABLE, DETECTION + 1)
        pods = live.freshness()["Pod"]
        assert pods.state is WatchState.STALE
        assert pods.count == 1
        assert pods.reason
        assert live.health.since is not None
        fake.frozen.set()
        await until(lambda: live.freshness()["Pod"].state is WatchState.LIVE)
        await fake.put("b")
        await until(same(live, fake))


async def test_frozen_at_the_start(fake: FakeCluster) -> None:
    await fake.put("a")
    fake.frozen.clear()
    async with running(fake) as live:
        await until(lambda: live.health.reach is Reach.UNREACHABLE, DETECTION)
        pods = live.freshness()["Pod"]
        assert pods.state is not WatchState.LIVE
        assert not pods.complete()
        await until(lambda: bool(live.health.hops))
        assert {hop.name: hop.ok for hop in live.health.hops} == {
            "dns": True,
            "tcp": True,
            "http": False,
            "readyz": None,
        }
        seen = len([request for request in fake.requests if request.path == "/readyz"])
        await until(
            lambda: (
                len([request for request in fake.requests if request.path == "/readyz"]) > seen + 2
            )
        )
        failing = next(hop for hop in live.health.hops if hop.ok is False)
        assert live.health.reason == failing.sentence
        fake.frozen.set()
        await until(lambda: live.freshness()["Pod"].state is WatchState.LIVE)


async def test_refused_at_the_start_then_it_comes() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    api = Api(Access(server=f"http://127.0.0.1:{port}"), limits=Limits(1, 1, 1, 1))
    live = LiveCluster(api, kinds=(BY_NAME["Pod"],), watch_config=FAST, heartbeat=BEAT)
    task = asyncio.create_task(live.run())
    await until(lambda: live.health.reach is Reach.UNREACHABLE)
    await until(lambda: bool(live.health.hops))
    assert "refuses" in live.health.reason
    assert live.freshness()["Pod"].state is WatchState.WAITING
    live.stop()
    await task
    await api.aclose()


async def test_cut_connections_are_noticed_at_once_and_mended(fake: FakeCluster) -> None:
    await fake.put("a")
    async with running(fake) as live:
        await until(lambda: live.freshness()["Pod"].state is WatchState.LIVE)
        for request in fake.requests:
            if request.transport is not None:
                request.transport.abort()
        await fake.put("b")
        await until(same(live, fake))


async def test_ladder_names_what_answers_instead_of_an_api_server() -> None:
    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 503 Service Unavailable\r\nServer: nginx/1.25\x1b[31m\r\nContent-Length: "
            b"4\r\nConnection: close\r\n\r\noops"
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    hops = {
        hop.name: hop for hop in await ladder(Access(server=f"http://127.0.0.1:{port}"), limit=5)
    }
    server.close()
    await server.wait_closed()
    assert hops["http"].ok is False
    assert (
        "something else than an API server" in hops["http"].sentence
        or "503" in hops["http"].sentence
    )
    assert "\x1b" not in hops["http"].sentence


async def test_ladder_says_where_it_ends_when_nothing_listens() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    hops = {
        hop.name: hop for hop in await ladder(Access(server=f"https://127.0.0.1:{port}"), limit=5)
    }
    assert hops["dns"].ok is True
    assert hops["tcp"].ok is False
    assert hops["tls"].ok is None
    assert "nothing listens" in hops["tcp"].sentence


async def test_ladder_stops_at_a_name_that_does_not_resolve() -> None:
    hops = await ladder(Access(server="https://api.cluster.invalid:6443"), limit=2)
    assert hops[0].ok is False
    assert "cannot be resolved" in hops[0].sentence or "No name server" in hops[0].sentence
    assert all(hop.ok is None for hop in hops[1:])


async def test_black_holed_at_the_start() -> None:
    """A full backlog drops further SYNs, as a firewall does."""
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        address = hole.getsockname()
        with ExitStack() as stack:
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(address)
            api = Api(Access(server=f"http://127.0.0.1:{address[1]}"), limits=Limits(1, 1, 1, 1))
            live = LiveCluster(api, kinds=(BY_NAME["Pod"],), watch_config=FAST, heartbeat=BEAT)
            task = asyncio.create_task(live.run())
            await until(lambda: live.health.reach is Reach.UNREACHABLE, DETECTION)
            await until(lambda: bool(live.health.hops))
            hops = {hop.name: hop for hop in live.health.hops}
            assert hops["tcp"].ok is False
            assert "packets are dropped" in hops["tcp"].sentence
            assert live.health.reason == hops["tcp"].sentence
            live.stop()
            await task
            await api.aclose()

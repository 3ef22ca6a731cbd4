"""List and watch against a server that misbehaves on demand: whatever happens, the store ends as
the server is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.kube.kinds import BY_NAME
from cluster.kube.objects import Object
from cluster.live.freshness import WatchState
from cluster.live.kind_state import KindState
from cluster.live.live_cluster import LiveCluster
from cluster.live.store import Key, Store, StoreUpdate
from cluster.live.watch_config import WatchConfig
from tests.cluster.fake import FakeCluster, answering, until
from tests.cluster.live.running import (
    BEAT,
    FAST,
    pods,
    running,
    same,
)


@pytest.mark.parametrize("streaming", ["yes", "no", "ignore"])
async def test_lists_then_follows(fake: FakeCluster, streaming: str) -> None:
    fake.streaming = streaming
    for number in range(8):
        await fake.put(f"pod-{number}")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
        await fake.put("late", node="node-1")
        await fake.put("pod-3", phase="Failed")
        await fake.remove("pod-4")
        await until(same(live, fake))
        assert [row.metadata.name for row in live.store.pods_on("node-1").values()] == ["late"]
        assert pods(live) is WatchState.LIVE


async def test_an_empty_kind_is_live_and_not_loading(fake: FakeCluster) -> None:
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert live.freshness()["Pod"].count == 0
        assert live.freshness()["Pod"].complete()


def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of pods after each write to the store from now on."""
    counts: list[int] = []

    def counting(write: Callable[..., list[StoreUpdate]]) -> Callable[..., list[StoreUpdate]]:
        def wrapped(*arguments: Any, **more: Any) -> list[StoreUpdate]:
            changes = write(*arguments, **more)
            counts.append(store.count("Pod"))
            return changes

        return wrapped

    for name in ("apply", "replace"):
        monkeypatch.setattr(store, name, counting(getattr(store, name)))
    return counts


async def test_410_in_mid_watch_relists_and_keeps_the_rows_meanwhile(
    fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await fake.put(f"pod-{number}")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        live.drain()
        fake.objects.pop(("default", "pod-1"))
        await fake.compact()
        counts = counted(live.store, monkeypatch)
        await until(lambda: ("default", "pod-1") not in live.store.rows("Pod"))
        assert set(counts) <= {4, 5}
        assert [(change.key, change.new) for change in live.drain()] == [
            (("default", "pod-1"), None)
        ]
        await until(same(live, fake))


async def test_403_is_forbidden_and_recovers(fake: FakeCluster) -> None:
    await fake.put("a")
    fake.forbidden.add("/api/v1/pods")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.FORBIDDEN)
        assert "forbidden" in live.freshness()["Pod"].reason
        assert live.loaded()
        fake.forbidden.clear()
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()


async def test_403_for_the_cluster_falls_back_to_the_namespaces(fake: FakeCluster) -> None:
    await fake.put("a", "one")
    await fake.put("b", "two")
    await fake.put("c", "three")
    fake.forbidden.add("/api/v1/pods")
    async with running(fake, ("one", "two")) as live:
        await until(lambda: pods(live) is WatchState.LIVE and live.store.count("Pod") == 2)
        assert (
            live.freshness()["Pod"].reason == "Only one, two: listing all namespaces is forbidden."
        )
        await fake.put("d", "two")
        await fake.remove("a", "one")
        await until(lambda: set(live.store.rows("Pod")) == {("two", "b"), ("two", "d")})


async def test_404_is_absent(fake: FakeCluster) -> None:
    fake.absent.add("/api/v1/pods")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.ABSENT)


async def test_429_waits_as_long_as_the_server_says(fake: FakeCluster) -> None:
    await fake.put("a")
    fake.answers.append(answering(429, "TooManyRequests", "slow down", {"Retry-After": "1"}))
    began = asyncio.get_running_loop().time()
    async with running(fake) as live:
        await until(lambda: "429" in live.freshness()["Pod"].reason)
        assert pods(live) is WatchState.WAITING
        await until(lambda: pods(live) is WatchState.LIVE)
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_500_is_retried(fake: FakeCluster) -> None:
    await fake.put("a")
    fake.answers.extend(
        answering(500, "InternalError", "etcdserver: request timed out") for _ in range(3)
    )
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()


async def test_half_a_line_and_a_broken_line_do_not_stop_the_watch(fake: FakeCluster) -> None:
    await fake.put("a")

    async def torn(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"type":"ADDED","object":{"metadata":{"name":"x","names')
        assert request.transport is not None
        request.transport.abort()
        return response

    async def broken(request: web.Request) -> web.StreamResponse | None:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"this is no JSON\n\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    fake.answers.extend([torn, broken])
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        await until(same(live, fake))


async def test_a_silent_watch_is_opened_again(fake: FakeCluster) -> None:
    async with running(
        fake,
        watch_config=WatchConfig(
            silence=0.3, initial_silence=0.2, answer=1.0, backoff=0.02, backoff_cap=0.1
        ),
    ) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        seen = len([request for request in fake.requests if "watch" in request.query])
        await until(
            lambda: (
                len([request for request in fake.requests if "watch" in request.query]) >= seen + 2
            )
        )


async def test_a_kind_to_which_nothing_happens_is_not_called_stale(fake: FakeCluster) -> None:
    await fake.put("a")
    async with running(
        fake,
        watch_config=WatchConfig(
            silence=1.1, initial_silence=0.5, answer=2.0, backoff=0.5, backoff_cap=0.5
        ),
    ) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        seen = len([request for request in fake.requests if "watch" in request.query])
        states = set()

        def twice() -> bool:
            states.add(pods(live))
            return (
                len([request for request in fake.requests if "watch" in request.query]) >= seen + 2
            )

        await until(twice)
        assert states == {WatchState.LIVE}


async def test_metadata_only_kinds_never_accept_values(fake: FakeCluster) -> None:
    api = Api(Access(server=fake.url))
    live = LiveCluster(
        api, kinds=(BY_NAME["Secret"], BY_NAME["ConfigMap"]), watch_config=FAST, heartbeat=BEAT
    )
    fake.streaming = "no"
    task = asyncio.create_task(live.run())

    def asked() -> list[web.Request]:
        return [
            request
            for request in fake.requests
            if request.path.endswith(("/secrets", "/configmaps"))
        ]

    await until(
        lambda: (
            {request.path.rpartition("/")[2] for request in asked()} == {"secrets", "configmaps"}
        )
    )
    live.stop()
    await task
    await api.aclose()
    for request in asked():
        assert "as=PartialObjectMetadata" in request.headers["Accept"]
        assert all(
            "as=PartialObjectMetadata" in part for part in request.headers["Accept"].split(",")
        )


async def test_changes_are_coalesced_between_drains(fake: FakeCluster) -> None:
    await fake.put("a")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        first = live.drain()
        assert [(change.key, change.old) for change in first] == [(("default", "a"), None)]
        for number in range(5):
            await fake.put("a", message=str(number))
        await fake.put("b")
        await fake.remove("b")
        await until(same(live, fake))
        await until(lambda: live.store.rows("Pod")[("default", "a")].status.message == "4")
        (change,) = live.drain()
        assert change.old is first[0].new
        assert change.new is live.store.get("Pod", "default", "a")
        assert live.drain() == []


async def test_a_kind_that_only_says_that_it_is_still_here_is_listed_from_time_to_time(
    fake: FakeCluster, api: Api
) -> None:
    await fake.put("a")
    live = LiveCluster(
        api, kinds=(replace(BY_NAME["Pod"], poll=0.05),), watch_config=FAST, heartbeat=BEAT
    )
    task = asyncio.create_task(live.run())
    try:
        await until(lambda: pods(live) is WatchState.LIVE)
        heard = live.freshness()["Pod"].heard
        await fake.put("b")
        await fake.remove("a")
        await until(same(live, fake))
        assert heard is not None
        assert (live.freshness()["Pod"].heard or heard) > heard
        fake.answers.extend([answering(500, "InternalError", "later")] * 2)
        await until(lambda: pods(live) is WatchState.STALE)
        await until(lambda: pods(live) is WatchState.LIVE)
    finally:
        live.stop()
        await task
    assert not [request for request in fake.requests if "watch" in request.query]


async def test_a_flood_waits_while_a_report_reads_the_store(
    fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is buffered meanwhile is bounded, in updates and in objects of each."""
    monkeypatch.setattr("cluster.live.write_buffer.LIMIT", 3)
    monkeypatch.setattr("cluster.live.listwatch.SLICE", 2)
    sizes: list[int] = []
    updates = KindState.updates

    def counted(state: KindState, upserts: list[Object], deletes: list[Key]) -> None:
        sizes.append(len(upserts) + len(deletes))
        updates(state, upserts, deletes)

    monkeypatch.setattr(KindState, "updates", counted)
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        await fake.put("watched")
        await until(same(live, fake))
        sizes.clear()
        async with live.write_buffer:
            for number in range(40):
                await fake.put(f"pod-{number}")
            await until(lambda: len(sizes) == 3)
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(sizes) == 3
            assert live.store.count("Pod") == 1
        await until(same(live, fake))
    assert max(sizes) <= 2

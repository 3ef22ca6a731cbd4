"""List and watch against a server that misbehaves on demand: whatever happens, the store ends as
the server is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from cluster.api.transport import Api, Limits
from cluster.connect.access import Access
from cluster.health.monitor import HeartbeatConfig
from cluster.kube.kinds import BY_NAME, KINDS, Kind
from cluster.kube.objects import Object
from cluster.live.freshness import WatchState
from cluster.live.kind_state import KindState
from cluster.live.live_cluster import TURNS, LiveCluster
from cluster.live.store import Key, Store, StoreUpdate
from cluster.live.watch_config import WatchConfig
from tests.cluster.fake import FakeCluster, answering, bookmark, until

FAST = WatchConfig(
    page=3, silence=2.0, initial_silence=0.5, answer=2.0, denied=0.2, backoff=0.02, backoff_cap=0.1
)
BEAT = HeartbeatConfig(interval=0.2, lost_interval=0.1, limit=1.0, ladder_interval=0.3)
PODS = (replace(BY_NAME["Pod"], bulky=False),)
"""Pods as a kind that is streamed, so that one kind can show both ways."""


@asynccontextmanager
async def running(
    fake: FakeCluster, namespaces: tuple[str, ...] = (), watch_config: WatchConfig = FAST
) -> AsyncIterator[LiveCluster]:
    api = Api(Access(server=fake.url), limits=Limits(connect=3, read=2, write=3, pool=3))
    live = LiveCluster(
        api, namespaces=namespaces, kinds=PODS, watch_config=watch_config, heartbeat=BEAT
    )
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        live.stop()
        async with asyncio.timeout(30):
            await task
        await api.aclose()


def same(live: LiveCluster, fake: FakeCluster) -> Callable[[], bool]:
    def compare() -> bool:
        ours = {key: row.metadata.resource_version for key, row in live.store.rows("Pod").items()}
        return ours == {
            key: row["metadata"]["resourceVersion"] for key, row in fake.objects.items()
        }

    return compare


def pods(live: LiveCluster) -> WatchState:
    return live.freshness()["Pod"].state


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


async def test_a_server_that_ignores_streaming_is_asked_for_pages_from_then_on(
    fake: FakeCluster,
) -> None:
    fake.streaming = "ignore"
    await fake.put("a")

    async def plain_bookmark(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        import json

        await response.write(
            json.dumps({"type": "BOOKMARK", "object": bookmark(5)}).encode() + b"\n"
        )
        return response

    fake.answers.append(plain_bookmark)
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        await fake.compact()
        await fake.put("b")
        await until(same(live, fake))
    streamed = [request for request in fake.requests if "sendInitialEvents" in request.query]
    assert len(streamed) == 1


async def test_what_comes_in_thousands_is_asked_for_in_pages_although_streams_are_offered(
    fake: FakeCluster, api: Api
) -> None:
    await fake.put("a")
    live = LiveCluster(api, kinds=(BY_NAME["Pod"],), watch_config=FAST, heartbeat=BEAT)
    task = asyncio.create_task(live.run())
    try:
        await until(lambda: pods(live) is WatchState.LIVE)
        await fake.put("b")
        await until(lambda: live.store.count("Pod") == 2)
    finally:
        live.stop()
        await task
    assert not [request for request in fake.requests if "sendInitialEvents" in request.query]
    assert [request for request in fake.requests if "limit" in request.query]


@asynccontextmanager
async def bulky(
    api: Api, *, once: bool = False, breath: float = 0.01
) -> AsyncIterator[LiveCluster]:
    """Pods as they are: a kind that comes in thousands, with a first page of two."""
    live = LiveCluster(
        api,
        kinds=(BY_NAME["Pod"],),
        watch_config=replace(FAST, first_page=2, breath=breath),
        heartbeat=BEAT,
        once=once,
    )
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        live.stop()
        await task


def asked(fake: FakeCluster) -> list[dict[str, str]]:
    """The parameters of what was asked of the pods, without those of watches."""
    return [
        dict(each.query)
        for each in fake.requests
        if each.path.endswith("/pods") and "watch" not in each.query
    ]


async def test_after_a_first_page_all_of_a_bulky_kind_comes_in_one_answer_that_is_not_older(
    fake: FakeCluster, api: Api
) -> None:
    for number in range(9):
        await fake.put(f"pod-{number}")

    async def page(_: web.Request) -> None:
        return None

    async def meanwhile(_: web.Request) -> None:
        """Of the first page's pods one goes before the rest is read: nothing will ever say so
        again."""
        await fake.remove("pod-0")

    fake.answers.extend([page, meanwhile])
    async with bulky(api) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
        await fake.put("later")
        await until(same(live, fake))
    first, whole = asked(fake)
    assert first == {"limit": "2"}
    assert whole == {"resourceVersion": "109", "resourceVersionMatch": "NotOlderThan"}


@pytest.mark.parametrize(("code", "reason"), [(422, "Invalid"), (504, "Timeout")])
async def test_a_server_that_cannot_answer_so_is_read_in_pages(
    fake: FakeCluster, api: Api, code: int, reason: str
) -> None:
    for number in range(9):
        await fake.put(f"pod-{number}")

    async def page(_: web.Request) -> None:
        return None

    fake.answers.extend([page, answering(code, reason, "Too large resource version")])
    async with bulky(api) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
    assert [each.get("limit") for each in asked(fake)][:3] == ["2", None, "3"]


async def test_when_the_store_behind_the_server_fails_its_cache_is_read(
    fake: FakeCluster, api: Api
) -> None:
    """etcd without a quorum: the API server answers consistent lists with 5xx after a while, but
    still has what it saw last."""
    for number in range(9):
        await fake.put(f"pod-{number}")
    fake.answers.append(answering(500, "InternalError", "etcdserver: request timed out"))
    async with bulky(api) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
    assert asked(fake) == [{"limit": "2"}, {"resourceVersion": "0"}]


async def test_an_empty_document_is_no_empty_cluster(fake: FakeCluster, api: Api) -> None:
    await fake.put("a")

    async def empty(_: web.Request) -> web.StreamResponse:
        return web.json_response({})

    fake.answers.append(empty)
    async with bulky(api) as live:
        await until(lambda: "not a list" in live.freshness()["Pod"].reason)
        assert pods(live) is WatchState.WAITING
        await until(lambda: pods(live) is WatchState.LIVE)


async def test_for_a_single_answer_nothing_is_watched(fake: FakeCluster, api: Api) -> None:
    for number in range(9):
        await fake.put(f"pod-{number}")
    async with bulky(api, once=True) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert live.loaded()
        assert same(live, fake)()
    assert not [each for each in fake.requests if "watch" in each.query]


async def test_pages_are_prefetched_in_order(fake: FakeCluster) -> None:
    fake.streaming = "no"
    for number in range(10):
        await fake.put(f"pod-{number}")
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
    lists = [request for request in fake.requests if "limit" in request.query]
    assert len(lists) == 4
    assert all(request.query["limit"] == "3" for request in lists)


async def test_a_continue_token_that_expires_lists_again(fake: FakeCluster) -> None:
    fake.streaming = "no"
    for number in range(10):
        await fake.put(f"pod-{number}")
    fake.expired_continue = 2
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()


async def test_pages_that_always_expire_are_replaced_by_one_list_from_the_watch_cache(
    fake: FakeCluster,
) -> None:
    fake.streaming = "no"
    for number in range(10):
        await fake.put(f"pod-{number}")
    fake.expired_continue = 1_000
    async with running(fake) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
        assert same(live, fake)()
    assert any(
        request.query.get("resourceVersion") == "0" and "watch" not in request.query
        for request in fake.requests
    )


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


@asynccontextmanager
async def several(api: Api, kinds: Sequence[Kind]) -> AsyncIterator[LiveCluster]:
    live = LiveCluster(api, kinds=kinds, watch_config=FAST, heartbeat=BEAT)
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        live.stop()
        await task


def paths(fake: FakeCluster, *, watches: bool = False) -> list[str]:
    return [
        each.path
        for each in fake.requests
        if ("watch" in each.query) is watches and each.path not in ("/readyz", "/version")
    ]


async def test_kinds_that_need_an_absent_kind_are_absent_without_a_request(
    fake: FakeCluster, api: Api
) -> None:
    """A server without the Gateway API is asked for one of its five kinds, until that one comes."""
    kinds = [replace(BY_NAME["Pod"], name="Owner", plural="owners"), *PODS]
    kinds[1] = replace(kinds[1], needs="Owner")
    async with several(api, kinds) as live:
        await until(live.loaded)
        states = {name: each.state for name, each in live.freshness().items()}
        assert states == {"Owner": WatchState.ABSENT, "Pod": WatchState.ABSENT}
        assert set(paths(fake)) == {"/api/v1/owners"}
        await fake.put("a")
        fake.served.add("/api/v1/owners")
        await until(lambda: live.store.count("Pod") == 1)
    assert {each.needs for each in KINDS} - {""} <= {each.name for each in KINDS}


async def test_kinds_are_watched_when_all_are_listed(fake: FakeCluster, api: Api) -> None:
    """A watch opens a connection of its own, and lists would wait for that."""
    await fake.put("a")
    released = asyncio.Event()

    async def at_once(_: web.Request) -> None:
        return None

    async def late(_: web.Request) -> None:
        await released.wait()

    fake.answers.extend([at_once, late])
    async with several(api, (*PODS, BY_NAME["Node"])) as live:
        await until(lambda: pods(live) is WatchState.LIVE and len(paths(fake)) == 2)
        listed = live.freshness()["Pod"].heard
        await until(lambda: listed is not None and (live.health.heard or listed) > listed)
        assert not paths(fake, watches=True)
        assert live.freshness()["Pod"].heard == listed, "a heartbeat says nothing about the rows"
        released.set()
        await until(lambda: paths(fake, watches=True) == ["/api/v1/pods"])
        await until(
            lambda: listed is not None and (live.freshness()["Pod"].heard or listed) > listed
        )


async def test_kinds_that_are_answered_late_do_not_delay_the_others(
    fake: FakeCluster, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.live.live_cluster.PATIENCE", 0.01)
    released = asyncio.Event()

    async def late(_: web.Request) -> None:
        await released.wait()

    fake.answers.extend([late] * TURNS)
    async with several(api, KINDS[: TURNS + 2]):
        await until(lambda: len(paths(fake)) == TURNS + 2)
        released.set()


async def test_kinds_are_listed_few_at_a_time(
    fake: FakeCluster, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.live.live_cluster.PATIENCE", 60.0)
    released = asyncio.Event()

    async def late(_: web.Request) -> None:
        await released.wait()

    fake.answers.extend([late] * TURNS)
    async with several(api, KINDS[: TURNS + 2]):
        await until(lambda: len(paths(fake)) == TURNS)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(paths(fake)) == TURNS
        released.set()
        await until(lambda: len(paths(fake)) >= TURNS + 2)


async def test_the_rest_of_a_bulky_kind_is_asked_for_before_its_first_page_is_drawn(
    fake: FakeCluster, api: Api
) -> None:
    """The server prepares its answer meanwhile."""
    for number in range(9):
        await fake.put(f"pod-{number}")
    async with bulky(api, breath=30.0) as live:
        await until(lambda: len(asked(fake)) == 2)
        assert live.store.count("Pod") == 2


@pytest.mark.parametrize(("compress", "encoding"), [(True, "gzip"), (False, "identity")])
async def test_lists_come_packed_unless_the_kubeconfig_says_not_to(
    fake: FakeCluster, compress: bool, encoding: str
) -> None:
    await fake.put("a")
    api = Api(Access(fake.url, compress=compress))
    async with bulky(api, once=True) as live:
        await until(lambda: pods(live) is WatchState.LIVE)
    await api.aclose()
    lists = [each for each in fake.requests if each.path == "/api/v1/pods"]
    assert {each.headers["Accept-Encoding"] for each in lists} == {encoding}

"""Long lists against a server that misbehaves on demand: pages, one answer, and what each costs."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from tests.cluster.fake import FakeCluster, answering, bookmark, until
from tests.cluster.live.running import (
    BEAT,
    FAST,
    asked,
    bulky,
    pods,
    running,
    same,
)


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

"""Many kinds beside each other: which are asked for, when, and how many at a time."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from msgspec.structs import replace

from cluster.api.transport import Api
from cluster.kube.kinds import BY_NAME, KINDS
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import TURNS
from tests.cluster.fake import FakeCluster, until
from tests.cluster.live.running import (
    PODS,
    paths,
    pods,
    several,
)


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

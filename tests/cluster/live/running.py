"""A live cluster that follows the fake server, with patience for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from msgspec.structs import replace

from cluster.api.transport import Api, Limits
from cluster.connect.access import Access
from cluster.health.monitor import HeartbeatConfig
from cluster.kube.kinds import BY_NAME, Kind
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from cluster.live.watch_config import WatchConfig
from tests.cluster.fake import FakeCluster

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

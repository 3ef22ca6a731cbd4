"""The live state on the embedded cluster, with its faults: slow, forbidden, throttled, broken,
frozen, cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cluster.api.exec import Executor
from cluster.api.logs import read_logs
from cluster.api.mode import Mode, Purpose
from cluster.api.reads import get_object
from cluster.api.write import Writer
from cluster.connect.kubeconfig import load_access
from cluster.errors import Refused
from cluster.health.monitor import HeartbeatConfig
from cluster.health.reach import Reach
from cluster.kube.kinds import BY_NAME, KINDS
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from cluster.live.watch_config import WatchConfig
from drills.server.http import DrillServer
from drills.server.run import serve_in_thread
from tests.cluster.fake import until

PACE = WatchConfig(denied=0.3, backoff=0.05, backoff_cap=0.3)
BEAT = HeartbeatConfig(interval=0.3, lost_interval=0.2, limit=1.5, ladder_interval=0.5)
ADDONS = {name for kind in KINDS if kind.needs for name in (kind.name, kind.needs)}


@pytest.fixture(scope="module")
def drill() -> Iterator[DrillServer]:
    with serve_in_thread("network-policy-cni-version-skew") as server:
        yield server


@pytest.fixture
def kubeconfig(drill: DrillServer, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "kubeconfig"
    drill.write_kubeconfig(path)
    yield path
    drill.faults.clear()


@asynccontextmanager
async def live_on(kubeconfig: Path) -> AsyncIterator[LiveCluster]:
    live = LiveCluster(
        load_access(explicit=str(kubeconfig), environ={}), watch_config=PACE, heartbeat=BEAT
    )
    task = asyncio.create_task(live.run())
    try:
        yield live
    finally:
        live.stop()
        async with asyncio.timeout(30):
            await task


def states(live: LiveCluster) -> dict[str, WatchState]:
    """The state of each kind that the drill serves: no CRD of an add-on is installed."""
    return {name: seen.state for name, seen in live.freshness().items() if name not in ADDONS}


async def test_everything_is_live_and_nothing_was_faulty(
    drill: DrillServer, kubeconfig: Path
) -> None:
    async with live_on(kubeconfig) as live:
        await until(lambda: set(states(live).values()) == {WatchState.LIVE})
        assert live.store.count("Node") >= 12
        assert live.store.count("Pod") >= 150
        assert len(live.drain()) == sum(live.store.count(name) for name in states(live))
        assert live.budget().total < 80


async def test_while_it_is_held_nothing_is_written_and_afterwards_nothing_is_missing(
    drill: DrillServer, kubeconfig: Path
) -> None:
    async with live_on(kubeconfig) as live:
        async with live.write_buffer:
            await until(lambda: live.budget().total > 25)  # lists have been asked for, and come in
            assert await live.wait_loaded(1.0) is False
            assert live.store.version == 0
        await until(lambda: set(states(live).values()) == {WatchState.LIVE})
        assert live.store.count("Pod") >= 150
        assert len(live.drain()) == sum(live.store.count(name) for name in states(live))


async def test_one_forbidden_kind_leaves_the_rest_alone_and_comes_back(
    drill: DrillServer, kubeconfig: Path
) -> None:
    drill.faults.forbid("secrets")
    async with live_on(kubeconfig) as live:
        assert await live.wait_loaded(30)
        expected = dict.fromkeys(states(live), WatchState.LIVE)
        expected["Secret"] = WatchState.FORBIDDEN  # while it is asked again, it is loading
        await until(lambda: states(live) == expected)
        drill.faults.clear()
        await until(lambda: states(live)["Secret"] is WatchState.LIVE)


async def test_throttled_and_failing_kinds_are_listed_in_the_end(
    drill: DrillServer, kubeconfig: Path
) -> None:
    drill.faults.throttle(0.2, "nodes", times=2)
    drill.faults.error(500, "pods", times=3, message="etcdserver: request timed out")
    async with live_on(kubeconfig) as live:
        await until(lambda: set(states(live).values()) == {WatchState.LIVE})
        assert live.store.count("Node") >= 12
        assert live.store.count("Pod") >= 150


async def test_frozen_and_back(drill: DrillServer, kubeconfig: Path) -> None:
    async with live_on(kubeconfig) as live:
        assert await live.wait_loaded(30)
        listed = datetime.now(UTC)
        await until(
            lambda: (
                live.health.heard is not None and live.health.heard > listed + timedelta(seconds=1)
            )
        )
        drill.faults.freeze()
        await until(lambda: live.health.reach is Reach.UNREACHABLE)
        assert set(states(live).values()) == {WatchState.STALE}
        # Up to the last heartbeat the open watches would have told of every change: what is shown
        # is not older than that.
        shown = [live.freshness()[name].heard for name in states(live) if name != "Lease"]
        answered = live.health.heard
        assert answered is not None
        # A change that came after the last heartbeat makes its kind newer.
        assert all(heard is not None and heard >= answered for heard in shown)
        assert live.store.count("Pod") >= 150
        drill.faults.thaw()
        await until(lambda: set(states(live).values()) == {WatchState.LIVE})


async def test_cut_streams_and_expired_versions_are_mended(
    drill: DrillServer, kubeconfig: Path
) -> None:
    async with live_on(kubeconfig) as live:
        assert await live.wait_loaded(30)
        before = live.store.version
        drill.state.expire_watches()
        drill.state.streams.cut()
        await until(lambda: set(states(live).values()) == {WatchState.LIVE})
        assert live.store.count("Pod") >= 150
        assert live.store.version >= before


async def test_the_door_on_the_drill(drill: DrillServer, kubeconfig: Path) -> None:
    async with live_on(kubeconfig) as live:
        assert await live.wait_loaded(30)
        node = next(iter(live.store.rows("Node")))[1]
        path = f"/api/v1/nodes/{node}"
        with pytest.raises(Refused, match="read-only"):
            await Writer(live.api, Mode.READ_ONLY, Purpose.ACTION).patch(
                path, {"spec": {"unschedulable": True}}
            )
        door = Writer(live.api, Mode.WRITE, Purpose.ACTION)
        planned = await door.patch(path, {"spec": {"unschedulable": True}}, dry_run=True)
        assert planned["spec"]["unschedulable"] is True
        nodes = live.store.rows("Node")
        assert not nodes["", node].spec.unschedulable
        await door.patch(path, {"spec": {"unschedulable": True}})
        await until(lambda: nodes["", node].spec.unschedulable)
        assert (await door.review("patch", "nodes"))[0] is True
        await door.patch(path, {"spec": {"unschedulable": None}})


async def test_readings(drill: DrillServer, kubeconfig: Path) -> None:
    async with live_on(kubeconfig) as live:
        assert await live.wait_loaded(30)
        namespace, name = next(
            key for key, pod in live.store.rows("Pod").items() if pod.status.phase == "Running"
        )
        found = await get_object(live.api, BY_NAME["Pod"], namespace, name)
        assert found["metadata"]["name"] == name
        assert "managedFields" not in found["metadata"]
        pod = live.store.get("Pod", namespace, name)
        assert pod is not None
        await read_logs(live.api, namespace, name, pod.spec.containers[0].name)
        answer = await Executor(live.api)(namespace, name, "", ["true"], 5)
        assert answer.ran or answer.error

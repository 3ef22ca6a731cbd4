"""The product's own client on every rung: what it holds is what the server has, through expiry,
refusal, silence and restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from cluster.connect.kubeconfig import load_access
from cluster.health.reach import Reach
from cluster.kube.kinds import KINDS
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from tests.contract.wire import config_map, create, delete, nowhere, patch, pod
from tests.rungs.cluster import Cluster

BACK = 10.0  # seconds in which the state is live again once the server is back
# seconds in which held and listed become equal: kubelets, controllers and leftovers of other tests
# go on changing objects
AGREED = 20.0


@asynccontextmanager
async def live_on(kubeconfig: Path) -> AsyncIterator[LiveCluster]:
    live = LiveCluster(load_access(explicit=str(kubeconfig), environ={}))
    task = asyncio.create_task(live.run())
    try:
        assert await live.wait_loaded(20), live.freshness()
        yield live
    finally:
        live.stop()
        await asyncio.wait_for(task, 10)


async def until(holds: Callable[[], bool], limit: float = 30.0) -> float:
    """Seconds until `holds`; TimeoutError after `limit`."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > limit:
            raise TimeoutError(f"not within {limit} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def listed(http: httpx.Client, path: str) -> dict[tuple[str, str], str]:
    """Versions by namespace and name, as the server lists them."""
    items = http.get(path).raise_for_status().json()["items"]
    return {
        (item["metadata"].get("namespace", ""), item["metadata"]["name"]): item["metadata"][
            "resourceVersion"
        ]
        for item in items
    }


def held(live: LiveCluster, kind: str) -> dict[tuple[str, str], str]:
    return {key: row.metadata.resource_version for key, row in live.store.rows(kind).items()}


async def agree(live: LiveCluster, http: httpx.Client, kind: str, path: str) -> None:
    """Wait until every object of a kind is held, and nothing else is, each in the version that the
    server lists."""
    deadline = time.monotonic() + AGREED
    while (mine := held(live, kind)) != (theirs := listed(http, path)):
        differing = {
            key: (mine.get(key), theirs.get(key))
            for key in mine | theirs
            if mine.get(key) != theirs.get(key)
        }
        assert time.monotonic() < deadline, (
            f"{kind}: (held, listed) still differ after {AGREED:.0f} s: {differing}"
        )
        await asyncio.sleep(0.05)


def states(live: LiveCluster) -> dict[str, WatchState]:
    """The state of each kind but those of the Gateway API and of cert-manager, whose CRDs are not
    installed."""
    custom = {each for kind in KINDS if kind.needs for each in (kind.name, kind.needs)}
    return {name: seen.state for name, seen in live.freshness().items() if name not in custom}


async def test_it_holds_what_the_server_has(
    rung: Cluster, http: httpx.Client, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    create(http, path, pod("before", node=nowhere()))
    async with live_on(rung.kubeconfig) as live:
        assert set(live.freshness()) == {kind.name for kind in KINDS}
        assert set(states(live).values()) == {WatchState.LIVE}
        await agree(live, http, "Pod", "/api/v1/pods")
        create(http, path, pod("after", node=nowhere()))
        patch(http, f"{path}/before", {"metadata": {"labels": {"new": "label"}}}).raise_for_status()
        await until(
            lambda: "new" in (live.store.rows("Pod")[namespace, "before"].metadata.labels or {})
        )
        assert (namespace, "after") in listed(http, "/api/v1/pods")
        await agree(live, http, "Pod", "/api/v1/pods")
        delete(http, f"{path}/after")
        await until(lambda: (namespace, "after") not in live.store.rows("Pod"))
        for kind, everywhere in (("Pod", "pods"), ("Node", "nodes"), ("Namespace", "namespaces")):
            await agree(live, http, kind, f"/api/v1/{everywhere}")


async def test_keys_of_secrets_are_seen_and_values_are_not(
    rung: Cluster, http: httpx.Client, namespace: str
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"user": "u", "password": "hunter2"},
    }
    create(http, f"/api/v1/namespaces/{namespace}/secrets", secret)
    async with live_on(rung.kubeconfig) as live:
        row = live.store.get("Secret", namespace, "keys")
        assert "password" in str(row)
        assert "hunter2" not in str(row)
        assert "aHVudGVyMg" not in str(row)


async def test_one_forbidden_kind_leaves_the_rest(rung: Cluster) -> None:
    with rung.forbidden("secrets") as limited:
        async with live_on(rung.viewer or rung.kubeconfig) as live:
            expected = dict.fromkeys(states(live), WatchState.LIVE)
            expected["Secret"] = WatchState.FORBIDDEN  # while it is asked again, it is loading
            await until(lambda: states(live) == expected)
            assert live.freshness()["Secret"].reason
            await agree(live, limited, "Pod", "/api/v1/pods")


async def test_it_comes_back_from_forgotten_history(rung: Cluster, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    async with live_on(rung.kubeconfig) as live:
        with rung.client() as before:
            create(before, path, config_map("before"))
        await until(lambda: live.store.get("ConfigMap", namespace, "before") is not None)
        rung.forget_history()  # on this thread: what it starts ends with the thread that started it
        with rung.client() as http:
            create(http, path, config_map("after"))
            await until(lambda: live.store.get("ConfigMap", namespace, "after") is not None, BACK)
            await until(lambda: set(states(live).values()) == {WatchState.LIVE}, BACK)
            await agree(live, http, "ConfigMap", "/api/v1/configmaps")


async def test_silence_is_said_and_ends_without_a_restart(rung: Cluster, namespace: str) -> None:
    async with live_on(rung.kubeconfig) as live:
        count = live.store.count("Namespace")
        with rung.silent():
            await until(lambda: live.health.reach is Reach.UNREACHABLE, BACK)
            assert live.freshness()["Pod"].state is WatchState.STALE
            assert live.freshness()["Pod"].reason
            assert live.store.count("Namespace") == count, "the last known state stays"
        with rung.client() as http:
            create(http, f"/api/v1/namespaces/{namespace}/configmaps", config_map("after"))
        await until(lambda: live.store.get("ConfigMap", namespace, "after") is not None, BACK)
        await until(lambda: live.health.reach is Reach.REACHABLE, BACK)

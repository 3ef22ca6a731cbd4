"""One object in full and its log, as the object screens read them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from cluster.api.transport import Api
from cluster.errors import from_response
from cluster.kube.objects import Pod, Ref
from cluster.live.freshness import WatchState
from incident.pod_logs import LogQuery, PodLogs
from incident.session import LiveInvestigation
from incident.view import View
from tests.incident.drill import investigating, served, until
from tests.tui import story


class Refusing:
    """An API server that refuses each log as a kubelet does before a container starts."""

    def open(self, *_: object, **__: object) -> None:
        raise from_response(400, {}, b"container is waiting to start", "logs")


class Flooding:
    """An API server whose logs are one burst of `line 0`, `line 1` and so on, and then end."""

    def __init__(self, lines: int) -> None:
        self._lines = [b"2026-11-21T03:00:00Z line %d" % at for at in range(lines)]

    @contextlib.asynccontextmanager
    async def open(self, *_: object, **__: object) -> AsyncIterator[Flooding]:
        yield self

    async def lines(self, _: int) -> AsyncIterator[list[bytes]]:
        yield self._lines


@pytest.fixture
async def investigation(tmp_path: Path) -> AsyncIterator[LiveInvestigation]:
    """An investigation that has read the pods of a drill."""

    def pods_are_live(view: View) -> bool:
        return any(kind.kind == "Pod" and kind.state is WatchState.LIVE for kind in view.kinds)

    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as found:
            await until(found, pods_are_live)
            yield found


def storefronts(investigation: LiveInvestigation) -> list[Pod]:
    return [
        pod
        for pod in investigation.store.all("Pod", Pod)
        if pod.metadata.name.startswith("storefront-") and pod.status.phase == "Running"
    ]


def ref_of(pod: Pod) -> Ref:
    return Ref("Pod", pod.metadata.namespace, pod.metadata.name)


async def test_a_log_goes_on_while_it_is_read(investigation: LiveInvestigation) -> None:
    ref = ref_of(storefronts(investigation)[0])
    async with asyncio.timeout(40):
        async with contextlib.aclosing(investigation.logs(LogQuery((ref,), tail=1))) as groups:
            first, then = await anext(groups), await anext(groups)
    assert first != then
    assert all(
        "component=storefront" in row.text and row.time is not None for row in (*first, *then)
    )


async def test_a_log_that_cannot_be_read_says_so(investigation: LiveInvestigation) -> None:
    query = LogQuery((Ref("Pod", "marketplace", "absent"),))
    said = [row async for rows in investigation.logs(query) for row in rows]
    assert len(said) == 1
    assert said[0].said
    assert "absent" in said[0].text


async def test_the_log_of_a_container_that_has_not_started_says_that() -> None:
    pod = story.pod("shop", "web-1", "node-1", waiting="ContainerCreating")
    api = cast("Api", Refusing())
    logs = PodLogs(lambda: api, lambda _: pod, str, limit=1, gather=0)
    said = [row.text async for rows in logs.read(LogQuery((ref_of(pod),))) for row in rows]
    assert said == ["web-1/app has not started (ContainerCreating): there is no log yet"]


async def test_the_log_before_a_restart_that_never_was_says_that(
    investigation: LiveInvestigation,
) -> None:
    pod = next(
        pod
        for pod in storefronts(investigation)
        if not any(s.restart_count for s in pod.status.container_statuses)
    )
    query = LogQuery((ref_of(pod),), previous=True)
    said = [row async for rows in investigation.logs(query) for row in rows]
    assert "never restarted" in said[0].text


async def test_logs_of_several_pods_are_one_in_the_order_of_time(
    investigation: LiveInvestigation,
) -> None:
    refs = tuple(map(ref_of, storefronts(investigation)))
    assert len(refs) > 1
    async with asyncio.timeout(40):
        async with contextlib.aclosing(investigation.logs(LogQuery(refs, tail=20))) as groups:
            sources: set[str] = set()
            while len(sources) < len(refs):
                rows = await anext(groups)
                times = [row.time for row in rows if row.time is not None]
                assert times == sorted(times)
                sources |= {row.source for row in rows}


async def test_of_a_log_that_comes_too_fast_the_newest_lines_are_shown_and_the_rest_counted() -> (
    None
):
    pods = [story.pod("shop", f"web-{at}", "node-1") for at in range(2)]
    api = cast("Api", Flooding(lines=1000))
    known = {ref_of(pod): pod for pod in pods}
    logs = PodLogs(lambda: api, known.get, str, limit=1, gather=0.1)
    query = LogQuery(tuple(known), tail=10)
    rows = [row async for group in logs.read(query) for row in group]
    said = [row.text for row in rows if row.said]
    assert said == ["1,980 lines came faster than they can be shown, and are left out here"]
    assert (rows[0].said, rows[0].left_out) == (True, 1980)
    assert {row.text for row in rows[1:]} == {f"line {at}" for at in range(990, 1000)}

"""One object in full and its log, as the object screens read them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from cluster.kube.objects import Pod, Ref
from cluster.live.freshness import State
from incident.pod_logs import LogQuery
from incident.view import View
from tests.incident.drill import investigating, served, until


def pods_are_live(view: View) -> bool:
    return any(kind.kind == "Pod" and kind.state is State.LIVE for kind in view.kinds)


async def test_a_log_goes_on_while_it_is_read(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, pods_are_live)
            pod = next(
                pod
                for pod in investigation.store.all("Pod", Pod)
                if pod.metadata.name.startswith("storefront-") and pod.status.phase == "Running"
            )
            ref = Ref("Pod", "marketplace", pod.metadata.name)
            async with asyncio.timeout(40):
                groups = investigation.logs(LogQuery((ref,), tail=1))
                async with contextlib.aclosing(groups):  # type: ignore[type-var]  # declared as an iterator, made by a generator
                    first, then = await anext(groups), await anext(groups)
            assert first != then
            assert all(
                "component=storefront" in row.text and row.time is not None
                for row in (*first, *then)
            )


async def test_a_log_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, pods_are_live)
            query = LogQuery((Ref("Pod", "marketplace", "absent"),))
            said = [row async for rows in investigation.logs(query) for row in rows]
            assert len(said) == 1
            assert said[0].said
            assert "absent" in said[0].text


async def test_the_log_before_a_restart_that_never_was_says_that(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, pods_are_live)
            pod = next(
                pod
                for pod in investigation.store.all("Pod", Pod)
                if pod.metadata.name.startswith("storefront-")
                and not any(s.restart_count for s in pod.status.container_statuses)
            )
            ref = Ref("Pod", pod.metadata.namespace, pod.metadata.name)
            query = LogQuery((ref,), previous=True)
            said = [row async for rows in investigation.logs(query) for row in rows]
            assert "never restarted" in said[0].text


async def test_logs_of_several_pods_are_one_in_the_order_of_time(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, pods_are_live)
            refs = tuple(
                Ref("Pod", pod.metadata.namespace, pod.metadata.name)
                for pod in investigation.store.all("Pod", Pod)
                if pod.metadata.name.startswith("storefront-") and pod.status.phase == "Running"
            )
            async with asyncio.timeout(40):
                groups = investigation.logs(LogQuery(refs, tail=20))
                async with contextlib.aclosing(groups):  # type: ignore[type-var]  # as above
                    sources: set[str] = set()
                    while len(sources) < len(refs):
                        rows = await anext(groups)
                        times = [row.time for row in rows if row.time is not None]
                        assert times == sorted(times)
                        sources |= {row.source for row in rows}
    assert len(refs) > 1

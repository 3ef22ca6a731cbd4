"""One object in full and its log, as the object screens read them."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from cluster.kube.objects import Pod
from cluster.live.freshness import State
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
            async with asyncio.timeout(40):
                lines = investigation.logs("marketplace", pod.metadata.name, tail=1)
                async with contextlib.aclosing(lines):  # type: ignore[type-var]  # declared as an iterator, made by a generator
                    first, then = await anext(lines), await anext(lines)
            assert first != then
            assert all(
                "component=storefront" in line and line[:4].isdigit() for line in (first, then)
            )


async def test_a_log_that_cannot_be_read_says_so_in_its_last_line(tmp_path: Path) -> None:
    with served("network-policy-cni-version-skew", tmp_path) as (_, kubeconfig):
        async with investigating(kubeconfig, tmp_path) as investigation:
            await until(investigation, pods_are_live)
            said = [line async for line in investigation.logs("marketplace", "nobody")]
            assert len(said) == 1
            assert "nobody" in said[0]

"""The live state alone, as a process of its own: `python -m bench.client KUBECONFIG` prints seconds
and counts as JSON. `python -m bench.client KUBECONFIG CHANGES` follows a flood of so many changes
of pods instead (`bench.rendered --flood-total`): CPU time, seconds, and the pods that did not come
to their last version."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from bench.rendered import FLOODED, last_versions
from cluster.connect.kubeconfig import load_access
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster

SILENCE = 3.0
"""Seconds without a change of a pod after which a flood is over. Heartbeats of the server go on."""


async def measure(kubeconfig: str) -> dict[str, float]:
    """Seconds from the first request to the first pod, to all pods, and to all kinds; and how many
    pods."""
    access = load_access(explicit=kubeconfig, environ={})
    began = time.monotonic()
    live = LiveCluster(access)
    task = asyncio.create_task(live.run())
    first = complete = 0.0
    try:
        while not live.loaded():
            await live.changed.wait()
            live.changed.clear()
            live.drain()
            now = time.monotonic() - began
            if not first and live.store.count("Pod"):
                first = now
            if not complete and live.freshness()["Pod"].state is WatchState.LIVE:
                complete = now
        return {
            "first": first,
            "pods": complete or time.monotonic() - began,
            "all": time.monotonic() - began,
            "count": live.store.count("Pod"),
        }
    finally:
        live.stop()
        await task


async def follow(kubeconfig: str, changes: int) -> dict[str, float]:
    """CPU seconds and seconds from the first to the last change of a flood of pods, how many were
    taken meanwhile, and how many pods do not have their last version."""
    live = LiveCluster(load_access(explicit=kubeconfig, environ={}), kinds=(BY_NAME["Pod"],))
    task = asyncio.create_task(live.run())
    began = used = last = cpu = 0.0
    taken = 0
    try:
        while not last or time.monotonic() - last < SILENCE:
            if (found := live.drain()) and live.loaded():
                last, cpu = time.monotonic(), time.process_time()
                taken += len(found) if began else 0
                began, used = began or last, used or cpu
            await asyncio.sleep(0.1)  # as the reporter takes them
        versions = {pod.metadata.resource_version for pod in live.store.rows("Pod").values()}
        lost = last_versions(changes, min(FLOODED, live.store.count("Pod"))) - versions
        return {"cpu": cpu - used, "seconds": last - began, "taken": taken, "lost": len(lost)}
    finally:
        live.stop()
        await task


if __name__ == "__main__":
    _, given, *more = sys.argv
    print(json.dumps(asyncio.run(follow(given, int(more[0])) if more else measure(given))))

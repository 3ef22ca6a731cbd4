"""The live state alone, as a process of its own: `python -m bench.client KUBECONFIG` prints seconds
and counts as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from cluster.connect.kubeconfig import load_access
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster


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


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1]))))

"""A real API server with a flood: every request is passed on, and the watch of pods or of events
carries thousands of changes a second.

`python -m bench.firehose KUBECONFIG RATE OUT [pods|events]` listens on loopback without TLS, writes
a kubeconfig for itself to OUT, runs until SIGTERM and prints how many changes a second were taken
from it. Two cores cannot make a real API server produce that many; the client cannot tell.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml
from aiohttp import web

from tests.rungs.programs.kubeconfig import current, headers, trust

CHANGED = 2000  # objects that the flood moves about
PAUSE = 0.02  # seconds between two bursts
_COUNT = re.compile(rb'"count":\d+')
_LAST = re.compile(rb'"lastTimestamp":(?:null|"[^"]*")')
_VERSION = re.compile(rb'"resourceVersion":"\d+"')
_END = b"k8s.io/initial-events-end"


class Firehose:
    """`rate`: changes a second on each cluster-wide watch of `plural`, once its initial events are
    through."""

    def __init__(self, kubeconfig: Path, rate: float, plural: str) -> None:
        self._rate, self._path = rate, f"/api/v1/{plural}"
        self._variants, self._line = (_variants, _pod) if plural == "pods" else (_back_off, _event)
        self.sent, self.seconds = 0, 0.0
        server = current(kubeconfig)[0]["server"]
        self._upstream = httpx.AsyncClient(
            base_url=server,
            verify=trust(kubeconfig) or True,
            headers=headers(kubeconfig),
            timeout=httpx.Timeout(30, read=None),
            trust_env=False,
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        passed = {
            name: value
            for name, value in request.headers.items()
            if name.lower() in ("accept", "content-type", "user-agent")
        }
        body = await request.read()
        async with self._upstream.stream(
            request.method, request.path_qs, headers=passed, content=body or None
        ) as upstream:
            reply = web.StreamResponse(
                status=upstream.status_code,
                headers={"Content-Type": upstream.headers.get("content-type", "text/plain")},
            )
            await reply.prepare(request)
            flooded = (
                request.path == self._path
                and request.query.get("watch") in ("1", "true")
                and upstream.is_success
            )
            try:
                initial = request.query.get("sendInitialEvents") == "true"
                await (
                    self._flood(upstream.aiter_raw(), reply, initial)
                    if flooded
                    else _pass(upstream.aiter_bytes(), reply)
                )
            except ConnectionError:
                pass  # the client went away
        return reply

    async def _flood(
        self, chunks: AsyncIterator[bytes], reply: web.StreamResponse, initial: bool
    ) -> None:
        """Changes to the pods that are there, or Events about them; behind the initial events, when
        the watch begins with them."""
        while initial:
            chunk = await anext(chunks)
            await reply.write(chunk)
            initial = _END not in chunk
        answer = await self._upstream.get("/api/v1/pods", params={"limit": str(CHANGED)})
        listed = answer.raise_for_status().json()
        newest = int(listed["metadata"]["resourceVersion"])
        pairs = [self._variants(pod) for pod in listed["items"]]
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while True:
            due = int((loop.time() - began) * self._rate)
            for number in range(sent, due):
                newest += 1
                line = self._line(pairs[number % len(pairs)], number // len(pairs))
                line = _VERSION.sub(b'"resourceVersion":"%d"' % newest, line, count=1)
                await reply.write(line + b"\n")  # a chunk for each, as API servers write them
            sent = due
            self.sent, self.seconds = sent, loop.time() - began
            await asyncio.sleep(PAUSE)


async def _pass(chunks: AsyncIterator[bytes], reply: web.StreamResponse) -> None:
    async for chunk in chunks:
        await reply.write(chunk)


def _variants(pod: dict[str, Any]) -> tuple[bytes, bytes]:
    """The pod as MODIFIED, and once more with another restart count, so that every change is one of
    something that is shown."""
    change = {"type": "MODIFIED", "object": {"kind": "Pod", "apiVersion": "v1", **pod}}
    plain = json.dumps(change, separators=(",", ":")).encode()
    for status in pod["status"].get("containerStatuses", []):
        status["restartCount"] += 1
    return plain, json.dumps(change, separators=(",", ":")).encode()


def _back_off(pod: dict[str, Any]) -> tuple[bytes, bytes]:
    """A warning about the pod, as its kubelet repeats it."""
    namespace, name, uid = (pod["metadata"][key] for key in ("namespace", "name", "uid"))
    event = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {
            "name": f"{name}.flood",
            "namespace": namespace,
            "uid": f"flood-{uid}",
            "resourceVersion": "0",
        },
        "involvedObject": {
            "kind": "Pod",
            "apiVersion": "v1",
            "namespace": namespace,
            "name": name,
            "uid": uid,
        },
        "reason": "BackOff",
        "message": f"Back-off restarting failed container main in pod {name}_{namespace}({uid})",
        "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        "type": "Warning",
        "count": 1,
        "firstTimestamp": pod["metadata"]["creationTimestamp"],
        "lastTimestamp": None,
    }
    line = json.dumps({"type": "MODIFIED", "object": event}, separators=(",", ":")).encode()
    return line, line


def _pod(variants: tuple[bytes, bytes], turn: int) -> bytes:
    return variants[turn % 2]


def _event(variants: tuple[bytes, bytes], turn: int) -> bytes:
    """It happened once more, just now."""
    last = b'"lastTimestamp":"%s"' % datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    return _LAST.sub(last, _COUNT.sub(b'"count":%d' % (turn + 2), variants[0], count=1), count=1)


async def serve(kubeconfig: Path, rate: float, out: Path, plural: str = "pods") -> None:
    application = web.Application()
    hose = Firehose(kubeconfig, rate, plural)
    application.router.add_route("*", "/{path:.*}", hose.answer)
    runner = web.AppRunner(application, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    entry = {"name": "firehose"}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{**entry, "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{**entry, "user": {}}],
        "contexts": [{**entry, "context": {"cluster": "firehose", "user": "firehose"}}],
        "current-context": "firehose",
    }
    part = out.with_suffix(".part")
    part.write_text(yaml.safe_dump(document))
    part.replace(out)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    await over.wait()
    await runner.cleanup()
    print(round(hose.sent / hose.seconds if hose.seconds else 0.0))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:]))

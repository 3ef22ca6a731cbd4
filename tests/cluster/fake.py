"""A Kubernetes API for tests that does exactly what it is told: lists, watches and errors by
script, over real HTTP on loopback.

It is not the drill server: it knows no kinds and no rules, so that each test can say which
misbehaviour it wants.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Obj = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def pod(name: str, version: int, namespace: str = "default", **fields: Any) -> Obj:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "resourceVersion": str(version),
        },
        "spec": {"nodeName": fields.pop("node", "")},
        "status": {"phase": "Running", **fields},
    }


def status(code: int, reason: str, message: str = "", **details: Any) -> Obj:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


@dataclass
class FakeCluster:
    """One collection of pods with resource versions, a bounded history, pages and watches.

    `streaming`: offers sendInitialEvents ("yes"), rejects it with 422 ("no") or ignores it as
    unknown ("ignore").
    `answers` are taken first, one a request: each gets the request and answers, or returns None to
    let the usual answer through.
    """

    streaming: str = "yes"
    page: int = 500
    history: int = 10_000
    objects: dict[tuple[str, str], Obj] = field(default_factory=dict)
    version: int = 100
    log: list[tuple[int, str, Obj]] = field(default_factory=list)
    answers: deque[Callable[[web.Request], Awaitable[web.StreamResponse | None]]] = field(
        default_factory=deque
    )
    requests: list[web.Request] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)
    """Collections (paths) that are answered with 403."""
    absent: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)
    """Collections beside `/pods` that have the same objects."""
    token: str = ""
    """Bearer token that is asked for, "" for none."""
    snapshots: dict[str, tuple[int, list[Obj]]] = field(default_factory=dict)
    frozen: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the server answers; cleared it takes connections and says nothing."""
    url: str = ""
    tls: ssl.SSLContext | None = None
    intermediary: Handler | None = None
    """Answers everything instead of the API server."""
    expired_continue: int = 0
    """So many continue tokens are answered with 410."""

    def __post_init__(self) -> None:
        self.frozen.set()
        self._changed = asyncio.Condition()

    # -- the state

    async def put(self, name: str, namespace: str = "default", **fields: Any) -> None:
        self.version += 1
        key = (namespace, name)
        type_ = "MODIFIED" if key in self.objects else "ADDED"
        self.objects[key] = pod(name, self.version, namespace, **fields)
        await self._record(type_, self.objects[key])

    async def remove(self, name: str, namespace: str = "default") -> None:
        found = self.objects.pop((namespace, name), None)
        if found is not None:
            self.version += 1
            gone = json.loads(json.dumps(found))
            gone["metadata"]["resourceVersion"] = str(self.version)
            await self._record("DELETED", gone)

    async def compact(self) -> None:
        """Forget the history: every older version is expired."""
        self.log.clear()
        self.snapshots.clear()
        self.version += 1
        self.floor = self.version
        async with self._changed:
            self._changed.notify_all()

    floor: int = 0

    async def _record(self, type_: str, obj: Obj) -> None:
        self.log.append((self.version, type_, obj))
        while len(self.log) > self.history:
            self.floor = self.log.pop(0)[0]
        async with self._changed:
            self._changed.notify_all()

    # -- the wire

    async def start(self) -> str:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=self.tls)
        await site.start()
        self.port = self.runner.addresses[0][1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        return self.url

    async def stop(self) -> None:
        self.frozen.set()
        await self.runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        await self.frozen.wait()
        if self.intermediary is not None:
            return await self.intermediary(request)
        if self.answers and request.path not in ("/readyz", "/version"):
            answer = await self.answers.popleft()(request)
            if answer is not None:
                return answer
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response(status(401, "Unauthorized", "Unauthorized"), status=401)
        if request.path == "/readyz":
            return web.Response(text="ok")
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.34.4"})
        if request.path in self.forbidden:
            return web.json_response(
                status(403, "Forbidden", f"{request.path} is forbidden"), status=403
            )
        known = request.path.endswith("/pods") or request.path in self.served
        if request.path in self.absent or not known:
            return web.json_response(
                status(404, "NotFound", "the server could not find the requested resource"),
                status=404,
            )
        return await (self._watch(request) if request.query.get("watch") else self._list(request))

    def _visible(self, request: web.Request, namespace: str) -> bool:
        wanted = (
            request.path.split("/namespaces/")[1].split("/")[0]
            if "/namespaces/" in request.path
            else ""
        )
        return not wanted or wanted == namespace

    async def _list(self, request: web.Request) -> web.StreamResponse:
        limit = min(int(request.query.get("limit", "100000")), self.page)
        token = request.query.get("continue", "")
        if token:
            if self.expired_continue or token not in self.snapshots:
                self.expired_continue = max(0, self.expired_continue - 1)
                return web.json_response(
                    status(410, "Expired", "The provided continue parameter is too old"), status=410
                )
            version, rest = self.snapshots[token]
        else:
            version, rest = (
                self.version,
                [o for (ns, _), o in sorted(self.objects.items()) if self._visible(request, ns)],
            )
            if request.query.get("resourceVersion") == "0":
                limit = 1_000_000
        page, rest = rest[:limit], rest[limit:]
        meta: Obj = {"resourceVersion": str(version)}
        if rest:
            key = f"token{len(self.snapshots)}-{version}"
            self.snapshots[key] = (version, rest)
            meta |= {"continue": key, "remainingItemCount": len(rest)}
        return web.json_response(
            {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": page}
        )

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        initial = request.query.get("sendInitialEvents") == "true"
        if initial and self.streaming == "no":
            message = (
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless "
                "the WatchList feature gate is enabled"
            )
            return web.json_response(status(422, "Invalid", message), status=422)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)

        async def say(type_: str, obj: Obj) -> None:
            await response.write(json.dumps({"type": type_, "object": obj}).encode() + b"\n")

        start = int(request.query.get("resourceVersion") or 0)
        if initial or not start:
            start = self.version
            for (ns, _), obj in list(self.objects.items()):
                if self._visible(request, ns):
                    await say("ADDED", obj)
            if initial and self.streaming == "yes":
                await say("BOOKMARK", bookmark(start, initial=True))
        while True:
            if start < self.floor:
                await say(
                    "ERROR",
                    status(410, "Expired", f"too old resource version: {start} ({self.floor})"),
                )
                return response
            for version, type_, obj in [entry for entry in self.log if entry[0] > start]:
                start = version
                if self._visible(request, obj["metadata"]["namespace"]):
                    await say(type_, obj)
            async with self._changed:
                if self.version == start or not any(entry[0] > start for entry in self.log):
                    if start < self.floor:
                        continue
                    await self._changed.wait()


def bookmark(version: int, *, initial: bool = False) -> Obj:
    meta: Obj = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": meta,
        "spec": {"containers": None},
        "status": {},
    }


def answering(
    code: int, reason: str, message: str = "", headers: dict[str, str] | None = None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """One scripted error."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(status(code, reason, message), status=code, headers=headers)

    return answer


async def until(condition: Callable[[], bool], limit: float = 30.0) -> None:
    """Wait until `condition` holds; fails after `limit` seconds."""
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110  # any condition, also one that sets no event
            await asyncio.sleep(0.005)

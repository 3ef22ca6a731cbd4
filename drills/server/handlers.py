"""Answers to requests for resources: reads, watches, writes and the subresources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from drills.api import protobuf, reads
from drills.api import watch as watching
from drills.api.kinds import REVIEWS, Kind
from drills.api.objects import Obj, dig, parse_time, rfc3339_micro
from drills.api.problems import (
    ApiProblem,
    bad_request,
    method_not_allowed,
    no_such_path,
    server_error,
)
from drills.api.requests import Query, Target, View, negotiate
from drills.pods import exec as execs
from drills.pods import logs, statistics
from drills.pods import pod_proxy as through
from drills.pods.connectivity import Network
from drills.pods.shell import Shell
from drills.server import reviews
from drills.server.eviction import evict
from drills.server.scale import read_scale, write_scale

if TYPE_CHECKING:
    from drills.server.drill_server import DrillServer

_JSON = "application/json"


class Answers:
    """Holds what is open: watches and log streams."""

    def __init__(self, server: DrillServer) -> None:
        self._server = server
        self._subscriptions: set[watching.Subscription] = set()
        self._streams: dict[int, web.Request] = {}

    def expire_watches(self) -> None:
        for subscription in list(self._subscriptions):
            subscription.expire()

    def close_streams(self) -> None:
        """Break the connections of open watches, logs and execs."""
        for request in list(self._streams.values()):
            if request.transport is not None:
                request.transport.abort()

    async def resource(
        self, request: web.Request, target: Target, query: Query, verb: str, cut: int | None
    ) -> web.StreamResponse:
        """Raises ApiProblem."""
        view = negotiate(request.headers.get("Accept", ""), query)
        server = self._server
        server.requests[(verb.upper(), target.resource, 200)] += 1
        if target.subresource:
            return await self._subresource(request, target, query, view, cut)
        if verb in {"list", "watch"} and query.flag("watch"):
            return await self._watch(request, target, query, view, cut)
        if verb == "list":
            if target.kind.plural in REVIEWS:
                raise method_not_allowed()
            body = reads.list_body(server.store, target, query, view, server.clock())
            return await self._send(request, body, cut)
        if verb == "get":
            entry = server.store.get(target.kind, target.namespace, target.name)
            return await self._send(
                request, reads.one(target.kind, entry, view, server.clock()), cut
            )
        return await self._write(request, target, query, view, verb)

    # --- writes
    # --------------------------------------------------------------------------------------------------

    async def _body(self, request: web.Request) -> Obj:
        raw = await request.read()
        if not raw:
            return {}
        if raw.startswith(protobuf.MAGIC):
            return protobuf.decode(raw)
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise bad_request(f"the body is not valid JSON: {error}") from error
        if not isinstance(body, dict):
            raise bad_request("the body is not an object")
        return body

    async def _write(
        self, request: web.Request, target: Target, query: Query, view: View, verb: str
    ) -> web.StreamResponse:
        server, agent = self._server, request.headers.get("User-Agent", "")
        kind, now = target.kind, server.clock()
        if verb == "create":
            body = await self._body(request)
            if kind.plural in REVIEWS:
                return web.Response(
                    status=201,
                    body=reads.encode(reviews.answer(kind.plural, body, server.faults)),
                    content_type=_JSON,
                )
            if target.name:
                raise method_not_allowed()
            made = server.writes.create(target, body, query, agent)
            if kind.plural == "customresourcedefinitions" and not query.dry_run:
                server.add_custom(made.entry.obj)
            return web.Response(
                status=201, body=reads.one(kind, made.entry, view, now), content_type=_JSON
            )
        if verb in {"update", "patch"} and not target.name:
            raise method_not_allowed()
        if verb == "update":
            done = server.writes.update(target, await self._body(request), query, agent)
            return web.Response(body=reads.one(kind, done.entry, view, now), content_type=_JSON)
        if verb == "patch":
            done = server.writes.patch(
                target, await request.read(), request.headers.get("Content-Type", ""), query, agent
            )
            return web.Response(
                status=201 if done.created else 200,
                body=reads.one(kind, done.entry, view, now),
                content_type=_JSON,
            )
        if verb == "delete":
            options = await self._body(request)
            last, gone = server.writes.delete(target, options, query)
            if kind.plural == "pods" or not gone:
                return web.Response(
                    body=reads.one(kind, last, View("object"), now), content_type=_JSON
                )
            details: Obj = {
                "name": target.name,
                "kind": kind.plural,
                "uid": last.obj["metadata"]["uid"],
            }
            if kind.group:
                details["group"] = kind.group
            return web.Response(
                body=reads.encode(
                    {
                        "kind": "Status",
                        "apiVersion": "v1",
                        "metadata": {},
                        "status": "Success",
                        "details": details,
                    }
                ),
                content_type=_JSON,
            )
        if verb == "deletecollection":
            return await self._delete_all(request, target, query)
        raise method_not_allowed()

    async def _delete_all(
        self, request: web.Request, target: Target, query: Query
    ) -> web.StreamResponse:
        server, options = self._server, await self._body(request)
        match, _ = reads.selection(target, query)
        chosen = [e for e in server.store.entries(target.kind, target.namespace) if match(e.obj)]
        for entry in chosen:
            meta = entry.obj["metadata"]
            one = Target(target.kind, meta.get("namespace", ""), meta["name"], "", "")
            server.writes.delete(one, options, query)
        body = reads.encode(
            {
                "kind": f"{target.kind.kind}List",
                "apiVersion": target.kind.api_version,
                "metadata": {"resourceVersion": str(server.store.version)},
                "items": [e.obj for e in chosen],
            }
        )
        return web.Response(body=body, content_type=_JSON)

    # --- subresources
    # --------------------------------------------------------------------------------------------

    async def _subresource(
        self, request: web.Request, target: Target, query: Query, view: View, cut: int | None
    ) -> web.StreamResponse:
        kind, sub, server = target.kind, target.subresource, self._server
        if sub not in kind.subresources:
            raise no_such_path()
        if sub in {"status", "ephemeralcontainers", "resize", "finalize"}:
            if request.method == "GET":
                entry = server.store.get(kind, target.namespace, target.name)
                return web.Response(
                    body=reads.one(kind, entry, view, server.clock()), content_type=_JSON
                )
            verb = {"PUT": "update", "PATCH": "patch"}.get(request.method, "")
            return await self._write(request, target, query, view, verb)
        if sub == "scale":
            return await self._scale(request, target, query)
        if sub == "eviction" and request.method == "POST":
            body = evict(server, target, await self._body(request), query)
            return web.Response(status=201, body=reads.encode(body), content_type=_JSON)
        if sub == "log" and request.method == "GET":
            return await self._log(request, target, query, cut)
        if sub == "exec":
            return await self._exec(request, target, query, cut)
        if sub == "proxy":
            return self._proxy(target)
        if sub == "portforward":
            return await self._forward(request, target, query)
        raise ApiProblem(
            501,
            "NotImplemented",
            f"the embedded cluster has no {kind.plural}/{sub}; use a real cluster for it",
        )

    async def _scale(
        self, request: web.Request, target: Target, query: Query
    ) -> web.StreamResponse:
        server = self._server
        if request.method == "GET":
            entry = server.store.get(target.kind, target.namespace, target.name)
            return web.Response(body=reads.encode(read_scale(entry)), content_type=_JSON)
        body = await self._body(request)
        entry = write_scale(
            server.writes, server.store, target, body, query, request.headers.get("User-Agent", "")
        )
        return web.Response(body=reads.encode(read_scale(entry)), content_type=_JSON)

    def _pod(self, target: Target) -> Obj:
        return self._server.store.get(target.kind, target.namespace, target.name).obj

    @staticmethod
    def _container(pod: Obj, asked: str) -> str:
        names = [c["name"] for c in pod["spec"]["containers"]]
        others = [
            c["name"]
            for f in ("initContainers", "ephemeralContainers")
            for c in pod["spec"].get(f) or []
        ]
        if asked:
            if asked not in names + others:
                raise bad_request(
                    f"container {asked} is not valid for pod {pod['metadata']['name']}"
                )
            return asked
        if len(names) > 1:
            default = (
                pod["metadata"]
                .get("annotations", {})
                .get("kubectl.kubernetes.io/default-container")
            )
            if default in names:
                return str(default)
            raise bad_request(
                f"a container name must be specified for pod {pod['metadata']['name']}, choose "
                f"one of: [{' '.join(names)}]"
            )
        return str(names[0])

    def _reachable(self, pod: Obj) -> None:
        """Raises ApiProblem when the API server could not reach the pod's kubelet."""
        node = dig(pod, "spec", "nodeName")
        if not node:
            raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
        entry = self._server.store.find(self._kind("Node"), "", node)
        ready = (
            next(
                (
                    c
                    for c in dig(entry.obj, "status", "conditions", default=[])
                    if c["type"] == "Ready"
                ),
                None,
            )
            if entry
            else None
        )
        if ready is None or ready["status"] == "Unknown":
            address = dig(pod, "status", "hostIP", default=node)
            raise server_error(
                500, f'Get "https://{address}:10250/": dial tcp {address}:10250: i/o timeout'
            )

    def _kind(self, name: str) -> Kind:
        return next(k for k in self._server.kinds if k.kind == name and k.group != "events.k8s.io")

    def _of(self, name: str) -> list[Obj]:
        return [e.obj for e in self._server.store.entries(self._kind(name))]

    def _zone(self, node: str) -> str:
        entry = self._server.store.find(self._kind("Node"), "", node)
        return (
            str(dig(entry.obj, "metadata", "labels", "topology.kubernetes.io/zone", default=""))
            if entry
            else ""
        )

    async def _log(
        self, request: web.Request, target: Target, query: Query, cut: int | None
    ) -> web.StreamResponse:
        server, pod = self._server, self._pod(target)
        container, previous = self._container(pod, query.get("container")), query.flag("previous")
        self._reachable(pod)
        status: Obj = next(
            (
                s
                for f in (
                    "containerStatuses",
                    "initContainerStatuses",
                    "ephemeralContainerStatuses",
                )
                for s in dig(pod, "status", f, default=[])
                if s["name"] == container
            ),
            {},
        )
        waiting = dig(status, "state", "waiting", "reason")
        if previous and not dig(status, "lastState", "terminated"):
            raise bad_request(
                f'previous terminated container "{container}" in pod "{target.name}" not found'
            )
        if waiting and not previous and not dig(status, "lastState", "terminated"):
            raise bad_request(
                f'container "{container}" in pod "{target.name}" is waiting to start: {waiting}'
            )
        now = server.clock()
        seconds = query.number("sinceSeconds")
        since = now - timedelta(seconds=seconds if seconds is not None else 21_600)
        if query.get("sinceTime"):
            since = parse_time(query.get("sinceTime"))
        stamps = query.flag("timestamps")

        def text(found: list[logs.Line]) -> bytes:
            return "".join(
                f"{rfc3339_micro(at)} {line}\n" if stamps else f"{line}\n" for at, line in found
            ).encode()

        def between(start: datetime, end: datetime) -> list[logs.Line]:
            return logs.lines(
                server.world.surroundings,
                pod,
                container,
                previous=previous,
                since=start,
                until=end,
                zone=self._zone,
            )

        first = between(since, now)
        tail = query.number("tailLines")
        if tail is not None:
            first = first[len(first) - tail :] if tail < len(first) else first
        body = text(first)
        limit = query.number("limitBytes")
        if limit is not None:
            body = body[:limit]
        if not query.flag("follow") or previous:
            return await self._send(request, body, cut, content_type="text/plain")
        return await self._follow(request, body, now, lambda a, b: text(between(a, b)))

    async def _follow(
        self,
        request: web.Request,
        first: bytes,
        at: datetime,
        more: Callable[[datetime, datetime], bytes],
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        self._streams[id(request)] = request
        try:
            await response.write(first)
            while True:
                await asyncio.sleep(0.5)
                now = self._server.clock()
                if data := more(at + timedelta(microseconds=1), now):
                    await response.write(data)
                at = now
        except (ConnectionError, asyncio.CancelledError):
            return response
        finally:
            self._streams.pop(id(request), None)

    async def _exec(
        self, request: web.Request, target: Target, query: Query, cut: int | None
    ) -> web.StreamResponse:
        server, pod = self._server, self._pod(target)
        container = self._container(pod, query.get("container"))
        if request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request(
                "unable to upgrade: the embedded cluster speaks WebSocket only "
                "(v5.channel.k8s.io, v4.channel.k8s.io)"
            )
        status: Obj = next(
            (
                s
                for f in ("containerStatuses", "ephemeralContainerStatuses")
                for s in dig(pod, "status", f, default=[])
                if s["name"] == container
            ),
            {},
        )
        if "running" not in status.get("state", {}):
            raise server_error(500, f'container not found ("{container}")')
        self._reachable(pod)
        around = server.world.surroundings
        shell = Shell(
            Network(self._of, around.connect, around.names), around.commands, server.speed
        )
        self._streams[id(request)] = request
        try:
            return await execs.serve(
                request, shell, pod, container, query.every("command"), cut_after=cut
            )
        finally:
            self._streams.pop(id(request), None)

    def _proxy(self, target: Target) -> web.StreamResponse:
        server, now = self._server, self._server.clock()
        around = server.world.surroundings
        if target.kind.kind == "Node":
            node = server.store.get(target.kind, "", target.name).obj
            pods = [
                p
                for p in self._of("Pod")
                if dig(p, "spec", "nodeName") == target.name
                and dig(p, "status", "phase") == "Running"
            ]
            if pods:
                self._reachable(pods[0])
            measured = statistics.Measurements(around, now, self._zone)
            path = target.rest.strip("/")
            if path == "stats/summary":
                return web.Response(
                    body=reads.encode(statistics.summary(measured, node, pods, now)),
                    content_type=_JSON,
                )
            if path == "metrics/cadvisor":
                return web.Response(text=statistics.cadvisor(measured, pods, now))
            if path == "healthz":
                return web.Response(text="ok")
            if path == "configz":
                config: Obj = {
                    "containerLogMaxSize": "10Mi",
                    "containerLogMaxFiles": 5,
                    "maxPods": 110,
                    "kubeAPIQPS": 50,
                    "cpuCFSQuota": True,
                    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "10%"},
                }
                for rule in around.configz:
                    if rule.get("node", target.name) == target.name:
                        config.update(rule["config"])
                return web.Response(
                    body=reads.encode({"kubeletconfig": config}), content_type=_JSON
                )
            if path in {"metrics", "metrics/resource", "metrics/probes", "logs"} or path.startswith(
                "logs"
            ):
                return web.Response(text=_node_text(around.metrics, target.name, path))
            raise no_such_path()
        name, _, port = target.name.removeprefix("https:").removeprefix("http:").partition(":")
        found = server.store.get(target.kind, target.namespace, name).obj
        network = Network(self._of, around.connect, around.names)
        pod, number = found, int(port) if port.isdigit() else 80
        if target.kind.kind == "Service":
            pod, number = through.service_backend(network, found, port)
        text = statistics.counters(around, pod, number, target.rest or "metrics", now, self._zone)
        if text is None:
            through.dial(network, pod, number)
            return (
                web.Response(text=through.PAGE)
                if not target.rest
                else web.Response(status=404, text="404 page not found\n")
            )
        self._reachable(pod)
        return web.Response(text=text)

    async def _forward(
        self, request: web.Request, target: Target, query: Query
    ) -> web.StreamResponse:
        pod = self._pod(target)
        self._reachable(pod)
        self._streams[id(request)] = request
        try:
            return await through.forward(request, pod, query.every("ports"))
        finally:
            self._streams.pop(id(request), None)

    # --- streams
    # -------------------------------------------------------------------------------------------------

    async def _watch(
        self, request: web.Request, target: Target, query: Query, view: View, cut: int | None
    ) -> web.StreamResponse:
        server = self._server
        watching.check(server.store, target, query)
        reads.selection(target, query)
        seconds = query.number("timeoutSeconds") or server.random.randint(1800, 3600)
        subscription = watching.Subscription(server.store, target.kind, asyncio.get_running_loop())
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        self._subscriptions.add(subscription)
        self._streams[id(request)] = request
        sent = 0
        try:
            async for data in watching.stream(
                server.store,
                target,
                query,
                view,
                subscription,
                now=server.clock,
                seconds=seconds,
                bookmark_every=server.bookmark_seconds,
            ):
                await server.faults.thawed()
                if cut is not None and sent + len(data) > cut:
                    await response.write(data[: max(0, cut - sent)])
                    if request.transport is not None:
                        request.transport.close()
                    return response
                sent += len(data)
                await response.write(data)
            await response.write_eof()
        except ConnectionError:
            pass  # the client closed its watch, which is how a watch ends
        finally:
            subscription.close()
            self._subscriptions.discard(subscription)
            self._streams.pop(id(request), None)
        return response

    @staticmethod
    async def _send(
        request: web.Request, body: bytes, cut: int | None, content_type: str = _JSON
    ) -> web.StreamResponse:
        if cut is None or cut >= len(body):
            return web.Response(body=body, content_type=content_type)
        response = web.StreamResponse(
            headers={"Content-Type": content_type, "Content-Length": str(len(body))}
        )
        await response.prepare(request)
        await response.write(body[:cut])
        if request.transport is not None:
            request.transport.close()
        return response


def _node_text(rules: list[tuple[datetime, Obj]], node: str, path: str) -> str:
    out = ""
    for _, rule in rules:
        if rule.get("node") == node and path.startswith(str(rule.get("path", "metrics"))):
            out += str(rule.get("body", ""))
            out += "".join(f"{k} {v}\n" for k, v in rule.get("series", {}).items())
    return out

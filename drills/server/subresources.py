"""Subresources: status, scale, eviction, log, exec, proxy and port-forward."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from aiohttp import web

from drills.api.objects import Obj, dig, parse_time, reports, rfc3339_micro
from drills.api.problems import bad_request, no_such_path, not_implemented, server_error
from drills.api.store import StoredObject
from drills.pods import exec as pod_exec
from drills.pods import logs, pod_proxy
from drills.pods.shell import Shell
from drills.pods.statistics import node_page
from drills.server.eviction import evict
from drills.server.handlers import ResourceHandler, json_response, read_body

_LOG_SECONDS = 21_600
"""How far back a log goes without a requested time."""
_KUBELET_CONFIG: Obj = {
    "containerLogMaxSize": "10Mi",
    "containerLogMaxFiles": 5,
    "maxPods": 110,
    "kubeAPIQPS": 50,
    "cpuCFSQuota": True,
    "evictionHard": {"memory.available": "100Mi", "nodefs.available": "10%"},
}


class SubresourceHandler(ResourceHandler):
    """One request for a subresource."""

    async def answer(self) -> web.StreamResponse:
        """Raises ApiProblem."""
        sub, method = self.target.subresource, self.request.method
        if sub not in self.kind.subresources:
            raise no_such_path()
        if sub in {"status", "ephemeralcontainers", "resize", "finalize"}:
            return await (super().answer() if method == "GET" else self.write())
        handlers: dict[str, Callable[[], Awaitable[web.StreamResponse]]] = {
            "scale": self._scale,
            "exec": self._exec,
            "proxy": self._proxy,
            "portforward": self._forward,
            **({"eviction": self._evict} if method == "POST" else {}),
            **({"log": self._log} if method == "GET" else {}),
        }
        if sub not in handlers:
            text = (
                f"the embedded cluster has no {self.kind.plural}/{sub}; use a real cluster for it"
            )
            raise not_implemented(text)
        return await handlers[sub]()

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Makes the response cuttable while it continues."""
        requests = self.state.streams.requests
        requests[id(self.request)] = self.request
        try:
            yield
        finally:
            requests.pop(id(self.request), None)

    # --- scale and eviction

    async def _scale(self) -> web.StreamResponse:
        entry = self.present()
        if self.request.method == "GET":
            return json_response(_scale_of(entry))
        body, have = await read_body(self.request), dig(entry.obj, "spec", "replicas", default=0)
        change: Obj = {"spec": {"replicas": int(dig(body, "spec", "replicas", default=have))}}
        if version := dig(body, "metadata", "resourceVersion"):
            change["metadata"] = {"resourceVersion": version}
        raw, form = json.dumps(change).encode(), "application/merge-patch+json"
        done = self.state.writes.patch(self.target.whole, raw, form, self.query, self.agent)
        return json_response(_scale_of(done.entry))

    async def _evict(self) -> web.StreamResponse:
        body = await read_body(self.request)
        return json_response(evict(self.state, self.target, body, self.query), 201)

    # --- log and exec

    def _container(self, pod: Obj) -> str:
        """The requested container, or the only one. Raises ApiProblem (400)."""
        name, asked, spec = pod["metadata"]["name"], self.query.get("container"), pod["spec"]
        names = [c["name"] for c in spec["containers"]]
        others = [
            c["name"] for f in ("initContainers", "ephemeralContainers") for c in spec.get(f) or []
        ]
        if asked and asked not in names + others:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        if not asked and len(names) > 1:
            annotations = pod["metadata"].get("annotations", {})
            asked = annotations.get("kubectl.kubernetes.io/default-container", "")
            if asked not in names:
                raise bad_request(
                    f"a container name must be specified for pod {name}, choose one of: "
                    f"[{' '.join(names)}]"
                )
        return asked or str(names[0])

    def _check_reachable(self, pod: Obj) -> None:
        """Raises ApiProblem when the API server could not reach the pod's kubelet."""
        node = dig(pod, "spec", "nodeName")
        if not node:
            raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
        if not reports(self.state.node(node)):
            address = f"{dig(pod, 'status', 'hostIP', default=node)}:10250"
            raise server_error(500, f'Get "https://{address}/": dial tcp {address}: i/o timeout')

    async def _log(self) -> web.StreamResponse:
        state, query, pod = self.state, self.query, self.present().obj
        container, previous = self._container(pod), query.flag("previous")
        self._check_reachable(pod)
        _check_has_log(pod, container, previous=previous)
        now, seconds = state.clock(), query.number("sinceSeconds")
        since = now - timedelta(seconds=seconds if seconds is not None else _LOG_SECONDS)
        if query.get("sinceTime"):
            since = parse_time(query.get("sinceTime"))
        stamps = query.flag("timestamps")

        def between(start: datetime, end: datetime) -> list[bytes]:
            found = logs.lines(
                state.surroundings,
                pod,
                container,
                previous=previous,
                since=start,
                until=end,
                zone=state.zone_of,
            )
            head = [f"{rfc3339_micro(at)} " if stamps else "" for at, _ in found]
            return [f"{h}{line}\n".encode() for h, (_, line) in zip(head, found, strict=True)]

        first, tail = between(since, now), query.number("tailLines")
        if tail is not None and tail < len(first):
            first = first[len(first) - tail :]
        body = b"".join(first)[: query.number("limitBytes")]
        if not query.flag("follow") or previous:
            return await self.send(body, content_type="text/plain")
        return await self._follow(body, now, lambda a, b: b"".join(between(a, b)))

    async def _follow(
        self, first: bytes, at: datetime, more: Callable[[datetime, datetime], bytes]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(self.request)
        with self._open():
            try:
                await response.write(first)
                while True:
                    await asyncio.sleep(0.5)
                    now = self.state.clock()
                    if data := more(at + timedelta(microseconds=1), now):
                        await response.write(data)
                    at = now
            except (ConnectionError, asyncio.CancelledError):
                return response

    async def _exec(self) -> web.StreamResponse:
        pod = self.present().obj
        container, command = self._container(pod), self.query.every("command")
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise bad_request(
                "unable to upgrade: the embedded cluster speaks WebSocket only "
                "(v5.channel.k8s.io, v4.channel.k8s.io)"
            )
        if "running" not in _status_of(pod, container).get("state", {}):
            raise server_error(500, f'container not found ("{container}")')
        self._check_reachable(pod)
        shell = Shell(self.state.network(), self.state.speed)
        with self._open():
            return await pod_exec.serve(
                self.request, shell, pod, container, command, cut_after=self.cut
            )

    # --- proxy and port-forward

    async def _proxy(self) -> web.StreamResponse:
        if self.kind.kind == "Node":
            return self._kubelet_page()
        name, _, port = self.target.name.removeprefix("https:").removeprefix("http:").partition(":")
        found = self.store.get(self.kind, self.target.namespace, name).obj
        network = self.state.network()
        pod, number = found, int(port) if port.isdigit() else 80
        if self.kind.kind == "Service":
            pod, number = pod_proxy.service_backend(network, found, port)
        path = self.target.rest
        text = self.state.measurements().counters(pod, number, path or "metrics")
        if text is not None:
            self._check_reachable(pod)
            return web.Response(text=text)
        pod_proxy.dial(network, pod, number)
        if path:
            return web.Response(status=404, text="404 page not found\n")
        return web.Response(text=pod_proxy.PAGE)

    def _kubelet_page(self) -> web.StreamResponse:
        name, path = self.target.name, self.target.rest.strip("/")
        node, measured = self.store.get(self.kind, "", name).obj, self.state.measurements()
        pods = [
            pod
            for pod in self.store.of("Pod")
            if dig(pod, "spec", "nodeName") == name and dig(pod, "status", "phase") == "Running"
        ]
        if pods:
            self._check_reachable(pods[0])
        if path == "stats/summary":
            return json_response(measured.summary(node, pods))
        if path == "metrics/cadvisor":
            return web.Response(text=measured.cadvisor(pods))
        if path == "healthz":
            return web.Response(text="ok")
        if path == "configz":
            config = dict(_KUBELET_CONFIG)
            for rule in self.state.surroundings.configz:
                if rule.get("node", name) == name:
                    config.update(rule["config"])
            return json_response({"kubeletconfig": config})
        if path.startswith("logs") or path in {"metrics", "metrics/resource", "metrics/probes"}:
            return web.Response(text=node_page(self.state.surroundings.metrics, name, path))
        raise no_such_path()

    async def _forward(self) -> web.StreamResponse:
        pod = self.present().obj
        self._check_reachable(pod)
        with self._open():
            return await pod_proxy.forward(self.request, pod, self.query.every("ports"))


def _scale_of(entry: StoredObject) -> Obj:
    """autoscaling/v1 Scale of a workload."""
    obj = entry.obj
    selector = dig(obj, "spec", "selector", "matchLabels", default={})
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {word: obj["metadata"][word] for word in kept},
        "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{k}={v}" for k, v in sorted(selector.items())),
        },
    }


def _status_of(pod: Obj, container: str) -> Obj:
    """The status of a container of any type; empty without one."""
    sorts = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    statuses = [s for sort in sorts for s in dig(pod, "status", sort, default=[])]
    return next((s for s in statuses if s["name"] == container), {})


def _check_has_log(pod: Obj, container: str, *, previous: bool) -> None:
    """Raises ApiProblem (400) for a run that does not exist, or not yet."""
    status = _status_of(pod, container)
    where = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if dig(status, "lastState", "terminated"):
        return
    if previous:
        raise bad_request(f"previous terminated {where} not found")
    if waiting := dig(status, "state", "waiting", "reason"):
        raise bad_request(f"{where} is waiting to start: {waiting}")

"""The embedded cluster: a Kubernetes API over loopback HTTP, in memory, in one process."""

from __future__ import annotations

import asyncio
import logging
import socket
import uuid
from collections.abc import Callable
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from aiohttp import web

from drills.api import discovery
from drills.api.objects import Obj
from drills.api.problems import (
    ApiProblem,
    bad_request,
    no_right,
    no_such_path,
    server_error,
    too_many_requests,
    unauthorized,
)
from drills.api.reads import encode
from drills.api.requests import QueryParameters, RequestInfo, parse_target, verb_of
from drills.controllers.heartbeats import Heartbeats
from drills.controllers.reactions import Reactions
from drills.controllers.schedules import Schedules
from drills.pods.kubelet import Kubelets
from drills.scenario.expand import expand
from drills.scenario.model import Scenario
from drills.server import health
from drills.server.faults import FaultRule
from drills.server.handlers import ResourceHandler, json_response
from drills.server.play import heal, play
from drills.server.reviews import USER
from drills.server.state import ServerState
from drills.server.subresources import SubresourceHandler

_LOG = logging.getLogger("drills")
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


class DrillServer:
    """Serves a scenario, or an empty cluster for None.

    port 0 takes a free one. With a token, requests without it get 401. Other options are those of
    `ServerState`."""

    def __init__(
        self, scenario: Scenario | None, *, port: int = 0, token: str | None = None, **options: Any
    ) -> None:
        self.scenario, self.token = scenario, token
        self.state = state = ServerState(**options)
        self.store, self.faults, self.kinds = state.store, state.faults, state.kinds
        self.heartbeats = Heartbeats(state.context)
        kubelets = Kubelets(state.context)
        self._schedules = Schedules(state.context, kubelets)
        self._reactions = Reactions(state.context, kubelets)
        self._port = port
        self._runner: web.AppRunner | None = None
        self._script: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, known after `start`."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Expand, load and listen. Raises ScenarioError, or OSError when the port is taken."""
        state, scenario = self.state, self.scenario
        self._loop = asyncio.get_running_loop()
        if scenario is not None:
            state.load(expand(scenario, state.clock()))
        state.writes.on_write = self._reactions.wrote
        state.writes.on_delete = self._reactions.deleted
        app = web.Application(client_max_size=32 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        app.on_response_prepare.append(_name_request)
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await self._runner.setup()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener, backlog=512).start()
        state.context.start()
        self.heartbeats.start()
        self._schedules.start()
        if scenario is not None and scenario.data.get("script"):
            self._script = asyncio.create_task(play(state, scenario.data["script"]))
            self._script.add_done_callback(_log_failure)
        for row in scenario.data.get("heals", []) if scenario is not None else []:
            state.context.spawn(heal(state, row))

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        """The Date of an answer follows the clock of the cluster."""
        response.headers["Date"] = format_datetime(self.state.clock(), usegmt=True)

    async def stop(self) -> None:
        """Close every connection and end the background work."""
        if self._script is not None:
            self._script.cancel()
            await asyncio.gather(self._script, return_exceptions=True)
        await self.state.context.stop()
        self.state.streams.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def by_hand(self) -> dict[str, list[Obj]]:
        """What follows from a change that a person makes by hand, by the step of the runbook: the
        section `byHand` of the scenario."""
        return self.scenario.data.get("byHand", {}) if self.scenario else {}

    def made_by_hand(self, step: str) -> None:
        """Play what follows from the change by hand of this step. Safe from any thread."""
        rows = self.by_hand.get(step)
        if rows and self._loop is not None:
            context = self.state.context
            self._loop.call_soon_threadsafe(lambda: context.spawn(play(self.state, rows)))

    def write_kubeconfig(self, path: str | Path) -> None:
        """A kubeconfig with one context, `drill`, readable by its owner alone."""
        user: Obj = {"token": self.token} if self.token else {}
        context = {"cluster": "drill", "user": "on-call", "namespace": "default"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "drill",
            "clusters": [{"name": "drill", "cluster": {"server": self.url}}],
            "users": [{"name": "on-call", "user": user}],
            "contexts": [{"name": "drill", "context": context}],
            "preferences": {},
        }
        target = Path(path)
        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    # --- one request

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = urlsplit(request.raw_path).path
        if path.startswith("/_drill/"):
            return await self._control(request, path.removeprefix("/_drill/"))
        try:
            return await self._dispatch(request, path)
        except ApiProblem as problem:
            target = parse_target(self.kinds, request.raw_path)
            named = target.resource if target else ""
            self.state.requests[(request.method, named, problem.code)] += 1
            response = json_response(problem.status, problem.code)
            response.headers.update(problem.headers)
            return response

    async def _dispatch(self, request: web.Request, path: str) -> web.StreamResponse:
        query = QueryParameters.parse(request.rel_url.raw_query_string)
        target = parse_target(self.kinds, request.raw_path)
        verb = verb_of(request.method, target, query) if target else request.method.lower()
        await self.faults.thawed()
        rule = self.faults.pick(
            resource=target.resource if target else "",
            namespace=target.namespace if target else "",
            verb=verb,
            path=path,
            dry_run="dryRun" in request.query,
        )
        sent = request.headers.get("Authorization")
        if self.token is not None and sent != f"Bearer {self.token}":
            raise unauthorized()
        cut = None
        if rule is not None:
            await _act(rule, target, verb)
            cut = rule.after_bytes if rule.action == "cut" else None
        if target is None:
            return await self._about_itself(request, path, query)
        self.state.requests[(verb.upper(), target.resource, 200)] += 1
        handler = SubresourceHandler if target.subresource else ResourceHandler
        return await handler(self.state, request, target, query, verb, cut).answer()

    async def _about_itself(
        self, request: web.Request, path: str, query: QueryParameters
    ) -> web.StreamResponse:
        state, parts = self.state, [p for p in path.split("/") if p]
        aggregated = "g=apidiscovery.k8s.io" in request.headers.get("Accept", "")
        body: Obj | None = None
        match parts:
            case ["version"]:
                body = discovery.VERSION
            case ["api" | "apis" as root] if aggregated:
                listed = encode(discovery.aggregated(self.kinds, core=root == "api"))
                return web.Response(body=listed, headers={"Content-Type": _AGGREGATED})
            case ["api"]:
                body = discovery.api_versions(self.url.removeprefix("http://"))
            case ["apis"]:
                body = discovery.group_list(self.kinds)
            case ["api", version]:
                body = discovery.resource_list(self.kinds, "", version)
            case ["apis", group] if group in self.kinds.groups():
                found = discovery.group(group, self.kinds.groups()[group])
                body = {"kind": "APIGroup", "apiVersion": "v1", **found}
            case ["apis", group, version]:
                body = discovery.resource_list(self.kinds, group, version)
            case ["openapi", "v3"]:
                body = discovery.openapi_v3_index(self.kinds)
            case ["openapi", "v3", "api", version]:
                body = discovery.openapi_v3(self.kinds, "", version)
            case ["openapi", "v3", "apis", group, version]:
                body = discovery.openapi_v3(self.kinds, group, version)
            case ["openapi", "v2"]:
                return web.Response(body=b"", content_type=_OPENAPI_V2)
            case ["readyz" | "livez" | "healthz" as endpoint, *only]:
                status, text = health.check(
                    endpoint,
                    state.surroundings.health,
                    verbose="verbose" in query.values,
                    only="/".join(only),
                    excluded=query.every("exclude"),
                )
                return web.Response(status=status, text=text)
            case ["metrics"]:
                counts = {kind.qualified: self.store.count(kind) for kind in self.kinds}
                age = (state.clock() - state.started_at).total_seconds()
                text = health.metrics(state.surroundings.health, counts, state.requests, age)
                return web.Response(text=text)
        if body is None:
            raise no_such_path()
        return json_response(body)

    async def _control(self, request: web.Request, word: str) -> web.StreamResponse:
        """`/_drill/faults` (GET, POST a rule, DELETE), `/_drill/{freeze,thaw,compact,expire,cut}`
        and `/_drill/by-hand/STEP` (POST)."""
        actions: dict[str, Callable[[], object]] = {
            "freeze": self.faults.freeze,
            "thaw": self.faults.thaw,
            "compact": self.store.compact,
            "expire": self.state.expire_watches,
            "cut": self.state.streams.cut,
        }
        if word == "faults":
            if request.method == "POST":
                try:
                    self.faults.add_mapping(await request.json())
                except ValueError as error:
                    return json_response(bad_request(str(error)).status, 400)
            elif request.method == "DELETE":
                self.faults.clear()
        elif word in actions and request.method == "POST":
            actions[word]()
        elif (step := word.removeprefix("by-hand/")) in self.by_hand and request.method == "POST":
            self.made_by_hand(step)
        else:
            return json_response(no_such_path().status, 404)
        faults = {"faults": self.faults.rows(), "frozen": self.faults.frozen}
        return json_response({**faults, "version": self.store.version})


async def _act(rule: FaultRule, target: RequestInfo | None, verb: str) -> None:
    """Apply a fault to a request. Raises ApiProblem."""
    if rule.action == "slow":
        await asyncio.sleep(rule.seconds)
    elif rule.action == "silent":
        await asyncio.sleep(3600)
    elif rule.action == "unauthorized":
        raise unauthorized()
    elif rule.action == "too-many":
        raise too_many_requests(max(1, round(rule.seconds)), rule.message)
    elif rule.action == "error":
        raise server_error(rule.code, rule.message or f"injected {rule.code}")
    elif rule.action == "forbidden" and target is not None:
        raise no_right(target.kind, target.name, USER, verb, target.namespace)


def _log_failure(script: asyncio.Task[None]) -> None:
    if not script.cancelled() and (error := script.exception()) is not None:
        _LOG.error("the script of the drill stopped: %s", error)


async def _name_request(request: web.Request, response: web.StreamResponse) -> None:
    """Set an Audit-Id on each response as the API server does, except on upgraded streams
    (kubernetes PR 49377)."""
    if "upgrade" not in request.headers.get("Connection", "").lower():
        response.headers.setdefault("Audit-Id", str(uuid.uuid4()))

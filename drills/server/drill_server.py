"""The embedded cluster: a Kubernetes API over loopback HTTP, in memory, in one process."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import msgspec
import yaml
from aiohttp import web

from drills.api import discovery
from drills.api.kinds import Kind, KindTable
from drills.api.objects import Obj
from drills.api.problems import (
    ApiProblem,
    bad_request,
    forbidden,
    no_such_path,
    server_error,
    too_many_requests,
    unauthorized,
)
from drills.api.requests import Query, parse_target, verb_of
from drills.api.store import Store
from drills.api.world import World
from drills.api.writes import Writes
from drills.controllers.context import Backstage
from drills.controllers.heartbeats import Pulse
from drills.controllers.workloads import Controllers
from drills.pods.kubelet import Kubelets
from drills.scenario.expand import expand
from drills.scenario.model import Scenario
from drills.server import health
from drills.server.faults import Faults, Rule
from drills.server.handlers import Answers
from drills.server.play import play
from drills.server.reviews import USER

_JSON = "application/json"
_LOG = logging.getLogger("drills")
encode: Callable[[object], bytes] = msgspec.json.Encoder().encode


def utc_now() -> datetime:
    return datetime.now(UTC)


class DrillServer:
    """Serves a scenario, or an empty cluster for None.

    port 0 takes a free one. With a token, requests without it get 401. `speed` shortens script
    steps, pod starts and probe pauses (2.0: twice as fast); time stamps always come from `clock`,
    which returns an aware datetime.
    `bookmark_seconds`: how often a quiet watch gets a bookmark."""

    def __init__(
        self,
        scenario: Scenario | None,
        *,
        port: int = 0,
        token: str | None = None,
        speed: float = 1.0,
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
        bookmark_seconds: float = 20.0,
    ) -> None:
        self.scenario, self.token, self.speed, self.clock = scenario, token, speed, clock
        self.bookmark_seconds = bookmark_seconds
        self.kinds = KindTable()
        self.store = Store(self.kinds)
        self.faults = Faults()
        self.random = Random(seed)  # noqa: S311  # names of pods
        self.world = World(now=clock())
        self.writes = Writes(self.store, clock, self.random)
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.started_at = clock()
        self._port = port
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.stage = Backstage(self.store, self.kinds, self.world, clock, self.random, speed)
        self.controllers = Controllers(self.stage, Kubelets(self.stage))
        self.pulse = Pulse(self.stage)
        self.answers = Answers(self)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, known after `start`."""
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Expand, load and listen. Raises ScenarioError, or OSError when the port is taken."""
        self.started_at = self.clock()
        if self.scenario is not None:
            self.load_world(expand(self.scenario, self.started_at))
        self.writes.on_write = self.controllers.wrote
        self.writes.on_delete = self.controllers.deleted
        app = web.Application(client_max_size=32 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await self._runner.setup()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        await web.SockSite(self._runner, listener, backlog=512).start()
        self.stage.start()
        self.pulse.start()
        if self.scenario is not None and self.scenario.data.get("script"):
            task = asyncio.get_running_loop().create_task(play(self, self.scenario.data["script"]))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("the script of the drill stopped: %s", error)

    def load_world(self, world: World) -> None:
        """Serve what was expanded; used at the start, and by tests that build a world of their
        own."""
        self.world = world
        self.stage.world = world
        for definition in world.of("CustomResourceDefinition"):
            self.add_custom(definition)
        self.store.load(world.sorted_objects())
        self.faults.clear()
        for row in world.surroundings.faults:
            self.faults.add_mapping(row)

    def add_custom(self, definition: Obj) -> None:
        """Serve the kind of a CustomResourceDefinition."""
        spec = definition["spec"]
        names = spec["names"]
        for version in spec["versions"]:
            self.kinds.add(
                Kind(
                    spec["group"],
                    version["name"],
                    names["kind"],
                    names["plural"],
                    spec.get("scope", "Namespaced") == "Namespaced",
                    tuple(names.get("shortNames", ())),
                    (),
                    ("status",),
                    singular=names.get("singular", ""),
                )
            )

    async def stop(self) -> None:
        """Close every connection and end the background work."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stage.stop()
        self.answers.close_streams()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def write_kubeconfig(self, path: str | Path) -> None:
        """A kubeconfig with one context, `drill`, readable by its owner alone."""
        user: Obj = {"token": self.token} if self.token else {}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "drill",
            "clusters": [{"name": "drill", "cluster": {"server": self.url}}],
            "users": [{"name": "on-call", "user": user}],
            "contexts": [
                {
                    "name": "drill",
                    "context": {"cluster": "drill", "user": "on-call", "namespace": "default"},
                }
            ],
            "preferences": {},
        }
        target = Path(path)
        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def expire_watches(self) -> None:
        """Compact the history and end every open watch with a 410 ERROR event."""
        self.store.compact()
        self.answers.expire_watches()

    def cut_streams(self) -> None:
        """Every open watch and log stream breaks off."""
        self.answers.close_streams()

    # --- one request
    # ---------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = urlsplit(request.raw_path).path
        if path.startswith("/_drill/"):
            return await self._control(request, path)
        try:
            return await self._dispatch(request, path)
        except ApiProblem as problem:
            self.requests[(request.method, "", problem.code)] += 1
            return web.Response(
                status=problem.code,
                body=encode(problem.status),
                content_type=_JSON,
                headers=problem.headers,
            )

    async def _dispatch(self, request: web.Request, path: str) -> web.StreamResponse:
        query = Query.parse(request.rel_url.raw_query_string)
        target = parse_target(self.kinds, request.raw_path)
        verb = verb_of(request.method, target, query) if target else request.method.lower()
        await self.faults.thawed()
        rule = self.faults.pick(
            resource=target.resource if target else "",
            namespace=target.namespace if target else "",
            verb=verb,
            path=path,
        )
        if (
            self.token is not None
            and request.headers.get("Authorization") != f"Bearer {self.token}"
        ):
            raise unauthorized()
        if rule is not None:
            await self._act(
                rule,
                target.kind if target else None,
                target.name if target else "",
                target.namespace if target else "",
                verb,
            )
        cut = rule.after_bytes if rule is not None and rule.action == "cut" else None
        if target is None:
            return await self._about_itself(request, path, query)
        return await self.answers.resource(request, target, query, verb, cut)

    async def _act(
        self, rule: Rule, kind: Kind | None, name: str, namespace: str, verb: str
    ) -> None:
        if rule.action == "slow":
            await asyncio.sleep(rule.seconds)
        elif rule.action == "silent":
            await asyncio.sleep(3600)
        elif rule.action == "unauthorized":
            raise unauthorized()
        elif rule.action == "too-many":
            raise too_many_requests(max(1, round(rule.seconds)), rule.message or None)
        elif rule.action == "error":
            raise server_error(rule.code, rule.message or f"injected {rule.code}")
        elif rule.action == "forbidden" and kind is not None:
            raise forbidden(kind, name, USER, verb, namespace)

    async def _about_itself(
        self, request: web.Request, path: str, query: Query
    ) -> web.StreamResponse:
        parts = [p for p in path.split("/") if p]
        wants_aggregated = "g=apidiscovery.k8s.io" in request.headers.get("Accept", "")
        body: Obj | None = None
        if parts == ["version"]:
            body = discovery.VERSION
        elif parts == ["api"] or parts == ["apis"]:
            if wants_aggregated:
                return web.Response(
                    body=encode(discovery.aggregated(self.kinds, core=parts == ["api"])),
                    headers={
                        "Content-Type": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                    },
                )
            body = (
                discovery.api_versions(self.url.removeprefix("http://"))
                if parts == ["api"]
                else (discovery.group_list(self.kinds))
            )
        elif len(parts) == 2 and parts[0] == "api":
            body = discovery.resource_list(self.kinds, "", parts[1])
        elif len(parts) == 2 and parts[0] == "apis" and parts[1] in self.kinds.groups():
            body = {
                "kind": "APIGroup",
                "apiVersion": "v1",
                **discovery.group(parts[1], self.kinds.groups()[parts[1]]),
            }
        elif len(parts) == 3 and parts[0] == "apis":
            body = discovery.resource_list(self.kinds, parts[1], parts[2])
        elif parts[:2] == ["openapi", "v3"]:
            body = self._openapi(parts[2:])
        elif parts[:2] == ["openapi", "v2"]:
            return web.Response(
                body=b"", content_type="application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
            )
        elif parts and parts[0] in {"readyz", "livez", "healthz"}:
            status, text = health.check(
                parts[0],
                self.world.surroundings.health,
                verbose="verbose" in query.values,
                only="/".join(parts[1:]),
                excluded=query.every("exclude"),
            )
            return web.Response(status=status, text=text)
        elif parts == ["metrics"]:
            counts = {
                k.qualified: self.store.count(k) for k in self.kinds if k.group != "events.k8s.io"
            }
            return web.Response(
                text=health.metrics(
                    self.world.surroundings.health,
                    counts,
                    dict(self.requests),
                    self.started_at,
                    self.clock(),
                )
            )
        if body is None:
            raise no_such_path()
        return web.Response(body=encode(body), content_type=_JSON)

    def _openapi(self, parts: list[str]) -> Obj | None:
        if not parts:
            return discovery.openapi_v3_index(self.kinds)
        if parts[0] == "api" and len(parts) == 2:
            return discovery.openapi_v3(self.kinds, "", parts[1])
        return (
            discovery.openapi_v3(self.kinds, parts[1], parts[2])
            if parts[0] == "apis" and len(parts) == 3
            else None
        )

    # --- control
    # -------------------------------------------------------------------------------------------------

    async def _control(self, request: web.Request, path: str) -> web.StreamResponse:
        """`/_drill/faults` (GET, POST a rule, DELETE), `/_drill/{freeze,thaw,compact,expire,cut}`
        (POST)."""
        actions: dict[str, Callable[[], object]] = {
            "freeze": self.faults.freeze,
            "thaw": self.faults.thaw,
            "compact": self.store.compact,
            "expire": self.expire_watches,
            "cut": self.cut_streams,
        }
        word = path.removeprefix("/_drill/")
        if word == "faults":
            if request.method == "POST":
                try:
                    self.faults.add_mapping(await request.json())
                except ValueError as error:
                    return web.json_response(bad_request(str(error)).status, status=400)
            elif request.method == "DELETE":
                self.faults.clear()
        elif word in actions and request.method == "POST":
            actions[word]()
        else:
            return web.json_response(no_such_path().status, status=404)
        return web.json_response(
            {
                "faults": self.faults.rows(),
                "frozen": self.faults.frozen,
                "version": self.store.version,
            }
        )

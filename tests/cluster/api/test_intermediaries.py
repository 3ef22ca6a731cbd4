"""What stands in front of an API server is told from the API server, whatever it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from cluster.api.exec import Executor
from cluster.api.intermediaries import (
    describe_intermediary,
    in_words,
    not_api_server,
    not_ready_checks,
)
from cluster.api.mode import Mode, Purpose
from cluster.api.transport import Api
from cluster.api.write import Writer
from cluster.connect.access import Access
from cluster.errors import NotApiServer, OutcomeUnknown
from cluster.health.ladder import first_failure, ladder
from cluster.health.monitor import HeartbeatConfig
from cluster.health.reach import Reach
from cluster.kube.kinds import BY_NAME
from cluster.live.freshness import WatchState
from cluster.live.live_cluster import LiveCluster
from tests.cluster.fake import FakeCluster, until

HTML = {"Content-Type": "text/html"}
INTERMEDIARIES: dict[str, tuple[int, dict[str, str], bytes, str]] = {
    "balancer": (
        503,
        HTML | {"Server": "awselb/2.0"},
        b"<html><h1>503 Service Temporarily Unavailable</h1></html>",
        "Temporarily Unavailable.*no API server behind it",
    ),
    "bad gateway": (502, HTML, b"", "HTTP 502"),
    "login redirect": (
        302,
        HTML | {"Location": "https://sso.example.com/login?rd=x"},
        b"",
        "redirect to sso.example.com.*log in there",
    ),
    "login page": (200, HTML, b"<!doctype html><title>Sign in</title>", "Sign in.*login page"),
    "proxy": (407, {"Server": "squid"}, b"Proxy Authentication Required", "proxy-url"),
    "firewall": (403, HTML, b"<title>Attention Required!</title>", "firewall.*VPN"),
    "access proxy": (
        403,
        {"Content-Type": "application/json"},
        b'{"error": {"code": 403, "message": "PERMISSION_DENIED by policy"}}',
        "PERMISSION_DENIED by policy",
    ),
    "gateway": (401, HTML, b"<h1>401 Authorization Required</h1>", "Authorization.*log in there"),
    "gateway in JSON": (
        401,
        {"Content-Type": "application/json"},
        b'{"error": {"message": "token is not active"}}',
        "token is not active.*log in there",
    ),
    "management server": (
        404,
        {"Content-Type": "application/json"},
        b'{"type": "error", "message": "clusters \\"c-1\\" not found", "status": 404}',
        "not found.*may be removed",
    ),
    "agent is away": (503, {}, b"cluster agent disconnected", "cluster agent disconnected"),
    "empty": (403, {}, b"", "HTTP 403"),
}


@pytest.mark.parametrize(
    ("code", "headers", "body"), [each[:3] for each in INTERMEDIARIES.values()]
)
def test_told_by_headers_and_body(code: int, headers: dict[str, str], body: bytes) -> None:
    lower = {name.lower(): value for name, value in headers.items()}
    assert not_api_server(code, lower, body)
    assert not not_api_server(code, lower | {"audit-id": "1"}, body), "passed through by the server"


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (403, b'{"kind": "Status", "apiVersion": "v1", "code": 403}'),
        (500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed"),
        (503, b'{"kind":"Status","message":"apiserver is shutting down"}'),
        (200, b"ok"),
        (401, b'{"kind": "Status", "apiVersion": "v1", "reason": "Unauthorized", "code": 401}'),
        (429, b"Too many requests, please try again later."),
    ],
)
def test_answers_of_an_api_server(code: int, body: bytes) -> None:
    assert not not_api_server(code, {}, body)


@pytest.mark.parametrize(
    ("headers", "body", "other"),
    [
        ({}, b"ok", False),
        ({}, b"[+]ping ok\nreadyz check passed", False),
        ({"audit-id": "1"}, b"", False),
        ({}, b"", True),
        ({}, b'{"ok": true}', True),
    ],
)
def test_readyz_of_something_else(headers: dict[str, str], body: bytes, other: bool) -> None:
    assert not_ready_checks(headers, body) is other


def test_an_error_is_said_by_its_message() -> None:
    body = b'{"kind":"Status","message":"apiserver is shutting down","code":503}'
    assert in_words(body) == "apiserver is shutting down"
    assert in_words(b"[+]ping ok\n[-]etcd failed") == "[+]ping ok; [-]etcd failed"


def test_hostile_words_are_inert_and_short() -> None:
    page = b"<title>\x1b]52;c;aGk=\x07hi \xe2\x80\xae" + b"x" * 5_000 + b"</title>"
    said = describe_intermediary(503, {"server": "a\x1b[31mb", "location": "x"}, page)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert len(said) < 400


@pytest.fixture(params=INTERMEDIARIES)
async def front(request: pytest.FixtureRequest) -> AsyncIterator[tuple[FakeCluster, str]]:
    code, headers, body, said = INTERMEDIARIES[request.param]
    server = FakeCluster()

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=code, headers=headers, body=body)

    server.intermediary = answer
    await server.start()
    yield server, said
    await server.stop()


async def test_requests_say_so_and_retry_nothing(front: tuple[FakeCluster, str]) -> None:
    server, said = front
    api = Api(Access(server.url))
    with pytest.raises(NotApiServer, match=f"in front of the API server answers.*{said}"):
        await api.get_json("/api/v1/pods")
    with pytest.raises(NotApiServer):
        async with api.open("/api/v1/pods", {"watch": "1"}):
            pass
    assert len(server.requests) == 2
    result = await Executor(api)("shop", "web", "", ["true"])
    assert not result.ran
    assert "in front of the API server" in result.error
    await api.aclose()


async def test_a_change_that_a_balancer_answers_may_have_taken_effect(
    front: tuple[FakeCluster, str],
) -> None:
    server, _ = front
    api = Api(Access(server.url))
    with pytest.raises((NotApiServer, OutcomeUnknown)) as caught:
        await Writer(api, Mode.WRITE, Purpose.ACTION).patch("/api/v1/nodes/a", {})
    gateway = "HTTP 50" in str(caught.value)
    assert isinstance(caught.value, OutcomeUnknown) is gateway
    await api.aclose()


async def test_the_live_state_and_the_hops_say_so(front: tuple[FakeCluster, str]) -> None:
    server, _ = front
    heartbeat = HeartbeatConfig(interval=0.1, lost_interval=0.1, limit=2.0)
    live = LiveCluster(Access(server.url), kinds=(BY_NAME["Pod"],), heartbeat=heartbeat)
    task = asyncio.create_task(live.run())
    try:
        await until(lambda: live.health.reach is Reach.UNREACHABLE and live.health.hops != ())
        assert "in front of the API server answers" in live.health.reason
        pods = live.freshness()["Pod"]
        assert pods.state not in (WatchState.FORBIDDEN, WatchState.ABSENT, WatchState.LIVE)
    finally:
        live.stop()
        await task
    failing = first_failure(await ladder(Access(server.url)))
    assert failing is not None
    assert failing.name == "http"


async def test_an_api_server_at_another_path_is_not_this_cluster() -> None:
    server = FakeCluster()

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=404, headers={"Audit-Id": "1"}, text="404 page not found")

    server.intermediary = answer
    url = await server.start()
    failing = first_failure(await ladder(Access(f"{url}/k8s/clusters/c-1")))
    assert failing is not None
    assert "does not know this cluster" in failing.sentence
    await server.stop()


async def test_a_real_refusal_stays_one(fake: FakeCluster, api: Api) -> None:
    fake.forbidden.add("/api/v1/pods")
    live = LiveCluster(api, kinds=(BY_NAME["Pod"],))
    task = asyncio.create_task(live.run())
    try:
        await until(lambda: live.freshness()["Pod"].state is WatchState.FORBIDDEN)
        assert live.health.reach in (Reach.UNKNOWN, Reach.REACHABLE)
    finally:
        live.stop()
        await task

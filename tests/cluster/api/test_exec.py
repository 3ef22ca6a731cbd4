"""Exec over WebSocket: results of commands and failures of the way are never mixed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from cluster.api.exec import Executor
from cluster.api.transport import Api, Limits
from cluster.connect.access import Access, User
from tests.cluster.fake import status

Talk = Callable[[web.WebSocketResponse], Awaitable[None]]
SUCCESS = {"metadata": {}, "status": "Success"}


def non_zero(code: str) -> dict[str, Any]:
    return status(0, "NonZeroExitCode", f"command terminated with exit code {code}") | {
        "details": {"causes": [{"reason": "ExitCode", "message": code}]}
    }


class Kubelet:
    """Answers exec upgrades by script."""

    def __init__(self) -> None:
        self.url = ""
        self.talk: Talk = quiet
        self.protocols: tuple[str, ...] = ("v5.channel.k8s.io",)
        self.errors: list[web.Response] = []
        self.requests: list[web.Request] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.errors:
            return self.errors.pop(0)
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        await self.talk(socket)
        await socket.close()
        return socket


async def quiet(_: web.WebSocketResponse) -> None:
    """Closes without a word."""


def saying(*frames: tuple[int, bytes], end: dict[str, Any] | None = None) -> Talk:
    async def talk(socket: web.WebSocketResponse) -> None:
        for channel, payload in frames:
            await socket.send_bytes(bytes([channel]) + payload)
        if end is not None:
            await socket.send_bytes(b"\x03" + json.dumps(end).encode())

    return talk


@pytest.fixture
async def kubelet() -> AsyncIterator[Kubelet]:
    found = Kubelet()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def execute(kubelet: Kubelet) -> AsyncIterator[Executor]:
    api = Api(Access(kubelet.url, user=User("me", token="t")), limits=Limits(1, 1, 1, 1))
    yield Executor(api, cap=1_000)
    await api.aclose()


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.channel.k8s.io"])
async def test_success(kubelet: Kubelet, execute: Executor, protocol: str) -> None:
    kubelet.protocols = (protocol,)
    kubelet.talk = saying(
        (1, b""),
        (2, b""),
        (1, "gr\xfc".encode()[:3]),
        (1, "gr\xfc".encode()[3:]),
        (2, b"warn\x1b[31m"),
        (255, b"\x01"),
        end=SUCCESS,
    )
    result = await execute("shop", "web-1", "app", ["sh", "-c", "echo 'a b'"], 5)
    assert (result.exit_code, result.stdout, result.stderr, result.error, result.truncated) == (
        0,
        "gr\xfc",
        "warn",
        "",
        False,
    )
    request = kubelet.requests[0]
    assert request.path == "/api/v1/namespaces/shop/pods/web-1/exec"
    assert request.query.getall("command") == ["sh", "-c", "echo 'a b'"]
    assert (
        request.query["container"],
        request.query["stdout"],
        request.headers["Authorization"],
    ) == ("app", "true", "Bearer t")


async def test_a_non_zero_exit_is_a_result(kubelet: Kubelet, execute: Executor) -> None:
    kubelet.talk = saying((2, b"refused"), end=non_zero("7"))
    result = await execute("shop", "web-1", "", ["nc"], 5)
    assert (result.exit_code, result.error, result.stderr, result.ran) == (7, "", "refused", True)


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (quiet, "ended before the exit status"),
        (saying((1, b"half")), "ended before the exit status"),
        (
            saying(
                end=status(500, "InternalError", 'exec: "nope": executable file not found in $PATH')
            ),
            "executable file not found",
        ),
        (saying(end=non_zero("many")), "did not run or its end is unknown"),
        (saying((3, b"not json")), "cannot be read"),
        (saying((3, b"[]")), "cannot be read"),
    ],
)
async def test_failures_of_the_way_are_no_results(
    kubelet: Kubelet, execute: Executor, talk: Talk, expected: str
) -> None:
    kubelet.talk = talk
    result = await execute("shop", "web-1", "", ["x"], 5)
    assert result.exit_code is None
    assert not result.ran
    assert expected in result.error


async def test_output_is_capped_and_says_so(kubelet: Kubelet, execute: Executor) -> None:
    kubelet.talk = saying((1, b"x" * 700), (1, b"y" * 700), end=SUCCESS)
    result = await execute("shop", "web-1", "", ["x"], 5)
    assert (len(result.stdout), result.truncated, result.exit_code) == (1_000, True, 0)


async def test_a_deadline_keeps_what_was_printed_and_is_no_result(
    kubelet: Kubelet, execute: Executor
) -> None:
    async def hang(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01some")
        await socket.receive()

    kubelet.talk = hang
    result = await execute("shop", "web-1", "", ["sleep"], 0.4)
    assert (result.stdout, result.exit_code) == ("some", None)
    assert "not finished within 0.4 s" in result.error


async def test_refused_upgrades_say_what_the_server_said(
    kubelet: Kubelet, execute: Executor
) -> None:
    kubelet.errors = [
        web.json_response(
            status(
                403, "Forbidden", 'pods "web-1" is forbidden: cannot create resource "pods/exec"'
            ),
            status=403,
        )
    ]
    result = await execute("shop", "web-1", "", ["x"], 5)
    assert result.exit_code is None
    assert "cannot create resource" in result.error
    assert len(kubelet.requests) == 1


async def test_a_failed_upgrade_is_tried_once_more(kubelet: Kubelet, execute: Executor) -> None:
    def broken() -> web.Response:
        return web.json_response(
            status(
                500,
                "InternalError",
                "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused",
            ),
            status=500,
        )

    kubelet.errors = [broken()]
    kubelet.talk = saying(end=SUCCESS)
    assert (await execute("shop", "web-1", "", ["x"], 5)).exit_code == 0
    kubelet.errors = [broken(), broken()]
    result = await execute("shop", "web-1", "", ["x"], 5)
    assert "error dialing backend" in result.error
    assert result.exit_code is None


async def test_an_unknown_protocol(kubelet: Kubelet, execute: Executor) -> None:
    kubelet.protocols = ()
    result = await execute("shop", "web-1", "", ["x"], 5)
    assert "speaks none of" in result.error


async def test_a_closed_port(unused_tcp_port: int) -> None:
    api = Api(Access(f"http://127.0.0.1:{unused_tcp_port}"), limits=Limits(1, 1, 1, 1))
    result = await Executor(api)("shop", "web-1", "", ["x"], 5)
    assert "refuses the connection" in result.error
    await api.aclose()


async def test_a_handshake_into_the_void() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except ConnectionResetError:
            pass  # the client gave up
        finally:
            writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    api = Api(Access(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    result = await Executor(api)("shop", "web-1", "", ["x"], 0.4)
    assert result.exit_code is None
    assert "not finished within" in result.error
    server.close()
    await server.wait_closed()
    await api.aclose()

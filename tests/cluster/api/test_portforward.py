"""Port-forward over WebSocket: an open port, a refused one, and failures of the way are three
different answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from cluster.api import port_forward as portforward
from cluster.api.port_forward import REQUEST, Forwarder
from cluster.api.transport import Api, Limits
from cluster.connect.access import Access, User
from tests.cluster.fake import status

PORT = b"\x90\x1f"
Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


@dataclass
class Kubelet:
    """Answers port-forward upgrades by script."""

    talk: Talk | None = None
    protocols: tuple[str, ...] = ("v4.channel.k8s.io",)
    error: web.Response | None = None
    requests: list[web.Request] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if self.error is not None:
            return self.error
        socket = web.WebSocketResponse(protocols=self.protocols)
        await socket.prepare(request)
        if self.talk is not None:
            self.sent.append(await socket.receive_bytes())
            await self.talk(socket)
        await socket.close()
        return socket


@pytest.fixture
async def kubelet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kubelet]:
    monkeypatch.setattr(portforward, "SILENCE", 0.3)
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
async def forward(kubelet: Kubelet) -> AsyncIterator[Forwarder]:
    api = Api(Access(kubelet.url, user=User("me", token="t")), limits=Limits(1, 1, 1, 1))
    yield Forwarder(api)
    await api.aclose()


def saying(*frames: bytes, wait: bool = False) -> Talk:
    async def talk(socket: web.WebSocketResponse) -> None:
        for frame in (b"\x00" + PORT, b"\x01" + PORT, *frames):
            await socket.send_bytes(frame)
        if wait:
            await socket.receive()

    return talk


async def test_an_open_port_and_what_it_said(kubelet: Kubelet, forward: Forwarder) -> None:
    kubelet.talk = saying(b"\x00HTTP/1.0 200 OK\r\n", b"\x00\x1b[31mred")
    found = await forward("shop", "web-1", 8080)
    assert (found.open, found.refused, found.error) == (True, "", "")
    assert found.heard.startswith("HTTP/1.0 200 OK")
    assert "\x1b" not in found.heard
    request = kubelet.requests[0]
    assert (request.path, request.query["ports"]) == (
        "/api/v1/namespaces/shop/pods/web-1/portforward",
        "8080",
    )
    assert request.headers["Authorization"] == "Bearer t"
    assert kubelet.sent == [b"\x00" + REQUEST]


async def test_an_open_port_that_says_nothing(kubelet: Kubelet, forward: Forwarder) -> None:
    kubelet.talk = saying(wait=True)
    found = await forward("shop", "web-1", 8080)
    assert (found.open, found.heard) == (True, "")


async def test_nothing_listens(kubelet: Kubelet, forward: Forwarder) -> None:
    kubelet.talk = saying(
        b"\x01error forwarding port 9: dial tcp4 127.0.0.1:9: connect: connection refused"
    )
    found = await forward("shop", "web-1", 9)
    assert found.open is False
    assert "connection refused" in found.refused


async def test_failures_of_the_way_are_not_known(kubelet: Kubelet, forward: Forwarder) -> None:
    found = await forward("shop", "web-1", 8080)
    assert found.open is None
    assert "connection ended at once" in found.error
    kubelet.protocols = ("other",)
    found = await forward("shop", "web-1", 8080)
    assert found.open is None
    kubelet.error = web.json_response(
        status(403, "Forbidden", "no port-forward tonight"), status=403
    )
    found = await forward("shop", "web-1", 8080)
    assert found.open is None
    assert "no port-forward tonight" in found.error


async def test_a_deadline(
    kubelet: Kubelet, forward: Forwarder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portforward, "SILENCE", 30)
    kubelet.talk = saying(wait=True)
    found = await forward("shop", "web-1", 8080, 0.3)
    assert found.open is None
    assert "not finished within 0.3 s" in found.error

"""The wire: TLS as it is in the field, errors as sentences, limits, counting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from cluster.api.exec import Executor
from cluster.api.transport import Api, Limits
from cluster.connect.access import Access, Trust, User
from cluster.errors import (
    CredentialError,
    Expired,
    Forbidden,
    KubeconfigError,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unreachable,
    from_response,
)
from cluster.health.ladder import ladder
from tests.cluster.certificates import Pair, make_pair
from tests.cluster.fake import FakeCluster, answering

QUICK = Limits(connect=0.5, read=0.5, write=0.5, pool=0.5)


@asynccontextmanager
async def tls_server(pair: Pair, client_ca: Pair | None = None) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert")
        return web.json_response(
            {"gitVersion": "v1", "peer": bool(peer)}, headers={"Audit-Id": "a-1"}
        )

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca.certificate)
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def ask(access: Access) -> dict[str, object]:
    api = Api(access, limits=QUICK)
    try:
        found = await api.get_json("/version")
        assert isinstance(found, dict)
        return found
    finally:
        await api.aclose()


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    server, client = make_pair(tmp_path), make_pair(tmp_path, "engineer", client=True)
    async with tls_server(server, client) as url:
        trust = Trust(server.certificate.read_bytes())
        files = User("me", certificate_file=client.certificate, key_file=client.key)
        data = User(
            "me", certificate_pem=client.certificate.read_bytes(), key_pem=client.key.read_bytes()
        )
        assert (await ask(Access(url, trust=trust, user=files)))["peer"] is True
        assert (await ask(Access(url, trust=trust, user=data)))["peer"] is True
        with pytest.raises(Unreachable):
            await ask(Access(url, trust=trust))


async def test_tls_trust(tmp_path: Path) -> None:
    server, other = make_pair(tmp_path), make_pair(tmp_path, "other")
    async with tls_server(server) as url:
        with pytest.raises(Unreachable, match=r"certificate .* is not accepted"):
            await ask(Access(url, trust=Trust(other.certificate.read_bytes())))
        with pytest.raises(Unreachable, match=r"certificate .* is not accepted"):
            await ask(Access(url))
        assert await ask(Access(url, trust=Trust(insecure=True)))
        named = Trust(server.certificate.read_bytes(), server_name="localhost")
        assert await ask(Access(url, trust=named))
        with pytest.raises(Unreachable, match=r"certificate .* is not accepted"):
            await ask(
                Access(
                    url, trust=Trust(server.certificate.read_bytes(), server_name="api.internal")
                )
            )


async def test_broken_certificates_are_sentences(tmp_path: Path) -> None:
    one, two = make_pair(tmp_path, "one"), make_pair(tmp_path, "two")
    url = "https://127.0.0.1:1"
    with pytest.raises(KubeconfigError, match="holds no certificate"):
        await ask(Access(url, trust=Trust(b"nonsense")))
    mixed = User("me", certificate_pem=one.certificate.read_bytes(), key_pem=two.key.read_bytes())
    with pytest.raises(CredentialError, match="cannot be used"):
        await ask(Access(url, user=mixed))
    with pytest.raises(CredentialError, match="without a key"):
        await ask(Access(url, user=User("me", certificate_pem=one.certificate.read_bytes())))
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        await ask(
            Access(url, user=User("me", certificate_file=tmp_path / "gone", key_file=one.key))
        )


async def test_the_ladder_shows_the_certificate_that_is_not_accepted(tmp_path: Path) -> None:
    server, other = make_pair(tmp_path), make_pair(tmp_path, "other")
    async with tls_server(server) as url:
        good = {
            hop.name: hop
            for hop in await ladder(
                Access(url, trust=Trust(server.certificate.read_bytes())), limit=5
            )
        }
        assert [good[name].ok for name in ("dns", "tcp", "tls", "http")] == [True] * 4
        assert "issuer O=stanch test, CN=localhost" in good["tls"].sentence
        assert "valid until" in good["tls"].sentence
        bad = {
            hop.name: hop
            for hop in await ladder(
                Access(url, trust=Trust(other.certificate.read_bytes())), limit=5
            )
        }
        assert bad["tls"].ok is False
        assert "CN=localhost" in bad["tls"].sentence
        assert bad["http"].ok is None
        later = datetime.now(UTC) + timedelta(days=60)
        insecure = {
            hop.name: hop
            for hop in await ladder(
                Access(url, trust=Trust(insecure=True)), limit=5, clock=lambda: later
            )
        }
        assert "expired on" in insecure["tls"].sentence
        assert "not checked" in insecure["tls"].sentence


async def test_frozen_refused_and_unknown_hosts(fake: FakeCluster) -> None:
    fake.frozen.clear()
    with pytest.raises(Unreachable, match=r"does not answer; it is overloaded or frozen|within"):
        await ask(Access(fake.url))
    fake.frozen.set()
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    with pytest.raises(Unreachable, match="refuses the connection"):
        await ask(Access(f"http://127.0.0.1:{port}"))
    with pytest.raises(Unreachable, match="cannot be resolved"):
        await ask(Access("https://api.cluster.invalid:6443"))


async def test_no_name_server_is_asked_for_an_address(
    fake: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never)
    hops = {hop.name: hop for hop in await ladder(Access(fake.url))}
    assert (hops["dns"].ok, hops["dns"].sentence) == (True, "127.0.0.1 is an address.")
    hops = {hop.name: hop for hop in await ladder(Access("http://api.invalid:6443"))}
    assert (hops["dns"].ok, hops["tcp"].ok) == (False, None)


async def test_a_trickle_does_not_outlast_the_limit_of_the_whole_call(
    fake: FakeCluster, api: Api
) -> None:
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    fake.answers.append(trickle)
    with pytest.raises(Unreachable, match="no complete answer"):
        await api.get_json("/api/v1/pods", timeout=0.3)


async def test_errors_carry_what_the_server_said(fake: FakeCluster, api: Api) -> None:
    fake.answers.append(
        answering(
            403, "Forbidden", "pods is forbidden: \x1b]52;c;aGk=\x07nope", {"Audit-Id": "audit-7"}
        )
    )
    with pytest.raises(Forbidden) as caught:
        await api.get_json("/api/v1/pods", what="list pods")
    assert str(caught.value).startswith(
        "list pods: HTTP 403 Forbidden, pods is forbidden: nope; ask for the permission"
    )
    assert (caught.value.status, caught.value.reason, caught.value.audit_id) == (
        403,
        "Forbidden",
        "audit-7",
    )


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (410, Expired),
        (429, TooManyRequests),
        (503, ServerError),
    ],
)
def test_every_status_has_its_error(code: int, kind: type[Exception]) -> None:
    assert isinstance(from_response(code, {}, b"<html>gateway</html>", "x"), kind)


def test_retry_after_as_number_date_or_detail() -> None:
    now = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
    assert from_response(429, {"retry-after": "7"}, b"", "x").retry_after == 7
    assert (
        from_response(
            429, {"retry-after": "Sat, 21 Nov 2026 03:00:09 GMT"}, b"", "x", now
        ).retry_after
        == 9
    )
    assert from_response(429, {"retry-after": "soon"}, b"", "x").retry_after is None
    assert (
        from_response(
            429, {}, b'{"kind":"Status","details":{"retryAfterSeconds":3}}', "x"
        ).retry_after
        == 3
    )


async def test_budget_and_clock(fake: FakeCluster, api: Api) -> None:
    await fake.put("a")
    for _ in range(3):
        await api.get_json("/api/v1/pods")
    budget = api.budget()
    assert (budget.last_minute, budget.total) == (3, 3)
    assert api.clock_offset is not None
    assert abs(api.clock_offset) < timedelta(seconds=5)
    assert fake.requests[-1].headers["User-Agent"].startswith("stanch/")


async def test_the_time_is_the_servers_where_the_clocks_differ(fake: FakeCluster, api: Api) -> None:
    await api.get_json("/api/v1/pods")
    assert api.clock_skew is None, "a second is the grain of the header, not an offset"
    api.clock_offset = timedelta(hours=-1)
    assert api.clock_skew == timedelta(hours=-1)
    before = datetime.now(UTC) - timedelta(hours=1)
    assert timedelta() <= api.server_now() - before < timedelta(minutes=1)


async def test_caps(fake: FakeCluster, api: Api) -> None:
    await fake.put("a", message="x" * 10_000)
    with pytest.raises(ServerError, match="larger than 1,000 bytes"):
        await api.get_json("/api/v1/pods", cap=1_000)
    text, cut = await api.get_text("/api/v1/pods", cap=1_000)
    assert (len(text), cut) == (1_000, True)


async def test_text_and_json_are_cleaned_at_the_door(fake: FakeCluster, api: Api) -> None:
    await fake.put("a", message="red \x1b[31m\u202e text")
    found = await api.get_json("/api/v1/pods")
    assert found["items"][0]["status"]["message"] == "red  text"

    async def raw(_: web.Request) -> web.Response:
        return web.Response(body=b"a\x1b[2Jb\xff")

    fake.answers.append(raw)
    assert (await api.get_text("/metrics"))[0] == "ab\ufffd"


async def test_lines_are_split_at_newlines_only_and_across_chunks(
    fake: FakeCluster, api: Api
) -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in ("on", "e\ntwo\u0085still two\u2028and\n", "thr", "ee\nhalf"):
            await response.write(part.encode())
            await asyncio.sleep(0.01)
        return response

    fake.answers.append(stream)
    async with api.open("/x") as response:
        lines = [line.decode() async for group in response.lines() for line in group]
    assert lines == ["one", "two\u0085still two\u2028and", "three"]


class SocksProxy:
    """A SOCKS5 proxy (RFC 1928, RFC 1929) that leads to one port of loopback and notes the names
    that it is asked for."""

    def __init__(self, port: int, password: str = "") -> None:
        self._port, self._password = port, password
        self.names: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> SocksProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if self._password else 0
        writer.write(bytes([5, wanted if wanted in methods else 0xFF]))
        if wanted:
            _, length = await reader.readexactly(2)
            await reader.readexactly(length)
            given = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(bytes([1, given.decode() != self._password]))
        await reader.readexactly(4)
        self.names.append((await reader.readexactly((await reader.readexactly(1))[0])).decode())
        await reader.readexactly(2)
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(b"\x05\0\0\x01\0\0\0\0\0\0")
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.mark.parametrize(("scheme", "password"), [("socks5", ""), ("socks5h", ""), ("socks5", "p")])
async def test_a_socks_proxy_resolves_the_name(
    fake: FakeCluster, scheme: str, password: str
) -> None:
    await fake.put("a")
    name = "api.behind-the-bastion.internal"
    async with SocksProxy(fake.port, password) as proxy:
        login = f"u:{password}@" if password else ""
        url = f"{scheme}://{login}127.0.0.1:{proxy.port}"
        api = Api(Access(f"http://{name}:6443", proxy=url))
        assert len((await api.get_json("/api/v1/pods"))["items"]) == 1
        hops = {hop.name: hop for hop in await ladder(api.access)}
        assert hops["http"].ok
        assert hops["proxy"].target == f"{scheme}://127.0.0.1:{proxy.port}"
        result = await Executor(api)("shop", "web", "", ["true"])
        assert "do not work through the SOCKS proxy" in result.error
        await api.aclose()
    assert set(proxy.names) == {name}


async def test_a_socks_proxy_that_is_away_is_named(fake: FakeCluster) -> None:
    api = Api(Access(fake.url, proxy="socks5://u:secret@127.0.0.1:1"))
    with pytest.raises(Unreachable, match=r"through socks5://127.0.0.1:1 refuses") as caught:
        await api.get_json("/api/v1/pods")
    assert "secret" not in str(caught.value)
    await api.aclose()

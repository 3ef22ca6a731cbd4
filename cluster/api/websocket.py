"""WebSockets to the subresources of pods, with the channel protocols of Kubernetes: the first byte
of each message is the channel. The one module that imports aiohttp's client; imported when the
first WebSocket is opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp

from cluster.api.error_messages import describe_failure
from cluster.api.intermediaries import describe_intermediary, not_api_server
from cluster.api.transport import Api, check_path
from cluster.connect.access import Access
from cluster.connect.credentials import Credential
from cluster.connect.tls import client_context
from cluster.errors import KubeconfigError, NotApiServer, ServerError, Unreachable, from_response
from cluster.kube.text import clean_line
from cluster.version import VERSION

HANDSHAKE_LIMIT = 10.0
PING = 5.0
"""Seconds between pings, as in client-go. A connection without the pong is closed."""


class Channels:
    """An open WebSocket. `protocol` is the server's choice, "" for none."""

    def __init__(
        self, socket: aiohttp.ClientWebSocketResponse[Any], what: str, server: str
    ) -> None:
        self._socket, self._what, self._server = socket, what, server
        self.protocol = socket.protocol or ""

    async def send(self, channel: int, data: bytes) -> None:
        """Raises `Unreachable`."""
        try:
            await self._socket.send_bytes(bytes([channel]) + data)
        except (aiohttp.ClientError, OSError) as error:
            raise self._broken(error) from error

    async def receive(self, limit: float | None = None) -> tuple[int, bytes] | None:
        """The next message as (channel, data), None at the end. Raises `Unreachable`, and
        TimeoutError after `limit` seconds."""
        while True:
            try:
                message = await self._socket.receive(limit)
            except TimeoutError:
                raise
            except (aiohttp.ClientError, OSError) as error:
                raise self._broken(error) from error
            if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                return None
            data = message.data.encode() if isinstance(message.data, str) else message.data
            if data:
                return data[0], data[1:]

    def _broken(self, error: Exception) -> Unreachable:
        return Unreachable(f"{self._what}: {describe_failure(error, self._server)}")


@contextlib.asynccontextmanager
async def open_channels(
    api: Api,
    credential: Credential,
    path: str,
    query: Sequence[tuple[str, str]],
    protocols: Sequence[str],
    what: str,
) -> AsyncIterator[Channels]:
    """A WebSocket to a subresource of a pod. Raises `ClusterError`: the server's answer, or why
    there is none."""
    check_path(path, what)
    access = api.access

    async def judge(response: aiohttp.ClientResponse) -> None:
        if response.status != 101:
            body, headers = await response.content.read(65_536), response.headers
            if not_api_server(response.status, headers, body):
                said = describe_intermediary(response.status, headers, body)
                raise NotApiServer(f"{what}: {said}")
            raise from_response(max(response.status, 400), headers, body, what)

    async def refuse_redirect(
        _session: aiohttp.ClientSession,
        _context: object,
        params: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        said = describe_intermediary(params.response.status, params.response.headers, b"")
        raise NotApiServer(f"{what}: {said}")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse_redirect)  # aiohttp has no setting for this
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=api.limits.connect)
    async with aiohttp.ClientSession(
        timeout=timeout,
        raise_for_status=judge,
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    ) as session:
        try:
            async with asyncio.timeout(HANDSHAKE_LIMIT):
                socket = await session.ws_connect(
                    access.server + path,
                    params=query,
                    protocols=protocols,
                    heartbeat=PING,
                    max_msg_size=16 << 20,
                    headers=[*credential.headers, ("User-Agent", f"stanch/{VERSION}")],
                    **_connection_settings(access, credential),
                )
        except TimeoutError:
            raise ServerError(
                f"{what}: no answer to the upgrade within {HANDSHAKE_LIMIT:g} s; the connection "
                "to the node may hang."
            ) from None
        except aiohttp.WSServerHandshakeError as error:
            raise ServerError(
                f"{what}: the answer is no WebSocket ({clean_line(error.message, 200)}); a proxy "
                "may stand between."
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServerError(f"{what}: {describe_failure(error, access.server)}") from error
        try:
            yield Channels(socket, what, access.server)
        finally:
            # a frozen server sends no closing frame; the session closes the transport
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close()


def _connection_settings(access: Access, credential: Credential) -> dict[str, Any]:
    """TLS and proxy of one connection, as aiohttp names them. Raises `KubeconfigError`."""
    if access.proxy.startswith("socks"):
        raise KubeconfigError(
            f"exec and port-forward do not work through the SOCKS proxy {access.proxy_name}; "
            "use an HTTP proxy."
        )
    settings: dict[str, Any] = {}
    if access.server.startswith("https"):
        settings["ssl"] = client_context(
            access.trust, credential.certificate_pem, credential.key_pem, access.user.name
        )
        if access.trust.server_name:
            settings["server_hostname"] = access.trust.server_name
    if access.proxy:
        settings["proxy"] = access.proxy
    return settings

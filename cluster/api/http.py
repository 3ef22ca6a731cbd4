"""HTTP connections to an API server: the one module that imports httpcore.

Callers see `HttpClient`, `HttpResponse` and `RequestFailure`, and no exception of httpcore.
Imported with the first request.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, unquote, urlencode, urlsplit

import httpcore

from cluster.api.error_messages import Fault, RequestFailure
from cluster.version import VERSION

_FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    zlib.error,
    OSError,
    ValueError,
)
"""ValueError: a host or a name for TLS that no DNS can have."""
_NOT_SENT = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    ValueError,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PATH = "/%:@!$&'()*+,;="
"""What stays in a path besides letters and digits (RFC 3986, 3.3); `%` because the address of a
server may be encoded already."""
_ZLIB_OR_GZIP = 47
"""The largest window, and either header (zlib's inflateInit2)."""


class HttpResponse:
    """The head of an answer; `headers` have lower-case names."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response
        self.status = response.status
        headers: dict[str, str] = {}
        for name, value in response.headers:
            key, text = name.decode("ascii").lower(), value.decode("latin-1")
            headers[key] = f"{headers[key]}, {text}" if key in headers else text
        self.headers: Mapping[str, str] = headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded from its transfer and content encoding. Raises `RequestFailure` when it
        breaks off."""
        packed = self.headers.get("content-encoding", "").lower() in ("gzip", "deflate")
        unpack = zlib.decompressobj(_ZLIB_OR_GZIP).decompress if packed else None
        try:
            async for chunk in cast("AsyncIterable[bytes]", self._response.stream):
                yield chunk if unpack is None else unpack(chunk)
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


class HttpClient:
    """A pool of connections with one client certificate, through `proxy` (http, https, socks5) if
    there is one. Follows no redirect, reads no proxy from the environment, keeps no cookie."""

    def __init__(self, context: ssl.SSLContext | None, proxy: str, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            proxy=_proxy(proxy) if proxy else None,
            max_connections=connections,
            max_keepalive_connections=16,
            keepalive_expiry=30,
        )

    async def send(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Sequence[tuple[str, str]],
        content: bytes | None,
        timeout: Mapping[str, float],
        server_name: str = "",
    ) -> HttpResponse:
        """Send a request and read the head of its answer; `server_name` is the name in the server's
        certificate where that is not the host of `url`; `timeout` has seconds under connect, read,
        write and pool. Raises `RequestFailure`."""
        try:
            address, host = _address(url, params)
            head = [("Host", host), ("User-Agent", f"stanch/{VERSION}"), *headers]
            if content is not None:
                head.append(("Content-Length", str(len(content))))
            extensions: dict[str, Any] = {"timeout": timeout}
            if server_name:
                extensions["sni_hostname"] = server_name
            request = httpcore.Request(
                method, address, headers=head, content=content, extensions=extensions
            )
            return HttpResponse(await self._pool.handle_async_request(request))
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        await self._pool.aclose()


def _address(url: str, params: Mapping[str, Any] | None) -> tuple[httpcore.URL, str]:
    """The parts of an address as they are sent, and its Host header. Raises ValueError."""
    parts = urlsplit(url)
    host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
    target = quote(parts.path or "/", safe=_PATH)
    if params:
        target += f"?{urlencode(params, doseq=True)}"
    name = f"[{host}]" if ":" in host else host
    if port not in (None, _DEFAULT_PORTS.get(parts.scheme)):
        name += f":{port}"
    return httpcore.URL(scheme=parts.scheme, host=host, port=port, target=target), name


def _proxy(address: str) -> httpcore.Proxy:
    parts = urlsplit(address)
    login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    url, _ = _address(address, None)
    return httpcore.Proxy(url, auth=login and (login[0].encode(), login[1].encode()))


def _failure(error: Exception) -> RequestFailure:
    fault = Fault.OTHER
    if isinstance(error, httpcore.ConnectTimeout):
        fault = Fault.CONNECT_TIMEOUT
    elif isinstance(error, httpcore.ReadTimeout):
        fault = Fault.SILENT
    elif isinstance(error, httpcore.PoolTimeout):
        fault = Fault.NO_FREE_CONNECTION
    elif isinstance(error, (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)):
        fault = Fault.BROKEN_OFF
    return RequestFailure(fault, sent=not isinstance(error, _NOT_SENT))

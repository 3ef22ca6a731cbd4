"""HTTP connections to an API server: the one module that imports httpcore.

Callers see `HttpClient`, `HttpResponse` and `RequestFailure`, and no exception of httpcore.
Imported with the first request, because httpcore costs 0.07 s of CPU.
"""

from __future__ import annotations

import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Mapping, Sequence
from typing import Any, cast
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

import httpcore

from cluster.api.error_messages import Fault, RequestFailure
from cluster.version import VERSION

_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
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
_IN_PATH = "%/:@!$&'()*+,;=~"
"""Characters of a path that are sent as they are (RFC 3986, section 3.3)."""
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
"""`zlib.decompressobj`: read the kind from the head of the data."""
_KEPT_CONNECTIONS, _KEPT_SECONDS = 16, 30


class Headers(Mapping[str, str]):
    """The headers of an answer; names in any case. The values of one name are joined (RFC 9110,
    section 5.3)."""

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for raw_name, raw_value in raw:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
            before = self._values.get(name)
            self._values[name] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class HttpResponse:
    """The head of an answer."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = Headers(response.headers)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded from its transfer and content encoding. Raises `RequestFailure` when it
        breaks off."""
        encoding = self.headers.get("content-encoding", "").lower()
        packed = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding in ("gzip", "deflate") else None
        try:
            async for chunk in cast("AsyncIterable[bytes]", self._response.stream):
                data = chunk if packed is None else packed.decompress(chunk)
                if data:
                    yield data
            if packed is not None and (rest := packed.flush()):
                yield rest
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


class HttpClient:
    """A pool of connections with one client certificate, through `proxy` (http, https, socks5) if
    there is one. Follows no redirect, reads no proxy from the environment."""

    def __init__(self, context: ssl.SSLContext | None, proxy: str, connections: int) -> None:
        settings: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": connections,
            "max_keepalive_connections": _KEPT_CONNECTIONS,
            "keepalive_expiry": _KEPT_SECONDS,
        }
        parts = urlsplit(proxy)
        if not proxy:
            self._pool = httpcore.AsyncConnectionPool(**settings)
            return
        login = None
        if parts.username is not None:
            login = unquote(parts.username).encode(), unquote(parts.password or "").encode()
        settings |= {"proxy_url": _address(parts, ""), "proxy_auth": login}
        through_socks = parts.scheme.startswith("socks")
        kind = httpcore.AsyncSOCKSProxy if through_socks else httpcore.AsyncHTTPProxy
        self._pool = kind(**settings)

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
            parts = urlsplit(url)
            address = _address(parts, urlencode(params, doseq=True) if params else parts.query)
            sent = [("Host", _host_header(address)), ("User-Agent", f"stanch/{VERSION}"), *headers]
            if content is not None:
                sent.append(("Content-Length", str(len(content))))
            extensions: dict[str, Any] = {"timeout": dict(timeout)}
            if server_name:
                extensions["sni_hostname"] = server_name
            request = httpcore.Request(
                method,
                address,
                headers=[(name.encode("ascii"), value.encode("ascii")) for name, value in sent],
                content=content,
                extensions=extensions,
            )
            return HttpResponse(await self._pool.handle_async_request(request))
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        await self._pool.aclose()


def _address(parts: SplitResult, query: str) -> httpcore.URL:
    """Raises ValueError for a host that is no valid DNS name."""
    host = parts.hostname or ""
    return httpcore.URL(
        scheme=parts.scheme.encode(),
        host=host.encode("ascii" if host.isascii() else "idna"),
        port=parts.port,
        target=f"{quote(parts.path or '/', safe=_IN_PATH)}{'?' if query else ''}{query}".encode(),
    )


def _host_header(address: httpcore.URL) -> str:
    host = address.host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    return host if address.port is None else f"{host}:{address.port}"


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

"""HTTP connections to an API server: the one module that imports httpx.

Callers see `HttpClient`, `HttpResponse` and `RequestFailure`, and no exception of httpx. Imported
with the first request, because httpx costs 0.1 s of CPU.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from cluster.api.error_messages import Fault, RequestFailure
from cluster.version import VERSION

_FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError)
"""ValueError: a host or a name for TLS that no DNS can have."""
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
    ValueError,
)


class HttpResponse:
    """The head of an answer; `headers` ignore the case of names."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded from its transfer and content encoding. Raises `RequestFailure` when it
        breaks off."""
        encoded = "content-encoding" in self.headers
        try:
            async for chunk in (
                self._response.aiter_bytes() if encoded else self._response.aiter_raw()
            ):
                yield chunk
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        await self._response.aclose()


class HttpClient:
    """A pool of connections with one client certificate, through `proxy` (http, https, socks5) if
    there is one. Follows no redirect, reads no proxy from the environment."""

    def __init__(self, context: ssl.SSLContext | bool, proxy: str, connections: int) -> None:
        self._client = httpx.AsyncClient(
            verify=context,
            proxy=proxy or None,
            trust_env=False,
            http1=True,
            http2=False,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=16, keepalive_expiry=30
            ),
            headers={"User-Agent": f"stanch/{VERSION}"},
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
            _ = urlsplit(url).port  # raises ValueError where it is none; httpx would dial it
            request = self._client.build_request(
                method,
                url,
                params=dict(params) if params else None,
                content=content,
                headers=[*headers],
                timeout=httpx.Timeout(**timeout),
                extensions={"sni_hostname": server_name} if server_name else None,
            )
            return HttpResponse(await self._client.send(request, stream=True))
        except _FAILURES as error:
            raise _failure(error) from error

    async def aclose(self) -> None:
        await self._client.aclose()


def _failure(error: Exception) -> RequestFailure:
    fault = Fault.OTHER
    if isinstance(error, httpx.ConnectTimeout):
        fault = Fault.CONNECT_TIMEOUT
    elif isinstance(error, httpx.ReadTimeout):
        fault = Fault.SILENT
    elif isinstance(error, httpx.PoolTimeout):
        fault = Fault.NO_FREE_CONNECTION
    elif isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
        fault = Fault.BROKEN_OFF
    return RequestFailure(fault, sent=not isinstance(error, _NOT_SENT))

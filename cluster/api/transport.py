"""The wire: HTTP/1.1 GET requests to one API server, each with its own time limits, counted,
bounded and with errors as sentences.

`Api` can only read. What changes anything is in `cluster.api.write`, which alone uses `send`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.api.error_messages import RequestFailure, describe_failure
from cluster.connect.access import Access
from cluster.connect.credentials import Credential, Credentials
from cluster.connect.tls import client_context
from cluster.errors import KubeconfigError, ServerError, Unauthorized, Unreachable, from_response
from cluster.kube.text import clean, clean_line, clean_tree, is_clean

if TYPE_CHECKING:
    from cluster.api.http import HttpClient, HttpResponse

JSON = "application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Metadata only, with nothing else accepted: a server that cannot answers 406 and sends no
values."""
Params = Mapping[str, str | int | list[str]]

BODY_LIMIT = 64 << 20
"""Bytes of an answer that is read as a whole; lists of unknown size are streamed or paged."""
CLOCK_TOLERANCE = timedelta(seconds=5)
"""The server's time is used from this offset on."""
PIECE = 1 << 16
"""Characters of a text that are looked at before others get a turn."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds for the parts of one request: connecting (TCP and TLS), silence while reading,
    writing, waiting for a free connection."""

    connect: float = 4.0
    read: float = 15.0
    write: float = 5.0
    pool: float = 10.0

    def timeout(self, read: float | None = None) -> dict[str, float]:
        """The limits of one request; `read` is its longest silence in seconds."""
        # Shorter than the bound around the whole call: httpcore leaves the socket of a TLS
        # handshake open when it is cancelled from outside, and closes it when its own limit has
        # passed.
        connect = self.connect if read is None else min(self.connect, read * 0.9)
        read = self.read if read is None else read
        return {"connect": connect, "read": read, "write": self.write, "pool": self.pool}


class Budget(msgspec.Struct, frozen=True):
    """What this program has asked of the server: requests in the last minute, requests and bytes
    since the start."""

    last_minute: int
    total: int
    received_bytes: int
    in_flight: int


class Response:
    """An answer whose body is still to be read."""

    def __init__(self, api: Api, response: HttpResponse, what: str) -> None:
        self._api, self._response, self._what = api, response, what
        self.headers: Mapping[str, str] = response.headers

    @property
    def audit_id(self) -> str:
        return clean_line(self.headers.get("audit-id", ""), 80)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body, decoded from its transfer and content encoding. Raises `Unreachable` when it
        breaks off."""
        try:
            async for chunk in self._response.chunks():
                self._api.count_bytes(len(chunk))
                yield chunk
        except RequestFailure as error:
            raise self._api.unreachable(self._what, error) from error

    async def lines(self) -> AsyncGenerator[list[bytes], None]:
        """Complete lines, in the groups in which they arrive.

        Split on `\\n` alone: Go does not escape U+0085 and its like, which `str.splitlines` would
        split at. A last line without its end is dropped: it is a half one.
        """
        parts: list[bytes] = []
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                lines = chunk.split(b"\n")
                parts.append(lines[0])
                if len(lines) == 1:
                    continue
                lines[0] = b"".join(parts)
                parts = [lines.pop()]
                yield lines

    async def read(self, cap: int = BODY_LIMIT) -> tuple[bytes, bool]:
        """(body of at most `cap` bytes, whether more was there)."""
        kept = bytearray()
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) > cap:
                    return bytes(kept[:cap]), True
        return bytes(kept), False


class Api:
    """One API server, for reading.

    `concurrency` bounds requests that wait for an answer; open watches do not count. `clock_offset`
    is the server's clock minus ours (seconds, None until the server said), from the Date header,
    true to about a second.
    """

    def __init__(
        self,
        access: Access,
        *,
        limits: Limits | None = None,
        concurrency: int = 12,
        connections: int = 100,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.access = access
        self.limits = limits or Limits()
        self.credentials = credentials or Credentials(access, clock)
        self.clock_offset: timedelta | None = None
        self._clock = clock
        self._connections = connections
        self._slots = asyncio.Semaphore(concurrency)
        self._clients: dict[int, HttpClient] = {}
        self._recent: deque[float] = deque(maxlen=20_000)
        self._total = 0
        self._received = 0
        self.last_received = -1e9
        """Monotonic seconds at which the last part of a body came in."""
        self._in_flight = 0

    # -- reading

    async def get_bytes(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
        cap: int = BODY_LIMIT,
        what: str = "",
    ) -> bytes:
        """The body of a GET. `timeout` bounds the whole call in seconds. Raises `ApiError`,
        `Unreachable`, `CredentialError`."""
        what = what or f"GET {path}"
        limit = timeout or self.limits.connect + self.limits.read * 4
        try:
            async with (
                asyncio.timeout(limit),
                self.open(path, params, accept=accept, what=what, read=timeout) as response,
            ):
                body, more = await response.read(cap)
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: no complete answer from {self.access.server} within {limit:g} s; it is "
                "slow or frozen."
            ) from error
        if more:
            raise ServerError(
                f"{what}: the answer is larger than {cap:,} bytes; ask for less.", status=200
            )
        return body

    async def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
        what: str = "",
    ) -> Any:
        """The decoded JSON of a GET, every string in it cleaned."""
        body = await self.get_bytes(path, params, timeout=timeout, accept=accept, what=what)
        try:
            return clean_tree(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServerError(
                f"{what or path}: the answer is not JSON; something in front of the API server "
                "answers.",
                status=200,
            ) from error

    async def get_text(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        cap: int = 1 << 20,
        what: str = "",
        last: bool = False,
    ) -> tuple[str, bool]:
        """(cleaned text of at most `cap` bytes, whether it was cut).

        `last`: the connection is closed after it, so that a balancer may choose another
        backend for the next request.
        """
        what = what or f"GET {path}"
        limit = timeout or self.limits.connect + self.limits.read * 4
        try:
            async with (
                asyncio.timeout(limit),
                self.open(
                    path, params, accept="*/*", what=what, read=timeout, last=last
                ) as response,
            ):
                body, more = await response.read(cap)
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: no complete answer from {self.access.server} within {limit:g} s; it is "
                "slow or frozen."
            ) from error
        return await _cleaned(body.decode("utf-8", "replace"), cap), more

    async def stream_lines(
        self,
        path: str,
        params: Params | None = None,
        *,
        accept: str = JSON,
        read: float | None = None,
        what: str = "",
    ) -> AsyncGenerator[list[bytes], None]:
        """Complete lines, in the groups in which they arrive; `read` is the longest silence in
        seconds."""
        async with (
            self.open(path, params, accept=accept, read=read, what=what) as response,
            contextlib.aclosing(response.lines()) as groups,
        ):
            async for lines in groups:
                yield lines

    @contextlib.asynccontextmanager
    async def open(
        self,
        path: str,
        params: Params | None = None,
        *,
        accept: str = JSON,
        read: float | None = None,
        what: str = "",
        compress: bool = False,
        last: bool = False,
    ) -> AsyncIterator[Response]:
        """A GET whose body is read by the caller; `last`: the connection is closed after it. Raises
        `ApiError` for 400 and above."""
        headers = {"Accept": accept, "Accept-Encoding": "gzip" if compress else "identity"}
        if last:
            headers["Connection"] = "close"
        async with self._exchange(
            "GET", path, params, headers, None, read, what or f"GET {path}"
        ) as response:
            yield Response(self, response, what or f"GET {path}")

    async def ping(
        self, path: str, params: Params, limit: float
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers with lower-case names, up to 64 KiB of body) of a GET within `limit`
        seconds, whatever the status.

        Uses the credential that is loaded, none when none is: whether a server can be reached does
        not wait for a login. Raises `Unreachable`.
        """
        what = f"GET {path}"
        credential = self.credentials.loaded()
        try:
            async with asyncio.timeout(limit):
                response = await self._request(
                    credential, "GET", path, params, {"Accept": "*/*"}, None, limit, what
                )
                try:
                    body = await self._error_body(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: {self.access.server} does not answer within {limit:g} s; it is "
                "overloaded or frozen."
            ) from error
        self._note_date(response)
        return (
            response.status,
            {name.lower(): value for name, value in response.headers.items()},
            body,
        )

    async def drop_connections(self) -> None:
        """Close all connections: the next request opens a fresh one. Not for an `Api` with open
        watches."""
        await self.aclose()

    # -- state

    def budget(self) -> Budget:
        edge = time.monotonic() - 60
        while self._recent and self._recent[0] < edge:
            self._recent.popleft()
        return Budget(len(self._recent), self._total, self._received, self._in_flight)

    def count_bytes(self, number: int) -> None:
        self._received += number
        self.last_received = time.monotonic()

    def unreachable(self, what: str, error: BaseException) -> Unreachable:
        sent = error.sent if isinstance(error, RequestFailure) else True
        return Unreachable(f"{what}: {describe_failure(error, self.access.server)}", sent=sent)

    def server_now(self) -> datetime:
        """The time by the server's clock (UTC), as far as it is known: the times of all objects are
        of that clock."""
        return self._clock() + (self.clock_skew or timedelta())

    @property
    def clock_skew(self) -> timedelta | None:
        """The offset of the server's clock when it is larger than `CLOCK_TOLERANCE`, else None:
        the Date header gives whole seconds, and the answer takes its way."""
        offset = self.clock_offset
        return offset if offset is not None and abs(offset) > CLOCK_TOLERANCE else None

    async def aclose(self) -> None:
        for client in list(self._clients.values()):
            await client.aclose()
        self._clients.clear()

    # -- inside

    @contextlib.asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str],
        content: bytes | None,
        read: float | None,
        what: str,
    ) -> AsyncIterator[HttpResponse]:
        response = await self._answer(method, path, params, headers, content, read, what)
        try:
            yield response
        finally:
            # The server may hang: closing must not wait for it.
            await response.aclose()

    async def _answer(
        self,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str],
        content: bytes | None,
        read: float | None,
        what: str,
    ) -> HttpResponse:
        for attempt in (1, 2):
            credential = await self.credentials.current()
            response = await self._request(
                credential, method, path, params, headers, content, read, what
            )
            self._note_date(response)
            if response.status < 400:
                return response
            try:
                error = from_response(
                    response.status,
                    response.headers,
                    await self._error_body(response),
                    what,
                    self._clock(),
                )
            finally:
                await response.aclose()
            if not isinstance(error, Unauthorized):
                raise error
            if attempt == 1 and await self.credentials.renew(credential):
                continue
            why = self.credentials.explanation()
            if why:
                error.args = (f"{error}: {why}",)
            raise error
        raise AssertionError("unreachable")

    async def _request(
        self,
        credential: Credential,
        method: str,
        path: str,
        params: Params | None,
        headers: Mapping[str, str],
        content: bytes | None,
        read: float | None,
        what: str,
    ) -> HttpResponse:
        client = self._client(credential)
        async with self._slots:
            self._total += 1
            self._recent.append(time.monotonic())
            self._in_flight += 1
            try:
                return await client.send(
                    method,
                    self.access.server + path,
                    params,
                    [*credential.headers, *headers.items()],
                    content,
                    self.limits.timeout(read),
                    self.access.trust.server_name,
                )
            except RequestFailure as error:
                raise self.unreachable(what, error) from error
            finally:
                self._in_flight -= 1

    async def _error_body(self, response: HttpResponse) -> bytes:
        kept = bytearray()
        try:
            async with asyncio.timeout(self.limits.read):
                async for chunk in response.chunks():
                    kept += chunk
                    if len(kept) > 65_536:
                        break
        except (RequestFailure, TimeoutError):
            pass  # the status code alone is an answer
        return bytes(kept)

    def _client(self, credential: Credential) -> HttpClient:
        """One connection pool for each client certificate; with a new one, running streams keep
        theirs."""
        client = self._clients.get(credential.identity)
        if client is None:
            proxy = self.access.proxy
            if proxy.startswith("socks"):
                raise KubeconfigError(
                    f"Proxy {clean_line(proxy, 200)} is a SOCKS proxy, which is not supported; "
                    "use an HTTP proxy or a port forward."
                )
            context = client_context(
                self.access.trust,
                credential.certificate_pem,
                credential.key_pem,
                self.access.user.name,
            )
            from cluster.api.http import HttpClient

            client = HttpClient(context, proxy, self._connections)
            self._clients[credential.identity] = client
        return client

    def _note_date(self, response: HttpResponse) -> None:
        try:
            self.clock_offset = parsedate_to_datetime(response.headers["date"]) - self._clock()
        except (KeyError, ValueError, TypeError):
            pass  # no Date header: the offset stays as it was


async def _cleaned(text: str, cap: int) -> str:
    """As `clean`, which is seldom needed; that is found out part by part: a page of metrics has
    three million characters."""
    for start in range(0, len(text), PIECE):
        if not is_clean(text, start, start + PIECE):
            return clean(text, cap)
        await asyncio.sleep(0)
    return text


async def send(
    api: Api,
    method: str,
    path: str,
    params: Params,
    content: bytes,
    content_type: str,
    timeout: float,
    what: str,
    accept: str = JSON,
) -> tuple[int, bytes]:
    """Any request, also one that changes something. For `cluster.api.write` alone, which decides
    whether it may be sent.

    Never repeated by itself except after a 401, which the server answers before it acts.
    """
    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    if content:
        headers["Content-Type"] = content_type
    try:
        async with (
            asyncio.timeout(timeout),
            api._exchange(
                method, path, params, headers, content or None, timeout, what
            ) as response,
        ):
            body, _ = await Response(api, response, what).read()
            return response.status, body
    except TimeoutError as error:
        raise Unreachable(
            f"{what}: no answer within {timeout:g} s; whether it took effect is not known, look "
            "before you repeat it."
        ) from error

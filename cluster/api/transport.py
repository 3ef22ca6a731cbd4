"""HTTP/1.1 requests to one API server, with time limits, a bound on concurrency, counters, and
errors as sentences.

`Api` sends GET alone. `cluster.api.write` sends the rest, through `send`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cluster.api.audit import note_audit_id
from cluster.api.error_messages import RequestFailure, describe_failure
from cluster.api.intermediaries import describe_intermediary, not_api_server
from cluster.api.read_ahead import Gather, read_ahead
from cluster.connect.access import Access
from cluster.connect.credentials import Credential, Credentials
from cluster.connect.tls import client_context
from cluster.errors import (
    NotApiServer,
    Refused,
    ServerError,
    Unauthorized,
    Unreachable,
    from_response,
)
from cluster.kube.text import NOT_JSON, clean, clean_line, clean_tree, is_clean

if TYPE_CHECKING:
    from cluster.api.http import HttpClient, HttpResponse

JSON = "application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""Metadata alone: a server that cannot send it answers 406 and sends no values."""
Params = Mapping[str, str | int | list[str]]

BODY_LIMIT = 64 << 20
"""Largest answer that is read as a whole, in bytes; lists are streamed or paged."""
LINE_LIMIT = 16 << 20
"""Longest line of a stream that is kept, in bytes; an object has about 3 MB at most (etcd)."""
CLOCK_TOLERANCE = timedelta(seconds=5)
"""The server's time is used from this offset on."""
_ELSEWHERE = re.compile(r"[?#%\\\x00-\x1f\x7f]|//|/\.{1,2}(?:/|$)")
"""What makes a path lead to another object than its parts name: a client resolves `..`, and `?`
ends the path. No name of an object has it (apimachinery IsValidPathSegmentName)."""
_METADATA = re.compile(r"^application/json;as=PartialObjectMetadata(List)?;[^,]*$")
_VALUES = re.compile(
    r"/api/v1/(?:watch/)?(?:namespaces/[^/]+/)?(?:secrets|configmaps)(?:/[^/]*)?/?"
)
SLICE = 1 << 16
"""Characters of a text that are checked before the event loop runs other tasks."""


class Limits(msgspec.Struct, frozen=True):
    """Time limits of one request in seconds. `connect` covers TCP and TLS, `read` the longest
    silence, `pool` the wait for a free connection."""

    connect: float = 4.0
    read: float = 15.0
    write: float = 5.0
    pool: float = 10.0

    def timeout(self, read: float | None = None) -> dict[str, float]:
        """The limits of one request; `read` replaces the longest silence, in seconds."""
        # The limit of httpcore must pass before the limit around the whole call: when it is
        # cancelled from outside, httpcore leaves the socket of a TLS handshake open.
        connect = self.connect if read is None else min(self.connect, read * 0.9)
        read = self.read if read is None else read
        return {"connect": connect, "read": read, "write": self.write, "pool": self.pool}


class Request(msgspec.Struct, frozen=True):
    """One request. `what` names it in messages; `read` is the longest silence in seconds."""

    method: str
    path: str
    what: str
    params: Params | None = None
    headers: Mapping[str, str] = {}
    content: bytes | None = None
    read: float | None = None


class Budget(msgspec.Struct, frozen=True):
    """Load on the server: requests in the last minute and since the start."""

    last_minute: int
    total: int


class Response:
    """The head of an answer; the body is still to be read."""

    def __init__(self, api: Api, response: HttpResponse, what: str) -> None:
        self._api, self._response, self._what = api, response, what
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body without transfer and content encoding. Raises `Unreachable` when it breaks
        off."""
        try:
            async for chunk in self._response.chunks():
                self._api.note_received()
                yield chunk
        except RequestFailure as error:
            raise self._api.unreachable(self._what, error) from error

    async def lines(
        self,
        cap: int = LINE_LIMIT,
        gather: Gather = lambda: 0.0,
    ) -> AsyncGenerator[list[bytes], None]:
        """Complete lines of at most `cap` bytes: all that have arrived since the last group. Drops
        a last line without its end, and the part of a line beyond `cap`. `gather` is that of
        `read_ahead`.

        Splits at `\\n` alone: Go does not escape U+0085 and others at which `str.splitlines`
        splits.
        """
        kept = bytearray()
        async with contextlib.aclosing(read_ahead(self.chunks(), gather=gather)) as groups:
            async for group in groups:
                lines = group.split(b"\n")
                kept += lines[0][: cap - len(kept)]
                if len(lines) == 1:
                    continue
                lines[0], kept = bytes(kept), bytearray(lines.pop()[:cap])
                yield lines

    async def read(self, cap: int = BODY_LIMIT) -> tuple[bytes, bool]:
        """(body of at most `cap` bytes, whether it was cut)."""
        kept = bytearray()
        async with contextlib.aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) > cap:
                    return bytes(kept[:cap]), True
        return bytes(kept), False


class Api:
    """GET requests to one API server.

    `concurrency` bounds the requests that wait for an answer; open watches do not count.
    `clock_offset` is the server's clock minus the local one, from the Date header: true to about a
    second, None before the first answer. `last_received` is the monotonic time in seconds at which
    the last part of a body came in.
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
        self.last_received = -math.inf
        self._clock = clock
        self._connections = connections
        self._slots = asyncio.Semaphore(concurrency)
        self._clients: dict[int, HttpClient] = {}
        self._recent: deque[float] = deque(maxlen=20_000)
        self._total = 0

    # -- reading

    async def get_json(
        self,
        path: str,
        params: Params | None = None,
        *,
        timeout: float | None = None,
        accept: str = JSON,
        cap: int = BODY_LIMIT,
        what: str = "",
    ) -> Any:
        """The decoded JSON of a GET, its strings cleaned. `timeout` bounds the call in seconds.
        Raises `ApiError`, `Unreachable`, `CredentialError`."""
        what = what or f"GET {path}"
        body, cut = await self._body(path, params, timeout, accept, cap, what)
        if cut:
            raise ServerError(
                f"{what}: the answer is larger than {cap:,} bytes; ask for less.", status=200
            )
        try:
            return clean_tree(msgspec.json.decode(body))
        except NOT_JSON as error:
            raise ServerError(
                f"{what}: the answer is not JSON; something in front of the API server answers.",
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
        """(cleaned text of at most `cap` bytes, whether it was cut). With `last` the connection is
        closed, so that a balancer may choose another backend for the next request."""
        what = what or f"GET {path}"
        body, cut = await self._body(path, params, timeout, "*/*", cap, what, last)
        return await _cleaned(body.decode("utf-8", "replace"), cap), cut

    async def _body(
        self,
        path: str,
        params: Params | None,
        timeout: float | None,
        accept: str,
        cap: int,
        what: str,
        last: bool = False,
    ) -> tuple[bytes, bool]:
        limit = timeout or self.limits.connect + self.limits.read * 4
        try:
            async with (
                asyncio.timeout(limit),
                self.open(
                    path, params, accept=accept, what=what, read=timeout, last=last
                ) as response,
            ):
                return await response.read(cap)
        except TimeoutError as error:
            raise Unreachable(
                f"{what}: no complete answer from {self.access.server} within {limit:g} s; it is "
                "slow or frozen."
            ) from error

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
        """A GET whose body the caller reads. `read` is the longest silence in seconds; `compress`
        asks for gzip where the kubeconfig allows it; with `last` the connection is closed. Raises
        `ApiError` for HTTP 400 and above."""
        encoding = "gzip" if compress and self.access.compress else "identity"
        headers = {"Accept": accept, "Accept-Encoding": encoding}
        if last:
            headers["Connection"] = "close"
        request = Request("GET", path, what or f"GET {path}", params, headers, None, read)
        async with self._exchange(request) as response:
            yield response

    async def ping(
        self, path: str, params: Params, limit: float
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers with lower-case names, up to 64 KiB of body) of a GET within `limit`
        seconds, whatever the status. Raises `Unreachable`.

        Sends the credential that is loaded, or none: a login must not delay the check whether the
        server answers.
        """
        request = Request("GET", path, f"GET {path}", params, {"Accept": "*/*"}, None, limit)
        try:
            async with asyncio.timeout(limit):
                response = await self._send(self.credentials.loaded(), request)
                try:
                    body = await self._error_body(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise Unreachable(
                f"{request.what}: {self.access.server} does not answer within {limit:g} s; it is "
                "overloaded or frozen."
            ) from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, body

    async def aclose(self) -> None:
        """Close all connections, also those of open watches; the next request opens another."""
        for client in list(self._clients.values()):
            await client.aclose()
        self._clients.clear()

    # -- state

    def budget(self) -> Budget:
        edge = time.monotonic() - 60
        while self._recent and self._recent[0] < edge:
            self._recent.popleft()
        return Budget(len(self._recent), self._total)

    def note_received(self) -> None:
        self.last_received = time.monotonic()

    def unreachable(self, what: str, error: RequestFailure) -> Unreachable:
        return Unreachable(
            f"{what}: {describe_failure(error, self.access.target)}", sent=error.sent
        )

    def server_now(self) -> datetime:
        """The time by the server's clock (UTC), which sets the times of all objects."""
        return self._clock() + (self.clock_skew or timedelta())

    @property
    def clock_skew(self) -> timedelta | None:
        """The offset of the server's clock, None up to `CLOCK_TOLERANCE`: the Date header gives
        whole seconds, and the answer takes time to arrive."""
        offset = self.clock_offset
        return offset if offset is not None and abs(offset) > CLOCK_TOLERANCE else None

    # -- inside

    @contextlib.asynccontextmanager
    async def _exchange(self, request: Request) -> AsyncIterator[Response]:
        response = await self._answer(request)
        try:
            yield Response(self, response, request.what)
        finally:
            await response.aclose()

    async def _answer(self, request: Request) -> HttpResponse:
        """The answer; after a 401 the request is sent once more with another credential."""
        retried = False
        while True:
            credential = await self.credentials.current()
            response = await self._send(credential, request)
            if response.status < 300 and not not_api_server(response.status, response.headers, b""):
                return response
            try:
                body = await self._error_body(response)
            finally:
                await response.aclose()
            if response.status == 401 and not retried and await self.credentials.renew(credential):
                retried = True
                continue
            if not_api_server(response.status, response.headers, body):
                said = describe_intermediary(response.status, response.headers, body)
                raise NotApiServer(f"{request.what}: {said}", sent=response.status >= 500)
            error = from_response(
                response.status, response.headers, body, request.what, self._clock()
            )
            if isinstance(error, Unauthorized) and (why := self.credentials.explanation()):
                error.args = (f"{error}: {why}",)
            raise error

    async def _send(self, credential: Credential, request: Request) -> HttpResponse:
        check_path(request.path, request.what)
        if request.method == "GET":
            _check_values(request)
        client = self._client(credential)
        async with self._slots:
            self._total += 1
            self._recent.append(time.monotonic())
            try:
                response = await client.send(
                    request.method,
                    self.access.server + request.path,
                    request.params,
                    [*credential.headers, *request.headers.items()],
                    request.content,
                    self.limits.timeout(request.read),
                    self.access.trust.server_name,
                )
            except RequestFailure as error:
                raise self.unreachable(request.what, error) from error
        with contextlib.suppress(KeyError, ValueError, TypeError):  # no Date, or none that is valid
            self.clock_offset = parsedate_to_datetime(response.headers["date"]) - self._clock()
        note_audit_id(response.headers)
        return response

    async def _error_body(self, response: HttpResponse) -> bytes:
        kept = bytearray()
        # without a body the status code is the answer
        with contextlib.suppress(RequestFailure, TimeoutError):
            async with asyncio.timeout(self.limits.read):
                async for chunk in response.chunks():
                    kept += chunk
                    if len(kept) > 65_536:
                        break
        return bytes(kept)

    def _client(self, credential: Credential) -> HttpClient:
        """The connection pool of one client certificate. Open streams keep the pool of the
        certificate with which they began."""
        client = self._clients.get(credential.identity)
        if client is None:
            from cluster.api.http import HttpClient

            context: ssl.SSLContext | bool = False
            if self.access.uses_tls:  # reading the system's authorities takes 20 ms
                context = client_context(
                    self.access.trust,
                    credential.certificate_pem,
                    credential.key_pem,
                    self.access.user.name,
                )
            client = HttpClient(context, self.access.proxy, self._connections)
            self._clients[credential.identity] = client
        return client


def check_path(path: str, what: str) -> None:
    """Raises `Refused` for a path that would lead elsewhere than its parts say."""
    if _ELSEWHERE.search(path):
        raise Refused(
            f"{clean_line(what, 200)} was not sent: {clean_line(path, 200)!r} is not the path of "
            "one object or collection; check its name and namespace."
        )


def _check_values(request: Request) -> None:
    """Raises `Refused` for a GET that would return values of Secrets or ConfigMaps; a path may come
    from a runbook that others wrote."""
    if _VALUES.fullmatch(request.path) and not _METADATA.search(request.headers.get("Accept", "")):
        raise Refused(
            f"{clean_line(request.what, 200)} was not sent: values of Secrets and ConfigMaps are "
            "never read, by design; only metadata is."
        )


async def _cleaned(text: str, cap: int) -> str:
    """`clean`, in slices: a page of metrics has three million characters, and few hold anything to
    clean."""
    for start in range(0, len(text), SLICE):
        if not is_clean(text, start, start + SLICE):
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
) -> bytes:
    """The body of any request, also of one that changes something: for `cluster.api.write` alone,
    which decides whether it may be sent. Sent again only after a 401, which the server answers
    before it acts."""
    headers = {"Accept": accept, "Accept-Encoding": "identity", "Content-Type": content_type}
    request = Request(method, path, what, params, headers, content, timeout)
    try:
        async with asyncio.timeout(timeout), api._exchange(request) as response:
            body, _ = await response.read()
            return body
    except TimeoutError as error:
        raise Unreachable(f"{what}: no answer within {timeout:g} s.") from error

"""Checks the network hops from this workstation to the API server: DNS, TCP for each address, TLS,
HTTP, readyz.

Each hop has a result, a duration, a sentence and a time limit, so that all of them take about ten
seconds even when packets are dropped. The first hop that fails says where to look.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from cluster.api.intermediaries import describe_intermediary, not_api_server
from cluster.api.transport import Api, Limits
from cluster.connect import certificates
from cluster.connect.access import Access
from cluster.connect.tls import client_context
from cluster.errors import ClusterError
from cluster.kube.text import NOT_JSON, clean, clean_line

_PORTS = {"https": 443, "http": 80, "socks5": 1080, "socks5h": 1080}


class Rung(msgspec.Struct, frozen=True):
    """One hop. `ok` None: not tried, because an earlier one failed. `seconds` is its duration,
    `detail` longer text, cleaned."""

    name: str
    target: str
    ok: bool | None
    seconds: float
    sentence: str
    detail: str = ""


async def ladder(
    access: Access,
    *,
    limit: float = 3.0,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    api: Api | None = None,
) -> tuple[Rung, ...]:
    """Try all hops, each for at most `limit` seconds, with the credentials of `api`. Never raises
    for a failure of the network."""
    return await _Ladder(access, limit, clock, api).climb()


def first_failure(hops: tuple[Rung, ...] | list[Rung]) -> Rung | None:
    """The first hop that fails. An address that fails does not count while another one answers."""
    reached = any(hop.name == "tcp" and hop.ok for hop in hops)
    return next(
        (hop for hop in hops if hop.ok is False and not (hop.name == "tcp" and reached)), None
    )


class _Ladder:
    def __init__(
        self, access: Access, limit: float, clock: Callable[[], datetime], api: Api | None
    ) -> None:
        self._access, self._limit, self._clock, self._api = access, limit, clock, api
        self._hops: list[Rung] = []
        parts = urlsplit(access.proxy or access.server)
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS.get(parts.scheme, 443)

    async def climb(self) -> tuple[Rung, ...]:
        access = self._access
        if access.proxy:
            sentence = "Requests go through this proxy; the next hops are those to the proxy."
            self._hops.append(Rung("proxy", access.proxy_name, True, 0.0, sentence))
        tls = access.server.startswith("https:") and not access.proxy
        addresses = await self._dns()
        reached = await self._tcp(addresses) if addresses else None
        if reached is not None and tls:
            await self._tls(reached)
        if reached is not None and first_failure(self._hops) is None:
            await self._http()
        tried = {hop.name for hop in self._hops}
        for name in ("tcp", "tls", "http", "readyz"):
            if name not in tried and (name != "tls" or tls):
                sentence = "Not tried: an earlier hop failed."
                self._hops.append(Rung(name, access.server, None, 0.0, sentence))
        return tuple(self._hops)

    def _add(
        self, name: str, target: str, ok: bool, began: float, sentence: str, detail: str = ""
    ) -> None:
        self._hops.append(Rung(name, target, ok, time.monotonic() - began, sentence, detail))

    async def _dns(self) -> list[tuple[str, int]]:
        host, began = self._host, time.monotonic()
        if _is_address(host):  # no name server is asked, so none can fail
            self._add("dns", host, True, began, f"{host} is an address.")
            return [(host, self._port)]
        try:
            async with asyncio.timeout(self._limit):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, self._port, type=socket.SOCK_STREAM
                )
        except TimeoutError:
            why = f"No name server answered for {host} within {self._limit:g} s"
            self._add("dns", host, False, began, f"{why}; check DNS and the VPN.")
            return []
        except OSError as error:
            said = clean_line(error.strerror or str(error), 200)
            why = f"{host} cannot be resolved ({said})"
            self._add("dns", host, False, began, f"{why}; check DNS and the VPN.")
            return []
        addresses = list(dict.fromkeys((str(item[4][0]), self._port) for item in found))
        shown = ", ".join(address for address, _ in addresses)
        self._add("dns", host, True, began, f"{host} is {shown}.")
        return addresses

    async def _tcp(self, addresses: list[tuple[str, int]]) -> tuple[str, int] | None:
        """The first address that accepts a connection; eight are tried at once."""
        results = await asyncio.gather(*map(self._connect, addresses[:8]))
        reached = (address for address, ok in zip(addresses, results, strict=False) if ok)
        return next(reached, None)

    async def _connect(self, address: tuple[str, int]) -> bool:
        host, port = address
        target, began = f"[{host}]:{port}" if ":" in host else f"{host}:{port}", time.monotonic()
        try:
            async with asyncio.timeout(self._limit):
                _, writer = await asyncio.open_connection(*address)
        except TimeoutError:
            why = f"does not answer within {self._limit:g} s: packets are dropped by a firewall"
            why += ", a route is missing, or the host is down"
        except ConnectionRefusedError:
            why = "refuses: the host is up, but nothing listens on the port"
        except OSError as error:
            why = f"cannot be reached: {clean_line(error.strerror or str(error), 200)}"
        else:
            writer.transport.abort()
            took = (time.monotonic() - began) * 1000
            self._add("tcp", target, True, began, f"{target} accepts connections ({took:.0f} ms).")
            return True
        self._add("tcp", target, False, began, f"{target} {why}.")
        return False

    async def _tls(self, address: tuple[str, int]) -> None:
        trust = self._access.trust
        name, began = trust.server_name or self._host, time.monotonic()
        try:
            context = client_context(trust)
            async with asyncio.timeout(self._limit):
                der = await _handshake(address, context, name)
        except TimeoutError:
            sentence = (
                f"TCP is open but the TLS handshake gets no answer within {self._limit:g} s: the "
                "process is frozen or overloaded."
            )
        except ssl.SSLCertVerificationError as error:
            why = clean_line(error.verify_message, 200)
            about = self._about(await self._unverified_certificate(address, name))
            sentence = f"The certificate is not accepted ({why}): {about}."
        except (OSError, ValueError, ClusterError) as error:  # ValueError: no name for TLS
            said = clean_line(str(error), 200)
            sentence = f"The TLS handshake fails ({said}); another program may use this port."
        else:
            unchecked = " (not checked: insecure-skip-tls-verify)" if trust.insecure else ""
            about = self._about(certificates.from_der(der) if der else None)
            self._add("tls", name, True, began, f"TLS is fine{unchecked}: {about}.")
            return
        self._add("tls", name, False, began, sentence)

    async def _unverified_certificate(
        self, address: tuple[str, int], name: str
    ) -> certificates.Certificate | None:
        """The server's certificate; nothing is sent over this connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._limit):
                return certificates.from_der(await _handshake(address, context, name))
        return None

    def _about(self, certificate: certificates.Certificate | None) -> str:
        if certificate is None:
            return "its certificate could not be read"
        now = self._clock()
        if certificate.expired(now):
            validity = f"it expired on {certificate.not_after:%Y-%m-%d %H:%M} UTC"
        elif now < certificate.not_before:
            validity = f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC, check"
            validity += " this machine's clock"
        else:
            validity = f"valid until {certificate.not_after:%Y-%m-%d %H:%M} UTC"
        return (
            f"subject {certificate.subject or '-'}, issuer {certificate.issuer or '-'}, {validity}"
        )

    async def _http(self) -> None:
        """Which program answers HTTP, and whether the API server is ready."""
        limit = self._limit
        own = Api(
            self._access,
            limits=Limits(limit, limit, limit, limit),
            clock=self._clock,
            credentials=self._api.credentials if self._api is not None else None,
        )
        try:
            began = time.monotonic()
            try:
                ok, sentence = _author(*await own.ping("/version", {}, limit))
            except ClusterError as error:
                ok, sentence = False, clean_line(str(error), 400)
            self._add("http", "/version", ok, began, sentence)
            if not ok:
                return
            began, text = time.monotonic(), ""
            try:
                status, _, body = await own.ping("/readyz", {"verbose": ""}, limit)
                text = clean(body.decode("utf-8", "replace"), 4_000)
                ok, sentence = _ready(status, text)
            except ClusterError as error:
                ok, sentence = False, clean_line(str(error), 400)
            self._add("readyz", "/readyz", ok, began, sentence, text)
        finally:
            await own.aclose()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _handshake(address: tuple[str, int], context: ssl.SSLContext, name: str) -> bytes:
    _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=name)
    try:
        channel = writer.get_extra_info("ssl_object")
        return channel.getpeercert(binary_form=True) or b"" if channel is not None else b""
    finally:
        writer.transport.abort()


def _author(status: int, headers: dict[str, str], body: bytes) -> tuple[bool, str]:
    try:
        document = msgspec.json.decode(body)
    except NOT_JSON:
        document = None
    if isinstance(document, dict) and "gitVersion" in document:
        version = clean_line(str(document["gitVersion"]), 60)
        return True, f"A Kubernetes API server answers: {version}."
    if status in (200, 404) or not_api_server(status, headers, body):
        return False, describe_intermediary(status, headers, body)
    return True, f"A Kubernetes API server answers /version with HTTP {status}."


def _ready(status: int, text: str) -> tuple[bool, str]:
    if status == 200:
        return True, "readyz: the API server says that it is ready."
    if status in (401, 403):
        return True, f"readyz needs more rights (HTTP {status}); the server answers."
    failing = [clean_line(line[3:], 80) for line in text.splitlines() if line.startswith("[-]")]
    more = f", failing: {'; '.join(failing[:5])}" if failing else ""
    return False, f"readyz: HTTP {status}{more}."

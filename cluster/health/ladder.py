"""The way to the API server, hop by hop, from this workstation: DNS, TCP for each address, TLS,
HTTP, readyz.

Each hop has its result, its time and a sentence, and each has a time limit, so that the whole ends
within about ten seconds even when packets vanish. The first hop that fails says where to look.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from cluster.api.transport import Api, Limits
from cluster.connect import certificates
from cluster.connect.access import Access
from cluster.connect.tls import client_context
from cluster.errors import ClusterError
from cluster.kube.text import clean, clean_line


class Hop(msgspec.Struct, frozen=True):
    """One step. `ok` None: not tried, because an earlier one failed. `seconds` is how long it took.
    `detail` is longer text, cleaned."""

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
) -> tuple[Hop, ...]:
    """Climb all hops; `limit` is seconds for each. Never raises for what the network does. `api`
    lends its credentials."""
    parts = urlsplit(access.proxy or access.server)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    hops: list[Hop] = []
    if access.proxy:
        hops.append(
            Hop(
                "proxy",
                access.proxy,
                None,
                0.0,
                "Requests go through this proxy; the next hops are those to the proxy.",
            )
        )
    addresses = await _dns(host, port, limit, hops)
    reached = await _tcp(addresses, limit, hops) if addresses else None
    secure = urlsplit(access.server).scheme == "https"
    if reached is not None and secure and not access.proxy:
        await _tls(access, reached, host, limit, hops, clock)
    if reached is not None and first_failure(tuple(hops)) is None:
        await _http(access, limit, hops, api, clock)
    tried = {hop.name for hop in hops}
    for name in ("tcp", "tls", "http", "readyz"):
        if name not in tried and (name != "tls" or (secure and not access.proxy)):
            hops.append(Hop(name, access.server, None, 0.0, "Not tried: an earlier hop failed."))
    return tuple(hops)


def first_failure(hops: tuple[Hop, ...]) -> Hop | None:
    """The lowest hop that fails; one address that fails is no failure while another one answers."""
    reached = any(hop.name == "tcp" and hop.ok for hop in hops)
    return next(
        (hop for hop in hops if hop.ok is False and not (hop.name == "tcp" and reached)), None
    )


async def _dns(host: str, port: int, limit: float, hops: list[Hop]) -> list[tuple[str, int]]:
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        hops.append(
            Hop(
                "dns",
                host,
                False,
                time.monotonic() - began,
                f"No name server answered for {host} within {limit:g} s; check DNS and the VPN.",
            )
        )
        return []
    except OSError as error:
        said = clean_line(error.strerror or str(error), 200)
        hops.append(
            Hop(
                "dns",
                host,
                False,
                time.monotonic() - began,
                f"{host} cannot be resolved ({said}); check DNS and the VPN.",
            )
        )
        return []
    addresses = list(dict.fromkeys((str(item[4][0]), port) for item in found))
    shown = ", ".join(address for address, _ in addresses)
    hops.append(
        Hop(
            "dns",
            host,
            True,
            time.monotonic() - began,
            f"{host} is {shown}." if shown != host else f"{host} is an address.",
        )
    )
    return addresses


async def _tcp(
    addresses: list[tuple[str, int]], limit: float, hops: list[Hop]
) -> tuple[str, int] | None:
    async def connect(address: tuple[str, int]) -> Hop:
        target = (
            f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
        )
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit):
                _, writer = await asyncio.open_connection(*address)
        except TimeoutError:
            took = time.monotonic() - began
            return Hop(
                "tcp",
                target,
                False,
                took,
                f"{target} does not answer within {limit:g} s: packets vanish; a firewall, a "
                "route, or the host is down.",
            )
        except ConnectionRefusedError:
            return Hop(
                "tcp",
                target,
                False,
                time.monotonic() - began,
                f"{target} refuses: the host is there, but nothing listens on the port.",
            )
        except OSError as error:
            said = clean_line(error.strerror or str(error), 200)
            return Hop(
                "tcp",
                target,
                False,
                time.monotonic() - began,
                f"{target} cannot be reached: {said}.",
            )
        took = time.monotonic() - began
        writer.transport.abort()
        return Hop(
            "tcp", target, True, took, f"{target} accepts connections ({took * 1000:.0f} ms)."
        )

    results = await asyncio.gather(*(connect(address) for address in addresses[:8]))
    hops += results
    return next((address for address, hop in zip(addresses, results, strict=False) if hop.ok), None)


async def _tls(
    access: Access,
    address: tuple[str, int],
    host: str,
    limit: float,
    hops: list[Hop],
    clock: Callable[[], datetime],
) -> None:
    name = access.trust.server_name or host
    began = time.monotonic()
    try:
        context = client_context(access.trust)
        async with asyncio.timeout(limit):
            der = await _handshake(address, context, name)
    except TimeoutError:
        took = time.monotonic() - began
        hops.append(
            Hop(
                "tls",
                name,
                False,
                took,
                f"TCP is open but the TLS handshake gets no answer within {limit:g} s: the "
                "process is frozen or overloaded.",
            )
        )
        return
    except ssl.SSLCertVerificationError as error:
        why = clean_line(error.verify_message, 200)
        seen = await _seen_certificate(address, name, limit)
        about = _about(seen, clock()) if seen is not None else "it could not be read"
        hops.append(
            Hop(
                "tls",
                name,
                False,
                time.monotonic() - began,
                f"The certificate is not accepted ({why}): {about}.",
            )
        )
        return
    except (OSError, ClusterError) as error:
        said = clean_line(str(error), 200)
        hops.append(
            Hop(
                "tls",
                name,
                False,
                time.monotonic() - began,
                f"The TLS handshake fails ({said}); something else may answer on this port.",
            )
        )
        return
    certificate = certificates.from_der(der) if der else None
    about = (
        _about(certificate, clock())
        if certificate is not None
        else "its certificate could not be read"
    )
    unchecked = " (not checked: insecure-skip-tls-verify)" if access.trust.insecure else ""
    hops.append(
        Hop("tls", name, True, time.monotonic() - began, f"TLS is fine{unchecked}: {about}.")
    )


async def _handshake(address: tuple[str, int], context: ssl.SSLContext, name: str) -> bytes:
    _, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=name)
    try:
        channel = writer.get_extra_info("ssl_object")
        return channel.getpeercert(binary_form=True) or b"" if channel is not None else b""
    finally:
        writer.transport.abort()


async def _seen_certificate(
    address: tuple[str, int], name: str, limit: float
) -> certificates.Certificate | None:
    """The certificate as it is shown, without judging it; nothing is sent over this connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(limit):
            return certificates.from_der(await _handshake(address, context, name))
    return None


def _about(certificate: certificates.Certificate, now: datetime) -> str:
    if certificate.expired(now):
        ending = f"it ended on {certificate.not_after:%Y-%m-%d %H:%M} UTC"
    elif now < certificate.not_before:
        ending = (
            f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC, check this "
            "machine's clock"
        )
    else:
        ending = f"valid until {certificate.not_after:%Y-%m-%d %H:%M} UTC"
    return f"subject {certificate.subject or '-'}, issuer {certificate.issuer or '-'}, {ending}"


async def _http(
    access: Access, limit: float, hops: list[Hop], api: Api | None, clock: Callable[[], datetime]
) -> None:
    """Who answers HTTP, and what readyz says; without credentials when none are loaded yet."""
    limits = Limits(connect=limit, read=limit, write=limit, pool=limit)
    own = Api(
        access, limits=limits, clock=clock, credentials=api.credentials if api is not None else None
    )
    try:
        for name, path, params in (
            ("http", "/version", {}),
            ("readyz", "/readyz", {"verbose": ""}),
        ):
            began = time.monotonic()
            try:
                status, headers, body = await own.ping(path, params, limit)
            except ClusterError as error:
                hops.append(
                    Hop(name, path, False, time.monotonic() - began, clean_line(str(error), 400))
                )
                continue
            took = time.monotonic() - began
            ok, sentence = (
                _author(status, headers, body) if name == "http" else _ready(status, body)
            )
            hops.append(
                Hop(
                    name,
                    path,
                    ok,
                    took,
                    sentence,
                    clean(body.decode("utf-8", "replace"), 4_000) if name == "readyz" else "",
                )
            )
    finally:
        await own.aclose()


def _author(status: int, headers: dict[str, str], body: bytes) -> tuple[bool, str]:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        document = None
    if isinstance(document, dict) and "gitVersion" in document:
        return (
            True,
            f"A Kubernetes API server answers: {clean_line(str(document['gitVersion']), 60)}.",
        )
    if "audit-id" in headers or (isinstance(document, dict) and document.get("kind") == "Status"):
        return True, f"A Kubernetes API server answers /version with HTTP {status}."
    server = clean_line(headers.get("server", ""), 80) or "unknown"
    return (
        False,
        f"HTTP {status} comes from something else than an API server (Server: {server}); look at "
        "the load balancer or proxy.",
    )


def _ready(status: int, body: bytes) -> tuple[bool, str]:
    if status == 200:
        return True, "readyz: the API server says that it is ready."
    if status in (401, 403):
        return (
            True,
            f"readyz may not be read without more rights (HTTP {status}); the server answers.",
        )
    failing = [
        clean_line(line[3:], 80)
        for line in body.decode("utf-8", "replace").splitlines()
        if line.startswith("[-]")
    ]
    return (
        False,
        f"readyz: HTTP {status}{', failing: ' + '; '.join(failing[:5]) if failing else ''}.",
    )

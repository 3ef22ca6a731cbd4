"""One HTTP request from this workstation, in stages: TCP, TLS, the status line, and the software
that answered.

Does not verify certificates, because it only measures the hop and sends a GET, and follows no
redirect. `Server`, `Via` and well-known words of the body separate the error of a proxy from that
of the application.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import dataclass

from cluster.kube.text import clean_line
from probes.result import ResultClass

LIMIT = 4.0
_KEPT = 4096
_AUTHORS = (
    ("default backend - 404", "the ingress controller's default backend"),
    ("404 page not found", "traefik or a Go server without that path"),
    ("awselb", "the cloud's load balancer"),
    ("gws", "the cloud's load balancer"),
    ("cloudflare", "a CDN"),
    ("akamai", "a CDN"),
    ("envoy", "envoy (a mesh or a gateway)"),
    ("nginx", "nginx (an ingress controller, or the application's own)"),
    ("openresty", "nginx (an ingress controller, or the application's own)"),
    ("haproxy", "haproxy"),
    ("traefik", "traefik"),
)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """Result of one request. `status` 0: no HTTP answer. `author`: the software that answered, ""
    when not known. `ms`: until the status line or the failure."""

    verdict: ResultClass
    ms: int
    status: int = 0
    author: str = ""
    detail: str = ""

    @property
    def words(self) -> str:
        if not self.status:
            return f"{self.verdict.value}{f' ({self.detail})' if self.detail else ''}, {self.ms} ms"
        return f"HTTP {self.status}{f' by {self.author}' if self.author else ''}, {self.ms} ms"

    @property
    def well(self) -> bool:
        """Whether the path is open: a status below 500, except the 404 of an ingress controller's
        default backend."""
        return 0 < self.status < 500 and "default backend" not in self.author


async def probe_http(
    address: str,
    port: int,
    *,
    host: str = "",
    tls: bool = False,
    limit: float = LIMIT,
) -> HttpAnswer:
    """GET / at `address`:`port` with that Host and SNI. Does not raise for network errors;
    `limit` seconds for each stage."""
    began = time.monotonic()

    def heard(verdict: ResultClass, detail: str = "") -> HttpAnswer:
        return HttpAnswer(
            verdict, int((time.monotonic() - began) * 1000), detail=clean_line(detail, 160)
        )

    if not (host + address).isprintable() or " " in host:
        return heard(ResultClass.UNREACHABLE, f"{host or address} is not a host name")
    context = None
    if tls:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_connection(
                address, port, ssl=context, server_hostname=(host or address) if tls else None
            )
    except TimeoutError:
        return heard(ResultClass.TIMEOUT_CONNECT, "no answer")
    except ssl.SSLError as error:
        return heard(ResultClass.TLS_HANDSHAKE, error.reason or str(error))
    except ConnectionRefusedError:
        return heard(ResultClass.REFUSED)
    except ConnectionResetError:
        return heard(ResultClass.TLS_HANDSHAKE if tls else ResultClass.RESET, "reset")
    except (OSError, ValueError) as error:  # ValueError: no name that DNS can have
        return heard(ResultClass.UNREACHABLE, getattr(error, "strerror", None) or str(error))
    try:
        async with asyncio.timeout(limit):
            writer.write(
                (
                    f"GET / HTTP/1.1\r\nHost: {host or address}\r\n"
                    "User-Agent: stanch\r\nConnection: close\r\n\r\n"
                ).encode()
            )
            await writer.drain()
            data = b""
            while len(data) < _KEPT and (more := await reader.read(_KEPT)):
                data += more
    except TimeoutError:
        return (
            heard(ResultClass.TIMEOUT_FIRST_BYTE, "connected, no answer")
            if not data
            else _judge(data, began)
        )
    except (OSError, ssl.SSLError) as error:
        return heard(ResultClass.RESET, str(error))
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    return _judge(data, began) if data else heard(ResultClass.RESET, "closed without an answer")


def _judge(data: bytes, began: float) -> HttpAnswer:
    ms = int((time.monotonic() - began) * 1000)
    text = data.decode("latin-1")
    words = text.split(maxsplit=2)
    if not text.startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():
        return HttpAnswer(ResultClass.OK, ms, detail="it does not speak HTTP")
    head, _, body = text.partition("\r\n\r\n")
    signed = " ".join(
        line
        for line in head.lower().splitlines()
        if line.startswith(("server:", "via:", "x-cache:"))
    )
    response = f"{signed} {body[:400].lower()}"
    author = next((name for mark, name in _AUTHORS if mark in response), "")
    return HttpAnswer(ResultClass.OK, ms, int(words[1]), author)

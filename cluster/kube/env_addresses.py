"""Which parts of an environment variable's value look like the address of a Service.

Values of environment variables may be secrets, so only these parts are ever kept: a host name that
can belong to the cluster, with its port. User names, passwords, paths and queries are left out, and
so is every value of a variable whose name says that it holds a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SECRET = re.compile(
    r"pass|pwd|secret|token|cred|private|salt|cookie|auth|login|user|cert|sign|license"
    r"|(?:^|[_.-])keys?$|apikey",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(?:^|[_.-])(?:image|tag|version|advertised|bind|listen)", re.IGNORECASE)
"""Variables whose values look like addresses and are none, or are the container's own."""
_HOST_VARIABLE = re.compile(
    r"(?:^|[_.-])(?:host|hostname|hosts|addr|address|server|servers|endpoint|service|url|uri"
    r"|brokers?|upstream|target|backend)$",
    re.IGNORECASE,
)
_PORT_VARIABLE = re.compile(r"(?:^|[_.-])port$", re.IGNORECASE)
_LABEL = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = rf"{_LABEL}(?:\.[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?){{0,5}}"
_END = r"(?![\w.:@-])"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^\s/?#\"'<>]*)(\S*)")
_PAIR = re.compile(rf"({_NAME}):(\d{{2,5}})(?=$|/)")
_DSN = re.compile(rf"@(?:tcp|udp)\(({_NAME})(?::(\d{{2,5}}))?\)")
_KEYED = re.compile(rf"(?:^|[\s;])(?:host|server|addr)=({_NAME})(?::(\d{{2,5}}))?(?=$|[\s;,])")
_KEYED_PORT = re.compile(r"(?:^|[\s;])port=(\d{2,5})(?=$|[\s;,])")
_INTERNAL = re.compile(
    rf"(?<![\w.@:-])({_NAME}\.svc(?:\.[a-z0-9.-]*[a-z0-9])?)(?::(\d{{2,5}}))?{_END}"
)
_BARE = re.compile(_NAME)
_LONGEST = 4096
_MOST = 8


def service_addresses(variable: str, value: str) -> str:
    """The addresses of a value that may be those of Services, as `host[:port]` with spaces between;
    the number alone where the variable is a port."""
    if _SECRET.search(variable) or _OTHER.search(variable):
        return ""
    if _PORT_VARIABLE.search(variable):
        return value if value.isdecimal() and 0 < len(value) <= 5 else ""
    text = value[:_LONGEST]
    found = dict.fromkeys(
        f"{host}:{port}" if port else host for host, port in _all(variable, text) if _inside(host)
    )
    return " ".join(list(found)[:_MOST])


def _all(variable: str, text: str) -> Iterator[tuple[str, str]]:
    """(host, port or "") of each address."""
    if "://" in text:
        for url in _URL.finditer(text):
            authority, rest = url.groups()
            if "@" in rest:
                continue  # the authority may be a part of a password
            for part in authority.rpartition("@")[2].split(","):
                yield from _host_and_port(part)
    elif ":" in text:
        for part in re.split(r"[\s,;]+", text):
            pair = None if "@" in part else _PAIR.match(part)
            if pair is not None:
                yield pair[1], pair[2]
    for found in (*_DSN.finditer(text), *_INTERNAL.finditer(text)):
        yield found[1], found[2] or ""
    if "=" in text and (keyed := _KEYED.search(text)) is not None:
        port = _KEYED_PORT.search(text)
        yield keyed[1], keyed[2] or (port[1] if port is not None else "")
    if _HOST_VARIABLE.search(variable) and _BARE.fullmatch(text):
        yield text, ""


def _host_and_port(text: str) -> Iterator[tuple[str, str]]:
    host, _, port = text.partition(":")
    if _BARE.fullmatch(host) and (not port or (port.isdecimal() and len(port) <= 5)):
        yield host, port


def _inside(host: str) -> bool:
    """Whether a name can be that of a Service: `db`, `db.shop`, `db.shop.svc…`."""
    labels = host.split(".")
    return host != "localhost" and (len(labels) <= 2 or "svc" in labels[2:])

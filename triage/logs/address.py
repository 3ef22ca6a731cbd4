"""The address in a sentence: a host or an IP address, with its port when the sentence has one."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable

import msgspec


class Address(msgspec.Struct, frozen=True):
    """`host` as it is written (a name or an IP address), `port` 0 where none is named."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


_HOST = r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?)"
_PORT = r"(?P<port>\d{2,5})"
_QUOTE = "['\"`]?"
_TEXTS = (
    rf"\blookup {_HOST}(?: on [\d.:a-f\[\]]+)?(?::|,| )",
    rf"(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME) {_HOST}(?::{_PORT})?",
    rf"UnknownHostException: {_HOST}",
    rf"(?:resolve|translate) (?:host ?name|host|address|name)? ?:? ?{_QUOTE}{_HOST}{_QUOTE}",
    rf"can't (?:find|resolve) {_QUOTE}{_HOST}",
    rf"server host {_QUOTE}{_HOST}",
    rf"host not found in upstream {_QUOTE}{_HOST}(?::{_PORT})?",
    rf"bad address {_QUOTE}{_HOST}(?::{_PORT})?",
    rf"getaddrinfo (?:for )?{_QUOTE}{_HOST}\b{_QUOTE} ?(?:failed|:)",
    rf"bootstrap\.servers: {_HOST}:{_PORT}",
    rf"mysql server on {_QUOTE}{_HOST}(?::{_PORT})?{_QUOTE}",
    rf"(?:server on|running on|to) host {_QUOTE}{_HOST}{_QUOTE}.*?port {_PORT}",
    rf"\(host {_HOST}, port {_PORT}\)",
    rf"server at {_QUOTE}{_HOST}{_QUOTE}(?: \([\d.:a-f]+\))?, port {_PORT}",
    rf"host=['\"]?{_HOST}['\"]?[, ]+port=['\"]?{_PORT}",
    rf"(?:connect to|connecting to|reach) {_HOST} port {_PORT}",
    rf"addr: ?{_HOST}:{_PORT}",
    rf"server {_HOST}/[\d.]+:{_PORT}",
    rf"\({_HOST}/[\d.]+:{_PORT}\)",
    rf"\[(?P<host>[0-9a-fA-F:]*:[0-9a-fA-F:]+)\]:{_PORT}",
    rf"(?<![\w./:-]){_HOST}:{_PORT}(?!\d|\.\d)(?![\w-])",
    rf"\b[a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?\[?{_HOST}\]?(?::{_PORT})?(?=[/\s\"'?,)]|$|:)",
    rf"\bhost(?:name)?[=:] ?{_QUOTE}{_HOST}{_QUOTE}",
)
"""Ways to write an address; those beside the failure come first."""
_FILE = re.compile(
    r"\.(?:go|py|js|ts|rb|java|kt|rs|c|cc|cpp|cs|php|conf|ya?ml|json|ex|exs|scala|sh|mjs|cfg)$"
)
_TIME = re.compile(r"^\d{4}-\d\d-\d\dt\d\d$")
"""The beginning of a time, whose minutes look like a port."""
_NO_HOST = frozenset(
    {"error", "line", "code", "port", "status", "errno", "main", "upstream", "pid"}
)


def address(text: str) -> Address | None:
    """The first address in a text that can be a peer: named beside the failure before one in a URL,
    with its port where that is said, by name where the address is named too."""
    found = list(_all(text))
    if not found:
        return None
    first = found[0]
    if not first.port:
        return next((each for each in found if each.port and each.host == first.host), first)
    names = (each for each in found if each.port == first.port and not _is_ip(each.host))
    return next(names, first)


def address_near(lines: Iterable[str]) -> Address | None:
    """The address in the first of these lines that has one."""
    return next((a for line in lines if (a := address(line)) is not None), None)


@functools.cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text, re.IGNORECASE) for text in _TEXTS)


def _all(text: str) -> Iterable[Address]:
    for pattern in _patterns():
        for found in pattern.finditer(text):
            host = found["host"].rstrip(".")
            port = found.groupdict().get("port")
            if _is_peer(host):
                yield Address(host, int(port) if port and int(port) < 65536 else 0)


def _is_peer(host: str) -> bool:
    lower = host.lower()
    if lower in _NO_HOST or _FILE.search(lower) or _TIME.match(lower) or lower.isdigit():
        return False
    try:
        return not ipaddress.ip_address(
            host
        ).is_unspecified  # An address that listens everywhere is no peer.
    except ValueError:
        return any(c.isalpha() for c in host)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

"""Which proxy the environment asks for, read as Go's clients read it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_from_environment(server: str, environ: Mapping[str, str]) -> str:
    """HTTPS_PROXY/HTTP_PROXY as Go reads them: never for loopback, NO_PROXY with names, suffixes,
    addresses and networks."""
    parts = urlsplit(server)
    host = (parts.hostname or "").lower()
    proxy = _either(environ, f"{parts.scheme}_proxy")
    if not proxy or host == "localhost":
        return ""
    address = None
    try:
        address = ipaddress.ip_address(host)
        if address.is_loopback:
            return ""
    except ValueError:
        pass  # a name
    for item in _either(environ, "no_proxy").lower().split(","):
        rule = item.strip()
        if rule == "*" or (
            rule
            and _bypasses(rule.rsplit(":", 1)[0] if rule.count(":") == 1 else rule, host, address)
        ):
            return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _bypasses(
    rule: str, host: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address | None
) -> bool:
    if address is not None:
        try:
            return address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    rule = rule.removeprefix("*")
    return (
        host.endswith(rule) if rule.startswith(".") else host == rule or host.endswith(f".{rule}")
    )


def _either(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper()) or environ.get(name) or ""

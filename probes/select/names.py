"""What a person named as an end of a connection: names, addresses and ports, read and checked."""

from __future__ import annotations

import ipaddress
import re

HOST_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")


class Unusable(ValueError):
    """The request cannot be measured; `str()` is one sentence with an alternative."""


def split(text: str, what: str) -> tuple[str, str]:
    """`NAMESPACE` or `NAMESPACE/NAME`. Raises `Unusable`."""
    namespace, _, name = text.strip().partition("/")
    for part in (namespace, name):
        if part and not HOST_NAME.match(part):
            raise Unusable(
                f"{what} {text!r} is not a Kubernetes name; write NAMESPACE or NAMESPACE/NAME."
            )
    if not namespace:
        raise Unusable(f"{what} is empty; write NAMESPACE or NAMESPACE/NAME.")
    return namespace, name


def check_dialled(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Raises `Unusable` for an address that a pod cannot dial, or that is the pod itself."""
    if ip.is_loopback:
        raise Unusable(
            f"{ip} is each pod itself; how=port-forward with to=NAMESPACE/POD asks on the inside "
            "of a pod."
        )
    if ip.is_unspecified or ip.is_multicast or (ip.version == 6 and ip.is_link_local):
        raise Unusable(
            f"{ip} is not an address that can be dialled from a pod; give a pod, a Service or one "
            "machine's address."
        )


def port_number(text: str, where: str) -> int:
    """A TCP port. Raises `Unusable`."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise Unusable(f"{text!r} is not a port on {where}; give a number from 1 to 65535.")
    return int(text)

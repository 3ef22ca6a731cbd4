"""Why a request got no answer, in half a sentence: what failed and what to try."""

from __future__ import annotations

import enum

from cluster.errors import ClusterError
from cluster.kube.text import clean_line


class Fault(enum.Enum):
    """What failed, where the class of the error says it."""

    CONNECT_TIMEOUT = enum.auto()
    SILENT = enum.auto()
    NO_FREE_CONNECTION = enum.auto()
    BROKEN_OFF = enum.auto()
    OTHER = enum.auto()


class RequestFailure(Exception):
    """A request that got no answer, or whose body broke off; `__cause__` has the details. `sent`:
    the server may have got it."""

    def __init__(self, fault: Fault, sent: bool) -> None:
        super().__init__()
        self.fault, self.sent = fault, sent


def describe_failure(error: BaseException, server: str) -> str:
    """Half a sentence for a request that got no answer: what failed and what to try."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    text = clean_line(" ".join(filter(None, map(str, chain))), 400)
    lowered = text.lower()
    if isinstance(error, ClusterError):
        return str(error)
    fault = error.fault if isinstance(error, RequestFailure) else Fault.OTHER
    if fault is Fault.CONNECT_TIMEOUT or "connecttimeout" in lowered:
        return (
            f"no connection to {server} within the time limit; a firewall, a VPN that is down, or "
            "a frozen server"
        )
    if fault is Fault.SILENT or isinstance(error, TimeoutError):
        return f"{server} took the connection but does not answer; it is overloaded or frozen"
    if fault is Fault.NO_FREE_CONNECTION:
        return "all connections are busy; the server answers too slowly"
    if any(isinstance(each, ConnectionRefusedError) for each in chain) or "refused" in lowered:
        return (
            f"{server} refuses the connection; the API server is down, or the address or port is "
            "wrong"
        )
    if (
        "name or service not known" in lowered
        or "getaddrinfo" in lowered
        or "name resolution" in lowered
        or "no address associated" in lowered
    ):
        return f"the host name of {server} cannot be resolved; check DNS and the VPN"
    if "decompress" in lowered:
        return (
            f"{server} sends an answer that cannot be unpacked; something in front of it may "
            "change answers"
        )
    if "certificate" in lowered:
        return (
            f"the certificate of {server} is not accepted ({_certificate_reason(text)}); check "
            "the CA in the kubeconfig and the clock"
        )
    if "ssl" in lowered or "tls" in lowered:
        return f"TLS with {server} fails ({text}); something else may answer on that port"
    if "unreachable" in lowered or "no route" in lowered:
        return f"no route to {server}; check the network and the VPN"
    if fault is Fault.BROKEN_OFF:
        plain = ", or it speaks only https" if server.startswith("http://") else ""
        return f"{server} broke off the connection; it may be restarting{plain}"
    return f"{server} cannot be reached ({text or type(error.__cause__ or error).__name__})"


def _certificate_reason(text: str) -> str:
    marker = "certificate verify failed:"
    position = text.lower().find(marker)
    return text[position + len(marker) :].split("(_ssl")[0].strip() if position >= 0 else text

"""Why a request got no answer, in half a sentence: what failed and what to try."""

from __future__ import annotations

import httpx

from cluster.errors import ClusterError
from cluster.kube.text import clean_line


def describe_failure(error: BaseException, server: str) -> str:
    """Half a sentence for a request that got no answer: what failed and what to try."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    text = clean_line(" ".join(str(each) for each in chain), 400)
    lowered = text.lower()
    if isinstance(error, ClusterError):
        return str(error)
    if isinstance(error, httpx.ConnectTimeout) or "connecttimeout" in lowered:
        return (
            f"no connection to {server} within the time limit; a firewall, a VPN that is down, or "
            "a frozen server"
        )
    if isinstance(error, (httpx.ReadTimeout, TimeoutError)):
        return f"{server} took the connection but does not answer; it is overloaded or frozen"
    if isinstance(error, httpx.PoolTimeout):
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
    if "certificate" in lowered:
        return (
            f"the certificate of {server} is not accepted ({_certificate_reason(text)}); check "
            "the CA in the kubeconfig and the clock"
        )
    if "ssl" in lowered or "tls" in lowered:
        return f"TLS with {server} fails ({text}); something else may answer on that port"
    if "unreachable" in lowered or "no route" in lowered:
        return f"no route to {server}; check the network and the VPN"
    if isinstance(error, (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
        return f"{server} broke off the connection; it may be restarting"
    return f"{server} cannot be reached ({text or type(error).__name__})"


def _certificate_reason(text: str) -> str:
    marker = "certificate verify failed:"
    position = text.lower().find(marker)
    return text[position + len(marker) :].split("(_ssl")[0].strip() if position >= 0 else text

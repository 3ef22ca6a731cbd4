"""Why a liveness, readiness or startup probe failed, by the text of the kubelet."""

from __future__ import annotations

import re

_PROTOCOL = (
    ("gave http response to https client", "TLS to a server that answers in plain HTTP"),
    ("first record does not look like a tls handshake", "TLS to a server that answers without it"),
    ("http request to an https server", "HTTP to a server that wants TLS"),
    ("malformed http ", "HTTP to a server that answers in another protocol (TLS, gRPC)"),
    ("error reading server preface", "gRPC to a server that answers in another protocol"),
    ("frame too large", "gRPC to a server that answers in another protocol"),
    ("does not implement the grpc health protocol", "gRPC health checks, which it does not serve"),
)


_PROBE_PORT = re.compile(r"(?:https?://|dial tcp |service \"?)(?:\[[^\]]*\]|[^\s:/\"]+):(\d+)")


_PROBE_STATUS = re.compile(r"status ?code: ?(\d+)", re.IGNORECASE)


def probe_protocol(message: str) -> str:
    """What a probe speaks to a server that speaks something else, "" when it is not that."""
    lowered = message.lower()
    return next((text for sign, text in _PROTOCOL if sign in lowered), "")


def probe_port(message: str) -> int:
    """The port that a probe asked, 0 when its message does not say."""
    found = _PROBE_PORT.search(message)
    return int(found[1]) if found else 0


def probe_status(message: str) -> str:
    """The status code of the answer, "?" without one."""
    found = _PROBE_STATUS.search(message)
    return found[1] if found else "?"


def probe_answer(message: str) -> str:
    """The message without `Readiness probe failed: `."""
    return re.sub(r"^\w+ probe (?:failed|errored)[^:]*: ", "", message)


def probe_cause(message: str) -> str:
    """How a probe failed: refused, timeout, status, dns, protocol, port, exec or other."""
    lowered = message.lower()
    if probe_protocol(message):
        return "protocol"
    if "couldn't find port" in lowered or re.search(r"port \S+ not found|strconv\.", lowered):
        return "port"
    if "connection refused" in lowered:
        return "refused"
    if "no such host" in lowered or "lookup " in lowered:
        return "dns"
    if "timeout" in lowered or "deadline exceeded" in lowered or "timed out" in lowered:
        return "timeout"
    if "statuscode" in lowered or "status code" in lowered:
        return "status"
    if "exec: " in lowered or "executable file not found" in lowered or "oci runtime" in lowered:
        return "exec"
    return "other"

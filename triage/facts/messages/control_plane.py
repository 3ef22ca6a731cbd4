"""Errors of etcd, the API server and name look-ups, in messages of any component."""

from __future__ import annotations

import re
from typing import NamedTuple

_LOOKUP = re.compile(
    r"lookup [^\s:]+(?: on [^\s]+:53)?:? .{0,80}?(i/o timeout|no such host|server "
    r"misbehaving|timed? ?out|connection refused)"
    r"|(temporary failure in name resolution|could not resolve host|name or service not "
    r"known|getaddrinfo \S+|eai_again|dns lookup)",
    re.IGNORECASE,
)


def lookup_failure(message: str) -> str:
    """`timeout`, `not-found`, or "" when the text does not report a failed name look-up."""
    found = _LOOKUP.search(message)
    if found is None:
        return ""
    text = found.group(0).lower()
    return "not-found" if "no such host" in text or "not known" in text else "timeout"


_ETCD = re.compile(
    r"etcdserver: ([a-z :]+)|etcd cluster is unavailable|raft: stopped|mvcc: database space "
    r"exceeded"
    r"|rpc error: code = unavailable desc = .{0,40}etcd",
    re.IGNORECASE,
)


_SILENT = r"(?:connection refused|i/o timeout|tls handshake timeout|eof|no route|reset by peer)"


_AGGREGATED = r"(?![^\s)]*\.k8s\.io)[\w-]+\.[^\s)]+"
"""An API group of an extension: its server may be away."""
_API = re.compile(
    r"the server was unable to return a response in the time allotted"
    r"|(?<!metrics API: the server is currently )unable to handle the request"
    r"(?!\W{1,3}(?:get|list|post) [^\s.)]+\.(?:[^\s)]*metrics\.k8s\.io|" + _AGGREGATED + "))"
    r"|context deadline exceeded.{0,80}/api"
    r"|(?:get|post|put|patch|delete|list) "
    r"\"?https?://[^\s\"]+(?::6443|:443)?/(?:api|apis)/[^\n]{0,200}"
    + _SILENT
    + r"|apiserver (?:is )?not (?:ready|reachable)|server has received too many requests",
    re.IGNORECASE,
)


def etcd_error(message: str) -> str:
    """`leader-changed`, `timeout`, `no-space`, `other`, or "" when the message has no word of
    etcd."""
    found = _ETCD.search(message)
    if found is None:
        return ""
    lowered = message.lower()
    if "leader" in lowered:
        return "leader-changed"
    if "space exceeded" in lowered:
        return "no-space"
    return (
        "timeout"
        if "timed out" in lowered or "timeout" in lowered or "unavailable" in lowered
        else "other"
    )


def api_error(message: str) -> bool:
    """Whether a component says that the API server did not answer it, or refused it for the number
    of requests."""
    return _API.search(message) is not None


def api_refused(message: str) -> bool:
    """Whether the API server refused a request for their number: HTTP 429 (apimachinery
    pkg/api/errors, NewTooManyRequestsError)."""
    return "server has received too many requests" in message.lower()


class MessageSigns(NamedTuple):
    """What a message reports about etcd, the API server and name look-ups, as `etcd_error`,
    `api_error` and `lookup_failure` return it."""

    etcd: str
    api: bool
    lookup: str


_HINTS = (
    "etcd",
    "raft: stopped",
    "mvcc: ",
    "unable to ",
    "deadline exceeded",
    "://",
    "apiserver",
    "too many requests",
    "lookup",
    "name resolution",
    "could not resolve",
    "name or service",
    "getaddrinfo",
    "eai_again",
)
"""A cheap filter: each text that the expressions match contains one of these in lower case."""


def message_signs(message: str) -> MessageSigns | None:
    """None for a message that reports none of them."""
    lowered = message.lower()
    for hint in _HINTS:
        if hint in lowered:
            found = MessageSigns(etcd_error(message), api_error(message), lookup_failure(message))
            return found if any(found) else None
    return None

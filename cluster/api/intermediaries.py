"""Tells an answer of the API server from one of a load balancer, login page, proxy, firewall or
management server in front of it.

An API server sets Audit-Id and the headers of priority and fairness on each answer
(k8s.io/apiserver pkg/endpoints/filters), and its errors are metav1.Status documents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from cluster.kube.text import NOT_JSON, clean_line

_HEADERS = ("audit-id", "x-kubernetes-pf-flowschema-uid")
_AMBIGUOUS = 429
"""The remedy does not depend on the sender: wait."""
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_ADVICE = {
    401: "log in there",
    403: "a firewall or an access proxy refuses this machine; check the VPN and who may connect",
    404: "it does not know this cluster; check the server address, the cluster may be removed",
    407: "the proxy asks for a login; put user and password into proxy-url",
}


def not_api_server(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether something in front of the API server answers; header names in lower case or
    case-insensitive. Of a successful answer the content type decides: `body` may be empty."""
    if any(name in headers for name in _HEADERS) or status == _AMBIGUOUS:
        return False
    if status < 300:
        return "html" in headers.get("content-type", "").lower()
    if body.startswith((b"[+]", b"[-]")):  # the list of checks of readyz
        return False
    document = _document(body)
    return not ("kind" in document or "gitVersion" in document)


def not_ready_checks(headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a successful answer to /readyz is none of an API server, which says `ok` or lists its
    checks (k8s.io/apiserver pkg/server/healthz)."""
    return not any(name in headers for name in _HEADERS) and not body.startswith((b"ok", b"[+]"))


def describe_intermediary(status: int, headers: Mapping[str, str], body: bytes) -> str:
    """A sentence: what answers instead of the API server, and what to try."""
    server = clean_line(headers.get("server", ""), 80)
    said = _said(body)
    if 300 <= status < 400:
        target = _host(headers.get("location", ""))
        said = f"redirect to {clean_line(target, 120)}" if target else "redirect"
        advice = "log in there, or check the server address"
    elif status < 300:
        advice = "it may be a login page; check the server address"
    elif status >= 500:
        advice = "it may have no API server behind it that answers; look at it or wait"
    else:
        advice = _ADVICE.get(status, "check the server address and what is in front of it")
    about = ", ".join(filter(None, (f"HTTP {status}", server and f"Server: {server}", said)))
    return f"Something in front of the API server answers, not the API server ({about}); {advice}."


def in_words(body: bytes) -> str:
    """What an error says: the message of its document, or its text, in one line."""
    message = _document(body).get("message")
    text = message if isinstance(message, str) else body[:300].decode("utf-8", "replace")
    return clean_line(text.replace("\n", "; "), 200)


def _host(address: str) -> str:
    """The host of an address, "" when it names none or is none ("http://[")."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _document(body: bytes) -> dict[str, object]:
    try:
        document = msgspec.json.decode(body)
    except NOT_JSON:
        return {}
    return document if isinstance(document, dict) else {}


def _said(body: bytes) -> str:
    """The title of a page, the message of a JSON document, or the text, in quotes."""
    text = body[:4_096].decode("utf-8", "replace")
    document = _document(body)
    error = document.get("error")
    message = document.get("message") or (error.get("message") if isinstance(error, dict) else "")
    if isinstance(message, str) and message:
        text = message
    elif title := _TITLE.search(text):
        text = title[2]
    text = clean_line(" ".join(_TAG.sub(" ", text).split()), 120)
    return f'"{text}"' if text else ""

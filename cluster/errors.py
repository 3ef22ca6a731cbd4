"""Errors of requests. `str()` is one sentence: what happened, with which object, what to try. Text
from the server is cleaned before it becomes part of a message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from cluster.kube.text import NOT_JSON, clean_line

MESSAGE_LIMIT = 600
"""Longest quotation of a server's message, in characters."""


class ClusterError(Exception):
    """Base of the errors of `cluster`."""


class KubeconfigError(ClusterError):
    """No kubeconfig, or one that cannot be used."""


class CredentialError(ClusterError):
    """A token or certificate cannot be read, or an exec plug-in fails."""


class Unreachable(ClusterError):
    """No HTTP answer: DNS, TCP, TLS, a time limit, or a connection that broke. `sent`: the server
    may have got the request."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class NotApiServer(Unreachable):
    """Something in front of the API server answers: a load balancer, a login page, a proxy."""


class OutcomeUnknown(Unreachable):
    """A change was sent and no answer came: it may have taken effect."""


class Refused(ClusterError):
    """A rule of this program does not allow the request: nothing was sent."""


class ApiError(ClusterError):
    """The server answered with an error. `status` is the HTTP code; `reason` and `detail` are
    fields of metav1.Status, cleaned. `audit_id` identifies the request in the server's audit log.
    `retry_after` is in seconds, None when the server does not say."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        detail: str = "",
        audit_id: str = "",
        retry_after: float | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.audit_id = audit_id
        self.retry_after = retry_after
        self.body: Mapping[str, Any] = body or {}


class Unauthorized(ApiError):
    """401: the server does not accept the credentials."""


class Forbidden(ApiError):
    """403: known, but not allowed."""


class NotFound(ApiError):
    """404: no such object, or the server does not offer the kind."""


class NotAcceptable(ApiError):
    """406: the server cannot answer in the form that was asked for (metadata only)."""


class Conflict(ApiError):
    """409: another client changed it, or it exists."""


class Expired(ApiError):
    """410: the resource version or the continue token is too old; list again."""


class Invalid(ApiError):
    """400 or 422: the server rejects the request itself."""


class TooManyRequests(ApiError):
    """429: the server sheds load; `retry_after` says when to come back."""


class ServerError(ApiError):
    """5xx: the server failed."""


_BY_STATUS: dict[int, tuple[type[ApiError], str]] = {
    400: (Invalid, "this server may be too old or too new for the request"),
    401: (Unauthorized, "log in again or check the user in the kubeconfig"),
    403: (Forbidden, "ask for the permission, or go on without this part"),
    404: (NotFound, "it may be gone, or the server does not offer this kind"),
    406: (NotAcceptable, "the server cannot send metadata only; values are not requested instead"),
    409: (Conflict, "read it again and repeat"),
    410: (Expired, "it is listed again"),
    422: (Invalid, "the object or the parameters are not valid for this server"),
    429: (TooManyRequests, "the server sheds load; stanch retries later"),
}


def from_response(
    status: int, headers: Mapping[str, str], body: bytes, what: str, now: datetime | None = None
) -> ApiError:
    """The error for an HTTP answer of 400 and above. `what` names the request, such as "list pods".
    Never raises."""
    document = _status_document(body)
    detail = clean_line(str(document.get("message") or ""), MESSAGE_LIMIT)
    reason = clean_line(str(document.get("reason") or ""), 80)
    if not document:
        detail = clean_line(body[:MESSAGE_LIMIT].decode("utf-8", "replace"), MESSAGE_LIMIT)
    kind, advice = _BY_STATUS.get(
        status,
        (ServerError if status >= 500 else ApiError, "see what is in front of the API server"),
    )
    if status >= 500:
        advice = "the server is in trouble or something in front of it is; stanch retries"
    retry_after = _retry_after(headers.get("retry-after", ""), document, now or datetime.now(UTC))
    message = (
        f"{what}: HTTP {status}{f' {reason}' if reason else ''}{f', {detail}' if detail else ''}; "
        f"{advice}"
    )
    return kind(
        message,
        status=status,
        reason=reason,
        detail=detail,
        audit_id=clean_line(headers.get("audit-id", ""), 80),
        retry_after=retry_after,
        body=document,
    )


def from_status(document: Mapping[str, Any], what: str) -> ApiError:
    """The error for a metav1.Status that came inside a watch (an ERROR event)."""
    code = document.get("code")
    return from_response(
        code if isinstance(code, int) else 500, {}, msgspec.json.encode(document), what
    )


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(body)
    except NOT_JSON:
        return {}
    if isinstance(document, dict) and document.get("kind") == "Status":
        return document
    return {}


def _retry_after(header: str, document: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds from the header (a number or an HTTP date) or from the Status' details."""
    header = header.strip()
    if header.isdecimal():
        return float(header[:6])
    if header:
        try:
            return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
        except (ValueError, TypeError):
            pass  # not a date either: as if it had not been sent
    details = document.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else None

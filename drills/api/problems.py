"""Errors as the API server words them: metav1.Status with code, reason, message and details.

Wording follows k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from typing import Any

from drills.api.kinds import Kind
from drills.api.objects import Obj


class ApiProblem(Exception):
    """An answer other than success. `status` is the metav1.Status to send, `headers` go with it."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        details: Obj | None = None,
        headers: dict[str, str] | None = None,
        metadata: Obj | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        self.status: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata or {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        }
        if details:
            self.status["details"] = details


def _details(kind: Kind, name: str) -> Obj:
    out: Obj = {"name": name} if name else {}
    if kind.group:
        out["group"] = kind.group
    out["kind"] = kind.plural
    return out


def not_found(kind: Kind, name: str) -> ApiProblem:
    return ApiProblem(404, "NotFound", f'{kind.qualified} "{name}" not found', _details(kind, name))


def no_such_path() -> ApiProblem:
    return ApiProblem(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> ApiProblem:
    return ApiProblem(
        409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', _details(kind, name)
    )


def conflict(kind: Kind, name: str, why: str | None = None) -> ApiProblem:
    why = (
        why
        or "the object has been modified; please apply your changes to the latest version and try again"
    )
    return ApiProblem(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}',
        _details(kind, name),
    )


def forbidden(
    kind: Kind, name: str, user: str, verb: str, namespace: str, subresource: str = ""
) -> ApiProblem:
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    resource = f"{kind.plural}/{subresource}" if subresource else kind.plural
    target = f'{kind.qualified} "{name}"' if name else kind.qualified
    message = (
        f'{target} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group '
        f'"{kind.group}"{where}'
    )
    return ApiProblem(403, "Forbidden", message, _details(kind, name))


def unauthorized() -> ApiProblem:
    return ApiProblem(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiProblem:
    return ApiProblem(400, "BadRequest", message)


def unsupported_media(message: str) -> ApiProblem:
    return ApiProblem(415, "UnsupportedMediaType", message)


def method_not_allowed(
    message: str = "the server does not allow this method on the requested resource",
) -> ApiProblem:
    return ApiProblem(405, "MethodNotAllowed", message)


def invalid(kind: Kind, name: str, causes: list[tuple[str, str, str]]) -> ApiProblem:
    """422. `causes` are (field, reason such as FieldValueRequired, message)."""
    text = ", ".join(f"{field}: {message}" for field, _, message in causes)
    details = {
        "name": name,
        "kind": kind.kind,
        "causes": [
            {"reason": reason, "message": message, "field": field}
            for field, reason, message in causes
        ],
    }
    if kind.group:
        details["group"] = kind.group
    return ApiProblem(
        422,
        "Invalid",
        f'{kind.kind}{"." + kind.group if kind.group else ""} "{name}" is invalid: {text}',
        details,
    )


def expired(message: str, metadata: Obj | None = None) -> ApiProblem:
    return ApiProblem(410, "Expired", message, metadata=metadata)


def too_old(requested: int, current: int) -> ApiProblem:
    return expired(f"too old resource version: {requested} ({current})")


def too_large(requested: int, current: int) -> ApiProblem:
    return ApiProblem(
        504,
        "Timeout",
        f"Too large resource version: {requested}, current: {current}",
        {
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        },
    )


def too_many_requests(
    seconds: int, message: str | None = None, causes: list[Obj] | None = None
) -> ApiProblem:
    details: dict[str, Any] = {"retryAfterSeconds": seconds} if seconds else {}
    if causes:
        details["causes"] = causes
    text = message or "Too many requests, please try again later."
    return ApiProblem(
        429, "TooManyRequests", text, details, {"Retry-After": str(seconds)} if seconds else None
    )


def server_error(code: int, message: str) -> ApiProblem:
    reason = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}.get(
        code, "InternalError"
    )
    return ApiProblem(code, reason, message)

"""Errors as the API server words them: metav1.Status with code, reason, message and details.

Wording follows k8s.io/apimachinery/pkg/api/errors.
"""

from __future__ import annotations

from drills.api.kinds import ApiResource
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
            **({"details": details} if details else {}),
        }


def success(details: Obj | None = None, **more: int) -> Obj:
    """A metav1.Status of success."""
    out: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", **more}
    return {**out, "details": details} if details else out


def details_of(kind: ApiResource, name: str, **more: str) -> Obj:
    """`details` of a Status about one object."""
    out: Obj = {"name": name} if name else {}
    return out | ({"group": kind.group} if kind.group else {}) | {"kind": kind.plural, **more}


def not_found(kind: ApiResource, name: str) -> ApiProblem:
    text = f'{kind.qualified} "{name}" not found'
    return ApiProblem(404, "NotFound", text, details_of(kind, name))


def no_such_path() -> ApiProblem:
    return ApiProblem(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: ApiResource, name: str) -> ApiProblem:
    text = f'{kind.qualified} "{name}" already exists'
    return ApiProblem(409, "AlreadyExists", text, details_of(kind, name))


def conflict(
    kind: ApiResource,
    name: str,
    why: str = "the object has been modified; please apply your changes to the latest version and "
    "try again",
) -> ApiProblem:
    text = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiProblem(409, "Conflict", text, details_of(kind, name))


def forbidden(kind: ApiResource, name: str, why: str) -> ApiProblem:
    target = f'{kind.qualified} "{name}"' if name else kind.qualified
    return ApiProblem(403, "Forbidden", f"{target} is forbidden: {why}", details_of(kind, name))


def no_right(kind: ApiResource, name: str, user: str, verb: str, namespace: str) -> ApiProblem:
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    resource = f'resource "{kind.plural}" in API group "{kind.group}"'
    return forbidden(kind, name, f'User "{user}" cannot {verb} {resource} {where}')


def unauthorized() -> ApiProblem:
    return ApiProblem(401, "Unauthorized", "Unauthorized")


def bad_request(message: str) -> ApiProblem:
    return ApiProblem(400, "BadRequest", message)


def unsupported_media(accepted: str) -> ApiProblem:
    unknown = "the body of the request was in an unknown format"
    text = f"{unknown} - accepted media types include: {accepted}"
    return ApiProblem(415, "UnsupportedMediaType", text)


def method_not_allowed() -> ApiProblem:
    text = "the server does not allow this method on the requested resource"
    return ApiProblem(405, "MethodNotAllowed", text)


def not_implemented(message: str) -> ApiProblem:
    return ApiProblem(501, "NotImplemented", message)


Cause = tuple[str, str, str]
"""Field, reason such as FieldValueRequired, message."""


def invalid(kind: ApiResource, name: str, *causes: Cause) -> ApiProblem:
    """422."""
    text = ", ".join(f"{field}: {message}" for field, _, message in causes)
    rows = [{"reason": r, "message": m, "field": f} for f, r, m in causes]
    details: Obj = {"name": name, "kind": kind.kind, "causes": rows}
    full = kind.kind
    if kind.group:
        details["group"] = kind.group
        full = f"{kind.kind}.{kind.group}"
    return ApiProblem(422, "Invalid", f'{full} "{name}" is invalid: {text}', details)


def forbidden_field(kind: ApiResource, name: str, field: str, why: str) -> ApiProblem:
    return invalid(kind, name, (field, "FieldValueForbidden", f"Forbidden: {why}"))


def expired(message: str, metadata: Obj | None = None) -> ApiProblem:
    return ApiProblem(410, "Expired", message, metadata=metadata)


def too_old(requested: int, current: int) -> ApiProblem:
    return expired(f"too old resource version: {requested} ({current})")


def too_large(requested: int, current: int) -> ApiProblem:
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    text = f"Too large resource version: {requested}, current: {current}"
    return ApiProblem(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})


def too_many_requests(
    seconds: int, message: str = "", causes: list[Obj] | None = None
) -> ApiProblem:
    details: Obj = {"retryAfterSeconds": seconds} if seconds else {}
    if causes:
        details["causes"] = causes
    text = message or "Too many requests, please try again later."
    headers = {"Retry-After": str(seconds)} if seconds else None
    return ApiProblem(429, "TooManyRequests", text, details, headers)


def server_error(code: int, message: str) -> ApiProblem:
    reason = {503: "ServiceUnavailable", 504: "Timeout"}.get(code, "InternalError")
    return ApiProblem(code, reason, message)

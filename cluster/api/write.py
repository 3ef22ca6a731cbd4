"""Sends every request that is not a GET, and refuses those that the mode does not allow.

Actions need --write. In read-only mode three things pass: dry runs, access reviews, and objects
of a probe, which have the name prefix, label and expiry of stanch and no access to the node. A
probe may add one restricted ephemeral container to a pod; it cannot be removed again, so that needs
--write too. An unknown mode, purpose, path or body is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Unpack

import msgspec

from cluster.api.mode import (
    EXPIRES_AT,
    MANAGED_BY,
    MERGE_PATCH,
    PREFIX,
    STRATEGIC_PATCH,
    Mode,
    Purpose,
    ResourceAttributes,
)
from cluster.api.transport import JSON, PARTIAL, Api, Params, send
from cluster.errors import OutcomeUnknown, Refused, ServerError, Unreachable
from cluster.kube.text import NOT_JSON, clean_line, clean_tree

FIELD_MANAGER = "stanch"
TIME_LIMIT = 30.0
"""Time limit of one write in seconds; the API server's own limit is 34."""

_OWN = re.compile(
    r"/api/v1/namespaces/[a-z0-9]([-a-z0-9]*[a-z0-9])?/(?P<plural>pods|configmaps)(?:/(?P<name>[a-z0-9][-a-z0-9.]*))?"
)
_EPHEMERAL = re.compile(
    r"/api/v1/namespaces/[a-z0-9]([-a-z0-9]*[a-z0-9])?/pods/[a-z0-9][-a-z0-9.]*/ephemeralcontainers"
)
_PATH = re.compile(r"(/api/v1|/apis/[a-z0-9.-]+/[a-z0-9]+)(/[A-Za-z0-9][A-Za-z0-9._:~-]*)+")
_REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")


class Writer:
    """Writes to one API server. `purpose` holds for calls that name none.

    Paths are below the server's root, without query. Each call returns the object that the server
    returned, cleaned. Raises `Refused` (nothing was sent), `ApiError` (the server refused it),
    `Unreachable` (nothing was sent), `OutcomeUnknown` (it may have taken effect).
    """

    def __init__(
        self,
        api: Api,
        mode: Mode | None,
        purpose: Purpose | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self.mode = mode
        self._api = api
        self._purpose = purpose
        self._limit = time_limit

    async def create(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> dict[str, Any]:
        """POST `body` to a collection or a subresource (eviction)."""
        self._admit("create", path, body, dry_run, purpose)
        return await self._send("POST", path, _settings(dry_run), body)

    async def patch(
        self,
        path: str,
        body: Mapping[str, Any] | list[Any],
        *,
        content_type: str = MERGE_PATCH,
        dry_run: bool = False,
        purpose: Purpose | None = None,
        accept: str = JSON,
    ) -> dict[str, Any]:
        """PATCH one object or subresource. `accept`: `PARTIAL` for a Secret, so that its values do
        not come back."""
        if self._admit("patch", path, body, dry_run, purpose, content_type):
            await self._own_object(path)
        return await self._send("PATCH", path, _settings(dry_run), body, content_type, accept)

    async def delete(
        self,
        path: str,
        *,
        uid: str = "",
        grace_seconds: int | None = None,
        dry_run: bool = False,
        purpose: Purpose | None = None,
    ) -> dict[str, Any]:
        """DELETE one object, never a collection; with `uid` only while the object has it (else
        409)."""
        if self._admit("delete", path, {}, dry_run, purpose):
            found = await self._own_object(path)
            uid = uid or found
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        if dry_run:
            # With a body the server ignores dryRun in the query, and would delete.
            options["dryRun"] = ["All"]
        return await self._send("DELETE", path, {"dryRun": "All"} if dry_run else {}, options)

    async def review(
        self, verb: str, resource: str, **attributes: Unpack[ResourceAttributes]
    ) -> tuple[bool, str]:
        """(whether the user may do this, the server's reason), by SelfSubjectAccessReview."""
        wanted = {"verb": verb, "resource": resource, **attributes}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: text for key, text in wanted.items() if text}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        self._admit("create", path, body, False, Purpose.REVIEW)
        answer = await self._send("POST", path, {}, body)
        status = answer.get("status")
        if not isinstance(status, dict):
            raise ServerError(f"may the user {verb} {resource}: the server's answer has no status.")
        return status.get("allowed") is True and status.get("denied") is not True, clean_line(
            str(status.get("reason") or ""), 300
        )

    # -- admission

    def _admit(
        self,
        verb: str,
        path: str,
        body: Mapping[str, Any] | list[Any],
        dry_run: bool,
        purpose: Purpose | None,
        content_type: str = "",
    ) -> bool:
        """Raise `Refused` unless this may be sent. True when the label of the object is still to be
        checked."""
        purpose = purpose if purpose is not None else self._purpose
        if self.mode not in (Mode.READ_ONLY, Mode.WRITE):
            raise Refused(
                f"{verb} {path} was not sent: the mode is not known; start again with or without "
                "--write."
            )
        if _PATH.fullmatch(path) is None:
            raise Refused(
                f"{verb} {clean_line(path, 200)} was not sent: that is not the path of one object "
                "or collection."
            )
        if dry_run is True:
            return False
        if purpose == Purpose.ACTION:
            if self.mode is Mode.WRITE:
                return False
            raise Refused(
                f"{verb} {path} was not sent: read-only mode; start with --write to allow changes."
            )
        if purpose == Purpose.REVIEW:
            if verb == "create" and path.rsplit("/", 1)[1] in _REVIEWS:
                return False
            raise Refused(
                f"{verb} {path} was not sent: it is announced as an access review and is none."
            )
        if purpose == Purpose.DEBUG_POD:
            if verb == "patch" and _EPHEMERAL.fullmatch(path) is not None:
                problem = _more_than_one_container(body, content_type)
                if problem:
                    raise Refused(f"patch {path} was not sent: {problem}.")
                if self.mode is not Mode.WRITE:
                    raise Refused(
                        f"patch {path} was not sent: read-only mode, and an ephemeral container "
                        "stays in the pod for good; start with --write to allow it."
                    )
                return False
            return _admit_own(verb, path, body)
        raise Refused(f"{verb} {path} was not sent: its purpose is not known.")

    async def _own_object(self, path: str) -> str:
        """The uid of the object at `path`; reads metadata alone. Raises `Refused` when the object
        does not have the label of stanch."""
        found = await self._api.get_json(
            path, accept=PARTIAL, timeout=self._limit, what=f"look at {path}"
        )
        meta = found.get("metadata") if isinstance(found, dict) else None
        if (
            not isinstance(meta, dict)
            or (meta.get("labels") or {}).get(MANAGED_BY) != FIELD_MANAGER
            or not meta.get("uid")
        ):
            raise Refused(
                f"{path} was not touched: it does not carry the label "
                f"{MANAGED_BY}={FIELD_MANAGER}, so it is not ours."
            )
        return str(meta["uid"])

    async def _send(
        self,
        method: str,
        path: str,
        parameters: Params,
        body: Mapping[str, Any] | list[Any],
        content_type: str = "application/json",
        accept: str = JSON,
    ) -> dict[str, Any]:
        what, content = f"{method} {path}", msgspec.json.encode(body)
        try:
            answer = await send(
                self._api,
                method,
                path,
                parameters,
                content,
                content_type,
                self._limit,
                what,
                accept,
            )
        except Unreachable as error:
            if not error.sent or "dryRun" in parameters:  # a dry run takes no effect
                raise
            raise OutcomeUnknown(
                f"{error} Whether it took effect is not known: check before you repeat it."
            ) from error
        try:
            document = clean_tree(msgspec.json.decode(answer))
        except NOT_JSON as error:
            raise OutcomeUnknown(
                f"{what}: the answer is not JSON; whether it took effect is not known: look "
                "before you repeat it."
            ) from error
        return document if isinstance(document, dict) else {}


def _settings(dry_run: bool) -> dict[str, str]:
    settings = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return settings | {"dryRun": "All"} if dry_run else settings


def _admit_own(verb: str, path: str, body: Mapping[str, Any] | list[Any]) -> bool:
    found = _OWN.fullmatch(path)
    if found is None:
        raise Refused(
            f"{verb} {path} was not sent: a probe changes only its own pods and ConfigMaps."
        )
    name = found.group("name")
    if verb != "create":
        if name is None or not name.startswith(PREFIX):
            raise Refused(f"{verb} {path} was not sent: probe objects are named {PREFIX}....")
        return True
    if name is not None or not isinstance(body, Mapping):
        raise Refused(f"create {path} was not sent: not a collection or not an object.")
    problem = _foreign(found.group("plural"), body)
    if problem:
        raise Refused(f"create {path} was not sent: {problem}.")
    return False


def _foreign(plural: str, body: Mapping[str, Any]) -> str:
    """Why this is not an object of a probe, or ""."""
    meta = body.get("metadata")
    if not isinstance(meta, Mapping) or body.get("kind") != (
        "Pod" if plural == "pods" else "ConfigMap"
    ):
        return "the body is not an object of that kind"
    if not str(meta.get("name") or meta.get("generateName") or "").startswith(PREFIX):
        return f"probe objects are named {PREFIX}..."
    if (meta.get("labels") or {}).get(MANAGED_BY) != FIELD_MANAGER:
        return f"probe objects carry the label {MANAGED_BY}={FIELD_MANAGER}"
    if not (meta.get("annotations") or {}).get(EXPIRES_AT):
        return f"probe objects carry the annotation {EXPIRES_AT}"
    if plural == "configmaps":
        return (
            "a probe's ConfigMap is an owner and holds no data"
            if body.get("data") or body.get("binaryData")
            else ""
        )
    spec = body.get("spec")
    if not isinstance(spec, Mapping):
        return "the pod has no spec"
    deadline = spec.get("activeDeadlineSeconds")
    if not isinstance(deadline, int) or isinstance(deadline, bool) or not 0 < deadline <= 3600:
        return "probe pods carry an activeDeadlineSeconds of at most an hour"
    if any(spec.get(field) for field in ("hostPID", "hostIPC")) or any(
        "hostPath" in volume for volume in spec.get("volumes") or ()
    ):
        return "probe pods have no access to the node (hostPID, hostIPC, hostPath)"
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    if any((container.get("securityContext") or {}).get("privileged") for container in containers):
        return "probe pods are not privileged"
    return ""


_CONTAINER_FIELDS = frozenset({"name", "image", "imagePullPolicy", "command", "securityContext"})
_CONFINED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The restricted Pod Security Standard, as in kubectl's profile `restricted`."""


def _more_than_one_container(body: Mapping[str, Any] | list[Any], content_type: str) -> str:
    """Why this patch does more than add one restricted probe container to a pod, or ""."""
    if content_type != STRATEGIC_PATCH:
        return "only a strategic merge patch adds a container and leaves the others as they are"
    spec = body.get("spec") if isinstance(body, Mapping) and set(body) == {"spec"} else None
    containers = (
        spec.get("ephemeralContainers")
        if isinstance(spec, Mapping) and set(spec) == {"ephemeralContainers"}
        else None
    )
    if (
        not isinstance(containers, list)
        or len(containers) != 1
        or not isinstance(containers[0], Mapping)
    ):
        return "a probe adds one ephemeral container and changes nothing else"
    container = containers[0]
    if set(container) - _CONTAINER_FIELDS:
        return (
            "a probe's ephemeral container has no "
            f"{', '.join(sorted(set(container) - _CONTAINER_FIELDS))}"
        )
    if not str(container.get("name") or "").startswith(PREFIX):
        return f"a probe's ephemeral container is named {PREFIX}..."
    command = container.get("command")
    if (
        not isinstance(command, list)
        or len(command) != 2
        or command[0] != "sleep"
        or not str(command[1]).isdecimal()
    ):
        return "a probe's ephemeral container only sleeps"
    if not 0 < int(command[1]) <= 3600:
        return "a probe's ephemeral container sleeps for an hour at most"
    given = container.get("securityContext")
    if (
        not isinstance(given, Mapping)
        or {k: v for k, v in given.items() if k not in ("runAsUser", "runAsGroup")} != _CONFINED
    ):
        return "a probe's ephemeral container has the restricted security context"
    return (
        "" if given.get("runAsUser") != 0 else "a probe's ephemeral container does not run as root"
    )

"""Sends the request of one target through `cluster.api.write`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actions.context import ActionContext
from actions.plan import Sealed, Target
from actions.targets import accept_of
from cluster.errors import Refused


async def send(
    context: ActionContext, target: Target, *, dry_run: bool = False
) -> Mapping[str, Any]:
    """Sends one request. Returns the server's object, of a Secret or ConfigMap only its metadata.
    Raises `ClusterError`; `Refused` also for an unknown verb."""
    request, writer = target.request, context.writer
    body = request.body.open() if isinstance(request.body, Sealed) else request.body
    if request.verb == "PATCH":
        return await writer.patch(
            request.path,
            body,
            content_type=request.content_type,
            dry_run=dry_run,
            accept=accept_of(target.ref),
        )
    if request.verb == "POST" and isinstance(body, Mapping):
        if dry_run and "deleteOptions" in body:
            # Of an eviction: the options in the body count, the query alone may not.
            body = {**body, "deleteOptions": {**body["deleteOptions"], "dryRun": ["All"]}}
        return await writer.create(request.path, body, dry_run=dry_run)
    if request.verb == "DELETE":
        return await writer.delete(
            request.path,
            uid=request.uid,
            grace_seconds=request.grace_seconds,
            dry_run=dry_run,
        )
    raise Refused(f"the verb {request.verb} is not known")

"""Adds an ephemeral container to a client's pod and waits until it runs.

It cannot be removed (the API only appends), so it is used only when a human asks for this method;
its process ends by itself. A ledger row covers it from before the request until its end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cluster.api.mode import STRATEGIC_PATCH
from cluster.errors import ClusterError, NotFound, OutcomeUnknown, ServerError
from cluster.kube.objects import Pod, Ref
from cluster.kube.text import clean_line
from probes.context import ProbeContext
from probes.ledger import Intent
from probes.pods.lifecycle import FATAL_REASONS, POLL_S, START_LIMIT_S, NotStarted
from probes.pods.probe_pod import Identity

KIND = "EphemeralContainer"


def ref_of(pod: Pod, container: Mapping[str, Any]) -> Ref:
    """Its name in plans and in the record: namespace and pod/container."""
    return Ref(KIND, pod.metadata.namespace, f"{pod.metadata.name}/{container['name']}")


def path_of(pod: Pod) -> str:
    return f"/api/v1/namespaces/{pod.metadata.namespace}/pods/{pod.metadata.name}"


async def dry_run(context: ProbeContext, pod: Pod, container: Mapping[str, Any]) -> None:
    """Sends a dry run. Raises `ClusterError` with the server's reason when it would refuse."""
    if context.writer is None:
        raise ClusterError("Nothing can be asked: there is no way to write to the cluster.")
    body = {"spec": {"ephemeralContainers": [dict(container)]}}
    await context.writer.patch(
        f"{path_of(pod)}/ephemeralcontainers", body, content_type=STRATEGIC_PATCH, dry_run=True
    )


async def add(
    context: ProbeContext,
    pod: Pod,
    container: Mapping[str, Any],
    identity: Identity,
    purpose: str,
    created: dict[Ref, str],
) -> None:
    """Writes the intent, patches and waits until it runs; adds it to `created` before the request.
    Raises `ClusterError`, `NotStarted` and what the ledger raises."""
    if context.writer is None or context.api is None:
        raise ClusterError(
            "No ephemeral container can be added: there is no way to write to the cluster."
        )
    ref = ref_of(pod, container)
    intent = Intent(identity.session, ref, purpose, identity.expires)
    await context.ledger.intend(intent)
    created[ref] = ""
    body = {"spec": {"ephemeralContainers": [dict(container)]}}
    try:
        await context.writer.patch(
            f"{path_of(pod)}/ephemeralcontainers", body, content_type=STRATEGIC_PATCH
        )
    except ClusterError as error:
        if not isinstance(error, OutcomeUnknown | ServerError):
            del created[ref]
            context.ledger.removed(ref, f"never created: {error}")
        raise
    context.ledger.created(intent, "")
    await _running(context, pod, str(container["name"]))


async def _running(context: ProbeContext, pod: Pod, name: str) -> None:
    assert context.api is not None
    started, last = context.clock(), "no status yet"
    while (context.clock() - started).total_seconds() < START_LIMIT_S:
        try:
            found = await context.api.get_json(path_of(pod), timeout=5)
        except NotFound:
            raise NotStarted(
                f"Pod {pod.metadata.namespace}/{pod.metadata.name} was deleted meanwhile."
            ) from None
        except ClusterError as error:
            last = str(error)
            await context.sleep(POLL_S)
            continue
        statuses = (found.get("status") or {}).get("ephemeralContainerStatuses") or ()
        state = next((s.get("state") or {} for s in statuses if s.get("name") == name), {})
        if state.get("running") is not None:
            return
        trouble = state.get("terminated") or state.get("waiting") or {}
        last = clean_line(
            f"{trouble.get('reason') or ''} {trouble.get('message') or ''}".strip() or last, 300
        )
        if state.get("terminated") or trouble.get("reason") in FATAL_REASONS:
            raise NotStarted(
                f"Ephemeral container {name} in {pod.metadata.namespace}/{pod.metadata.name} did "
                f"not start: {last}."
            )
        await context.sleep(POLL_S)
    raise NotStarted(
        f"Ephemeral container {name} in {pod.metadata.namespace}/{pod.metadata.name} did not run: "
        f"{last}."
    )


def close(context: ProbeContext, ref: Ref) -> None:
    """Closes its row, also after a crash: the container cannot be removed."""
    context.ledger.removed(
        ref,
        "if it was added, it cannot be removed: its process ends by itself, its entry stays with "
        "the pod",
    )

"""Creates and removes probe pods: writes the intent first, fails with the cluster's own reason, and
verifies the removal."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cluster.api.transport import PARTIAL
from cluster.errors import (
    ClusterError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    ServerError,
    TooManyRequests,
    Unreachable,
)
from cluster.kube.objects import Ref
from cluster.kube.text import clean_line
from probes.context import ProbeContext
from probes.ledger import Intent
from probes.pods.probe_pod import CONTAINER, Identity, collection, path_of

FATAL_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)
POLL_S = 0.5
START_LIMIT_S = 40.0
UNSCHEDULABLE_GRACE_S = 3.0


class NotStarted(Exception):
    """The pod did not start; `str()` is one sentence with the reason of kubelet or scheduler."""


@dataclass(frozen=True, slots=True)
class Running:
    """A probe pod that runs."""

    ref: Ref
    uid: str
    node: str
    address: str


async def create(
    context: ProbeContext, manifest: Mapping[str, Any], identity: Identity, purpose: str
) -> tuple[Ref, str]:
    """Writes the intent, then creates: (ref, uid). Raises `ClusterError`, and what the ledger
    raises (then nothing is sent)."""
    if context.writer is None:
        raise ClusterError("Nothing can be created: there is no way to write to the cluster.")
    meta = manifest["metadata"]
    ref = Ref(str(manifest["kind"]), str(meta["namespace"]), str(meta["name"]))
    intent = Intent(identity.session, ref, purpose, identity.expires)
    await context.ledger.intend(intent)
    try:
        answer = await context.writer.create(collection(ref.kind, ref.namespace), manifest)
    except ClusterError as error:
        # Refused: it does not exist. Without a clear answer it may, so the row stays open for the
        # sweep.
        if not isinstance(error, OutcomeUnknown | ServerError):
            context.ledger.removed(ref, f"never created: {error}")
        raise
    created = answer.get("metadata") or {}
    uid = str(created.get("uid") or "")
    context.ledger.created(intent, uid, str(created.get("resourceVersion") or ""))
    return ref, uid


async def wait_running(
    context: ProbeContext, ref: Ref, uid: str, *, limit_s: float = START_LIMIT_S
) -> Running:
    """Polls until the container runs and has an address. Raises `NotStarted` at once when waiting
    cannot help."""
    if context.api is None:
        raise NotStarted("There is no connection to the API server.")
    started = context.clock()
    last = "no status yet"
    while (waited := (context.clock() - started).total_seconds()) < limit_s:
        try:
            pod = await context.api.get_json(path_of(ref), timeout=5)
        except NotFound:
            raise NotStarted(f"{ref} was deleted while it started.") from None
        except ClusterError as error:
            last = str(error).removesuffix(".")
            await context.sleep(POLL_S)
            continue
        status, spec = pod.get("status") or {}, pod.get("spec") or {}
        state = next(
            (
                s.get("state") or {}
                for s in status.get("containerStatuses") or ()
                if s.get("name") == CONTAINER
            ),
            {},
        )
        if state.get("running") is not None and status.get("podIP"):
            return Running(ref, uid, str(spec.get("nodeName") or ""), str(status["podIP"]))
        reason, last = _trouble(status, state)
        if reason in FATAL_REASONS or status.get("phase") in ("Failed", "Succeeded"):
            raise NotStarted(f"{ref} did not start: {last}{await _events(context, ref, uid)}.")
        if reason == "Unschedulable" and waited > UNSCHEDULABLE_GRACE_S:
            raise NotStarted(f"{ref} cannot be placed: {last}.")
        await context.sleep(POLL_S)
    raise NotStarted(
        f"{ref} did not run within {limit_s:g} s: {last}{await _events(context, ref, uid)}."
    )


async def remove(context: ProbeContext, ref: Ref, uid: str = "", *, limit_s: float = 8.0) -> str:
    """Deletes one object and verifies that it is gone: "" on success, else one sentence.

    Force-deletes a pod whose kubelet does not confirm. Repeats the request until `limit_s` while
    the server does not answer, because a failing server is when objects are left behind.
    """
    if context.writer is None or context.api is None:
        return f"{ref} could not be removed: there is no way to write to the cluster."
    end = context.clock() + timedelta(seconds=limit_s)
    while True:
        try:
            await context.writer.delete(path_of(ref), uid=uid)
            break
        except NotFound:
            context.ledger.removed(ref, "it was gone already")
            return ""
        except Conflict:  # the uid does not match
            context.ledger.removed(ref, "another object has that name now")
            return ""
        except ClusterError as error:
            if (
                not isinstance(error, Unreachable | ServerError | TooManyRequests)
                or context.clock() >= end
            ):
                return f"{ref} could not be removed: {error}"
            await context.sleep(POLL_S)
    if not (found := await _gone(context, ref, uid, end)):
        context.ledger.removed(ref, "deleted")
        return ""
    if ref.kind == "Pod":
        with contextlib.suppress(ClusterError):  # the next read shows whether it worked
            await context.writer.delete(path_of(ref), uid=uid, grace_seconds=0)
        if not (found := await _gone(context, ref, uid, context.clock() + timedelta(seconds=3))):
            context.ledger.removed(ref, "deleted by force: the kubelet did not confirm")
            return ""
    end_of_it = (
        "it ends by itself at its deadline"
        if ref.kind == "Pod"
        else "the next start looks for it again"
    )
    return f"{ref} was deleted, and {found}; {end_of_it}."


async def remove_all(
    context: ProbeContext, refs: Mapping[Ref, str], *, limit_s: float = 10.0
) -> dict[Ref, str]:
    """Removes pods, then their owners: what remains, with the reason. About `limit_s` seconds for
    each of the two."""
    left: dict[Ref, str] = {}
    for kind in ("Pod", "ConfigMap"):
        batch = [(ref, uid) for ref, uid in refs.items() if ref.kind == kind]
        reasons = await asyncio.gather(
            *(remove(context, ref, uid, limit_s=limit_s) for ref, uid in batch)
        )
        left |= {ref: why for (ref, _), why in zip(batch, reasons, strict=True) if why}
    return left


async def _gone(context: ProbeContext, ref: Ref, uid: str, end: datetime) -> str:
    """ "" once it is gone, else the last state as half a sentence. Reads at least once."""
    assert context.api is not None
    while True:
        try:
            found = await context.api.get_json(path_of(ref), timeout=5, accept=PARTIAL)
        except NotFound:
            return ""
        except ClusterError as error:
            last = f"whether it is gone is not known: {str(error).removesuffix('.')}"
        else:
            if uid and (found.get("metadata") or {}).get("uid") != uid:
                return ""
            last = "is still there"
        if context.clock() >= end:
            return last
        await context.sleep(POLL_S)


def _trouble(status: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[str, str]:
    waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
    for part in (waiting, terminated):
        if part.get("reason") and part["reason"] not in ("ContainerCreating", "PodInitializing"):
            return str(part["reason"]), clean_line(
                f"{part['reason']} {part.get('message') or ''}".strip(), 400
            )
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            reason = str(condition.get("reason") or "Unschedulable")
            return reason, clean_line(str(condition.get("message") or reason), 400)
    if status.get("phase") == "Failed":
        return str(status.get("reason") or "Failed"), clean_line(
            str(status.get("message") or status.get("reason") or "it failed"), 400
        )
    reason = f", {waiting['reason']}" if waiting.get("reason") else ""
    return "", clean_line(f"phase {status.get('phase') or 'unknown'}{reason}", 200)


async def _events(context: ProbeContext, ref: Ref, uid: str) -> str:
    """The newest warning Event of the pod, as half a sentence; "" when there is none or it cannot
    be read."""
    if context.api is None:
        return ""
    selector = f"involvedObject.name={ref.name}" + (f",involvedObject.uid={uid}" if uid else "")
    try:
        path = f"/api/v1/namespaces/{ref.namespace}/events"
        answer = await context.api.get_json(
            path, {"fieldSelector": selector, "limit": 50}, timeout=5
        )
    except ClusterError:
        return ""
    warnings = [
        e for e in answer.get("items") or () if e.get("type") == "Warning" and e.get("message")
    ]
    return f" ({clean_line(str(warnings[-1]['message']), 300)})" if warnings else ""

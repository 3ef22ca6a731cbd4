"""Asks the server before anything is created: access reviews and dry runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from cluster.errors import ClusterError
from probes.context import ProbeContext
from probes.pods import ephemeral_container as ephemeral
from probes.pods.probe_pod import pod_ref, unclonable
from probes.pods.vantage import EPHEMERAL, NONE, POD, Vantage
from probes.result import PlannedObject, Right

POD_RIGHTS = (
    ("create", "pods", ""),
    ("delete", "pods", ""),
    ("create", "configmaps", ""),
    ("delete", "configmaps", ""),
)
"""(verb, resource, subresource): a probe pod and the ConfigMap that owns it come and go."""
EXEC_RIGHTS = (("get", "pods", "exec"), ("create", "pods", "exec"))
CONTAINER_RIGHTS = (("patch", "pods", "ephemeralcontainers"),)


def refused(
    rights: Iterable[Right], namespace: str, needed: Iterable[tuple[str, str, str]]
) -> list[str]:
    """Those of the needed rights that the server refuses in a namespace, as `create pods`."""
    denied = {
        f"{right.verb} {right.resource}"
        for right in rights
        if right.namespace == namespace and right.allowed is False
    }
    return [name for one in needed if (name := f"{one[0]} {resource_name(*one[1:])}") in denied]


def resource_name(plural: str, sub: str) -> str:
    return f"{plural}/{sub}" if sub else plural


async def ask_rights(
    context: ProbeContext, namespaces: list[str], *, container: bool = False
) -> tuple[Right, ...]:
    """Access reviews for each right that a probe pod needs, by namespace; `container`: also those
    for an ephemeral container."""
    questions = (*POD_RIGHTS, *EXEC_RIGHTS, *(CONTAINER_RIGHTS if container else ()))
    asked = [(namespace, *question) for namespace in namespaces for question in questions]

    async def ask(namespace: str, verb: str, plural: str, sub: str) -> Right:
        shown = resource_name(plural, sub)
        if context.writer is None:
            return Right(verb, shown, namespace, None, "not asked: there is no connection")
        try:
            allowed, reason = await context.writer.review(
                verb, plural, subresource=sub, namespace=namespace
            )
        except ClusterError as error:
            return Right(verb, shown, namespace, None, str(error))
        return Right(verb, shown, namespace, allowed, reason)

    return tuple(await asyncio.gather(*(ask(*question) for question in asked)))


async def dry_run(
    context: ProbeContext, vantages: list[Vantage]
) -> tuple[list[Vantage], tuple[PlannedObject, ...]]:
    """A dry run for each pod: a change by admission becomes a warning, a refusal a reason."""

    async def one(vantage: Vantage) -> tuple[Vantage, PlannedObject | None]:
        if vantage.method == EPHEMERAL:
            return await _dry_run_container(context, vantage)
        if vantage.method != POD or vantage.manifest is None or context.writer is None:
            return vantage, None
        ref = pod_ref(vantage.manifest)
        planned = PlannedObject(
            ref, vantage.source.node, vantage.choices[0].image, vantage.manifest
        )
        try:
            answer = await context.writer.create(
                f"/api/v1/namespaces/{ref.namespace}/pods", vantage.manifest, dry_run=True
            )
        except ClusterError as error:
            status = getattr(error, "status", 0)
            if status in (400, 403, 404, 422):
                return replace(
                    vantage, method=NONE, reason=f"the server refuses the probe pod: {error}"
                ), None
            return vantage, replace(
                planned, dry_run=f"no answer to the dry run: {error}", accepted=None
            )
        changes = unclonable(vantage.manifest, answer)
        planned = replace(planned, dry_run="; ".join(changes) or "accepted as sent", accepted=True)
        return replace(vantage, warnings=(*vantage.warnings, *changes)), planned

    pairs = await asyncio.gather(*(one(vantage) for vantage in vantages))
    return [vantage for vantage, _ in pairs], tuple(
        planned for _, planned in pairs if planned is not None
    )


async def _dry_run_container(
    context: ProbeContext, vantage: Vantage
) -> tuple[Vantage, PlannedObject | None]:
    client = vantage.source.client
    assert client is not None
    assert vantage.manifest is not None
    ref = ephemeral.ref_of(client, vantage.manifest)
    planned = PlannedObject(
        ref,
        vantage.source.node,
        vantage.choices[0].image,
        vantage.manifest,
        "accepted as sent",
        True,
    )
    try:
        await ephemeral.dry_run(context, client, vantage.manifest)
    except ClusterError as error:
        if getattr(error, "status", 0) in (400, 403, 404, 422):
            return replace(
                vantage, method=NONE, reason=f"the server refuses the ephemeral container: {error}"
            ), None
        planned = replace(planned, dry_run=f"no answer to the dry run: {error}", accepted=None)
    return vantage, planned

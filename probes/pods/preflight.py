"""What is asked of the server before anything is created: which rights there are, and how it would
answer each creation."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from cluster.errors import ClusterError
from probes.context import ProbeContext
from probes.pods import ephemeral_container as ephemeral
from probes.pods.probe_pod import pod_ref, unclonable
from probes.pods.vantage import EPHEMERAL, NONE, POD, Station
from probes.result import PlannedObject, Right


async def ask_rights(
    context: ProbeContext, namespaces: list[str], *, container: bool = False
) -> tuple[Right, ...]:
    """What the server says about each right that a probe pod (with `container`: an ephemeral
    container) needs, by namespace."""
    questions: tuple[tuple[str, str, str], ...] = (
        ("create", "pods", ""),
        ("delete", "pods", ""),
        ("create", "configmaps", ""),
        ("get", "pods", "exec"),
        ("create", "pods", "exec"),
    )
    if container:
        questions = (*questions, ("patch", "pods", "ephemeralcontainers"))
    asked = [(namespace, *question) for namespace in namespaces for question in questions]

    async def ask(namespace: str, verb: str, resource: str, sub: str) -> Right:
        shown = f"{resource}/{sub}" if sub else resource
        if context.writer is None:
            return Right(verb, shown, namespace, None, "not asked: there is no connection")
        try:
            allowed, reason = await context.writer.review(
                verb, resource, subresource=sub, namespace=namespace
            )
        except ClusterError as error:
            return Right(verb, shown, namespace, None, str(error))
        return Right(verb, shown, namespace, allowed, reason)

    return tuple(await asyncio.gather(*(ask(*question) for question in asked)))


async def dry_run(
    context: ProbeContext, stations: list[Station]
) -> tuple[list[Station], tuple[PlannedObject, ...]]:
    """Ask the server about each pod; what admission would change becomes a warning, what it refuses
    a reason."""

    async def one(station: Station) -> tuple[Station, PlannedObject | None]:
        if station.method == EPHEMERAL:
            return await _dry_run_container(context, station)
        if station.method != POD or station.manifest is None or context.writer is None:
            return station, None
        ref = pod_ref(station.manifest)
        planned = PlannedObject(
            ref, station.source.node, station.choices[0].image, station.manifest
        )
        try:
            answer = await context.writer.create(
                f"/api/v1/namespaces/{ref.namespace}/pods", station.manifest, dry_run=True
            )
        except ClusterError as error:
            status = getattr(error, "status", 0)
            if status in (400, 403, 404, 422):
                return replace(
                    station, method=NONE, reason=f"the server refuses the probe pod: {error}"
                ), None
            return station, replace(
                planned, dry_run=f"no answer to the dry run: {error}", accepted=None
            )
        told = unclonable(station.manifest, answer)
        planned = replace(planned, dry_run="; ".join(told) or "accepted as sent", accepted=True)
        return replace(station, warnings=(*station.warnings, *told)), planned

    pairs = await asyncio.gather(*(one(station) for station in stations))
    return [station for station, _ in pairs], tuple(
        planned for _, planned in pairs if planned is not None
    )


async def _dry_run_container(
    context: ProbeContext, station: Station
) -> tuple[Station, PlannedObject | None]:
    client = station.source.client
    assert client is not None
    assert station.manifest is not None
    ref = ephemeral.ref_of(client, station.manifest)
    planned = PlannedObject(
        ref,
        station.source.node,
        station.choices[0].image,
        station.manifest,
        "accepted as sent",
        True,
    )
    try:
        await ephemeral.dry_run(context, client, station.manifest)
    except ClusterError as error:
        if getattr(error, "status", 0) in (400, 403, 404, 422):
            return replace(
                station, method=NONE, reason=f"the server refuses the ephemeral container: {error}"
            ), None
        planned = replace(planned, dry_run=f"no answer to the dry run: {error}", accepted=None)
    return station, planned

"""Can this machine and this account do what stanch needs? Each question is answered by itself; none
stops the others."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

from cluster.api.transport import Api
from cluster.connect.access import Access
from cluster.connect.kubeconfig import load_access
from cluster.errors import ClusterError
from cluster.health.ladder import ladder
from cluster.kube.kinds import KINDS
from incident.options import Options
from probes.context import probe_writer

_PROBE_RIGHTS = (
    ("create", "pods", ""),
    ("delete", "pods", ""),
    ("create", "configmaps", ""),
    ("delete", "configmaps", ""),
    ("get", "pods", "exec"),
    ("create", "pods", "exec"),
    ("get", "pods", "log"),
)
FREE_WANTED = 100 << 20
"""Bytes that should be free for records."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One answer. `ok` None: it could not be found out. `required`: without it the main job does
    not work."""

    what: str
    ok: bool | None
    seen: str
    required: bool = True


async def examine(options: Options) -> AsyncIterator[Examined]:
    """All answers, as they come; bounded to about half a minute by the time limits of the single
    ones."""
    yield Examined("python", sys.version_info >= (3, 11), sys.version.split()[0])
    yield terminal()
    yield state_folder(options)
    try:
        access = await asyncio.to_thread(load_access, options.context, explicit=options.kubeconfig)
    except ClusterError as error:
        yield Examined("kubeconfig", False, str(error))
        return
    yield Examined(
        "kubeconfig",
        True,
        f"context {access.context}, {access.server}, from {', '.join(access.sources) or 'the pod'}",
    )
    for warning in access.warnings:
        yield Examined("kubeconfig", None, warning, required=False)
    reached = True
    for hop in await ladder(access):
        reached = reached and hop.ok is True
        yield Examined(f"way: {hop.name}", hop.ok, hop.sentence)
    if reached:
        async for answer in rights(access, options):
            yield answer


def terminal() -> Examined:
    size = shutil.get_terminal_size()
    term = os.environ.get("TERM", "")
    drawn = sys.stdout.isatty() and term not in ("", "dumb")
    seen = f"{size.columns}x{size.lines}, TERM={term or '(not set)'}"
    return Examined(
        "terminal",
        drawn,
        seen + ("" if drawn else "; no screens here, the text commands work"),
        required=False,
    )


def state_folder(options: Options) -> Examined:
    folder = options.state
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        return Examined(
            "record",
            False,
            f"{existing} cannot be written: records would live in memory only; set STANCH_STATE "
            "to another folder",
        )
    free = shutil.disk_usage(existing).free
    seen = f"{folder}, {free >> 20:,} MiB free, SQLite {sqlite3.sqlite_version}"
    return Examined("record", free >= FREE_WANTED, seen)


async def rights(access: Access, options: Options) -> AsyncIterator[Examined]:
    """What the account may read, and what probes need; asked by access reviews, eight at a time."""
    api = Api(access)
    writer = probe_writer(api)
    namespace = (options.namespaces or (access.namespace or "default",))[0]
    gate = asyncio.Semaphore(8)

    async def may(verb: str, resource: str, group: str, sub: str, where: str) -> bool | None:
        try:
            async with gate:
                return (
                    await writer.review(
                        verb, resource, group=group, subresource=sub, namespace=where
                    )
                )[0]
        except ClusterError:
            return None

    try:
        reading = await asyncio.gather(
            *(
                may(verb, kind.plural, kind.group, "", "")
                for kind in KINDS
                for verb in ("list", "watch")
            )
        )
        for index, kind in enumerate(KINDS):
            allowed = reading[2 * index : 2 * index + 2]
            ok = None if None in allowed else all(allowed)
            seen = (
                "list and watch in all namespaces"
                if ok
                else "not in all namespaces: this part will be missing or per namespace"
            )
            yield Examined(
                f"read {kind.plural}",
                ok,
                "could not be asked" if ok is None else seen,
                required=not kind.optional,
            )
        probing = await asyncio.gather(
            *(may(verb, resource, "", sub, namespace) for verb, resource, sub in _PROBE_RIGHTS)
        )
        for (verb, resource, sub), ok in zip(_PROBE_RIGHTS, probing, strict=True):
            name = f"{resource}/{sub}" if sub else resource
            yield Examined(f"probe: {verb} {name}", ok, f"in namespace {namespace}", required=False)
        offset = api.clock_offset
        if offset is not None:
            seconds = offset.total_seconds()
            yield Examined(
                "clock",
                abs(seconds) <= 2,
                f"the server's clock is {seconds:+.1f} s from ours",
                required=False,
            )
    finally:
        await api.aclose()

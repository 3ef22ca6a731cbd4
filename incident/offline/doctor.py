"""Examines whether this machine and this account have what stanch needs. Each question is answered
independently of the others."""

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
from cluster.errors import ClusterError, Forbidden
from cluster.health.ladder import ladder
from cluster.kube.kinds import KINDS
from incident.options import Options
from probes.context import probe_writer
from probes.pods.preflight import CONTAINER_RIGHTS, EXEC_RIGHTS, POD_RIGHTS, resource_name

ACTION_RIGHTS = (
    ("patch", "", "nodes", ""),
    ("create", "", "pods", "eviction"),
    ("delete", "", "pods", ""),
    ("patch", "", "pods", ""),
    ("patch", "", "secrets", ""),
    ("patch", "", "persistentvolumeclaims", ""),
    ("patch", "apps", "deployments", ""),
    ("patch", "apps", "statefulsets", ""),
    ("patch", "apps", "daemonsets", ""),
    ("patch", "batch", "cronjobs", ""),
    ("delete", "batch", "jobs", ""),
    ("delete", "networking.k8s.io", "networkpolicies", ""),
    ("create", "networking.k8s.io", "networkpolicies", ""),
    ("delete", "storage.k8s.io", "volumeattachments", ""),
)
"""(verb, group, resource, subresource) that the actions of `actions.changes` need."""
_SOURCES = (
    ("logs of containers", "get", "", "pods", "log"),
    ("usage by metrics.k8s.io", "list", "metrics.k8s.io", "pods", ""),
    ("kubelet summaries and cadvisor", "get", "", "nodes", "proxy"),
    ("metrics of DNS and kube-proxy", "get", "", "pods", "proxy"),
)
_PATHS = ("/metrics", "/readyz")
FREE_WANTED = 100 << 20
"""Bytes that should be free for records."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One answer. `ok` is None when it could not be found out. `required`: without it the main job
    does not work."""

    what: str
    ok: bool | None
    seen: str
    required: bool = True


async def examine(options: Options) -> AsyncIterator[Examined]:
    """Yield each answer as it arrives. The time limits of the single questions bound the whole to
    about half a minute."""
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
    """What the account may read, and what probes, actions and optional sources need. Sends access
    reviews, at most eight at a time."""
    api = Api(access)
    writer = probe_writer(api)
    namespace = (options.namespaces or (access.namespace or "default",))[0]
    gate = asyncio.Semaphore(8)

    async def may(
        verb: str, resource: str, group: str = "", sub: str = "", where: str = ""
    ) -> bool | None:
        try:
            async with gate:
                allowed, _ = await writer.review(
                    verb,
                    resource,
                    group=group,
                    subresource=sub,
                    namespace=where,
                )
                return allowed
        except ClusterError:
            return None

    async def readable(path: str) -> bool | None:
        try:
            async with gate:
                await api.get_text(path, timeout=5.0, cap=1024)
                return True
        except Forbidden:
            return False
        except ClusterError:
            return None

    try:
        reading = [
            asyncio.gather(*(may(verb, kind.plural, kind.group) for verb in ("list", "watch")))
            for kind in KINDS
        ]
        for kind, both in zip(KINDS, reading, strict=True):
            allowed = await both
            ok = None if None in allowed else all(allowed)
            seen = "list and watch in all namespaces"
            if not ok:
                seen = "not in all namespaces: this part will be missing or per namespace"
            answer = "could not be asked" if ok is None else seen
            yield Examined(f"read {kind.plural}", ok, answer, required=not kind.optional)
        optional = [
            *(
                (f"probe: {verb} {resource_name(resource, sub)}", _where(namespace), ask)
                for verb, resource, sub in (*POD_RIGHTS, *EXEC_RIGHTS, *CONTAINER_RIGHTS)
                for ask in (may(verb, resource, "", sub, namespace),)
            ),
            *(
                (f"action: {verb} {resource_name(resource, sub)}", _where(where), ask)
                for verb, group, resource, sub in ACTION_RIGHTS
                for where in ("" if resource in _CLUSTER_SCOPED else namespace,)
                for ask in (may(verb, resource, group, sub, where),)
            ),
            *(
                (f"optional: {source}", f"{verb} {resource_name(resource, sub)}", ask)
                for source, verb, group, resource, sub in _SOURCES
                for ask in (may(verb, resource, group, sub),)
            ),
            *((f"optional: {at} of the server", f"get {at}", readable(at)) for at in _PATHS),
        ]
        answers = await asyncio.gather(*(ask for _, _, ask in optional))
        for (what, seen, _), ok in zip(optional, answers, strict=True):
            yield Examined(what, ok, seen, required=False)
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


_CLUSTER_SCOPED = ("nodes", "volumeattachments")


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "in the whole cluster"

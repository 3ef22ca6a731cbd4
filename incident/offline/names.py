"""Names that a shell completes: contexts, namespaces, incidents, runbooks, probes and actions.

Names that take longer than two seconds are not offered, so that a completion does not hang on a
cluster that does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from actions import catalogue as actions
from cluster.api.transport import Api
from cluster.connect.kubeconfig import list_contexts, load_access
from cluster.errors import ClusterError
from cluster.kube.text import clean_line
from incident.offline import archive
from incident.offline import runbooks as books
from incident.options import Options
from probes import catalogue as probes

LIMIT_S = 2.0
"""Seconds for the one request, which reads namespaces."""
MOST = 500
"""Most namespaces offered."""


def names(kind: str, options: Options) -> list[str]:
    """Sorted names of one kind (a key of `KINDS`); empty when they are not available."""
    with contextlib.suppress(ClusterError, OSError, TimeoutError, ValueError):
        return sorted(KINDS[kind](options))
    return []


def _contexts(options: Options) -> list[str]:
    return [clean_line(each.name) for each in list_contexts(options.kubeconfig)]


def _namespaces(options: Options) -> list[str]:
    return asyncio.run(_listed(options))


async def _listed(options: Options) -> list[str]:
    access = load_access(options.context, explicit=options.kubeconfig)
    api = Api(access)
    try:
        path = "/api/v1/namespaces"
        found = await api.get_json(path, {"limit": str(MOST)}, timeout=LIMIT_S)
    finally:
        await api.aclose()
    return [str(item["metadata"]["name"]) for item in found.get("items") or ()]


def _incidents(options: Options) -> list[str]:
    return ["new", *(each.id for each in archive.incidents(options))]


def _runbooks(options: Options) -> list[str]:
    return [book.id for book in books.load(options.runbook_folders).runbooks]


KINDS: Mapping[str, Callable[[Options], list[str]]] = {
    "contexts": _contexts,
    "namespaces": _namespaces,
    "incidents": _incidents,
    "runbooks": _runbooks,
    "probes": lambda _: ["list", "sweep", *probes.names()],
    "actions": lambda _: ["list", *actions.names()],
}

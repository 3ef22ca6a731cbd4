"""Contexts of the kubeconfig and incidents on this machine that an investigation can be opened on.
Reads only the disk, so it works without a cluster."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cluster.connect.kubeconfig import list_contexts
from cluster.kube.text import clean_uncut
from incident.config import load_config
from incident.offline.archive import directory
from incident.options import Options
from timeline.journal import index

Incident = index.Incident


class ContextChoice(msgspec.Struct, frozen=True):
    """A context to choose. `read_only`: by the settings."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool
    read_only: bool


def contexts(options: Options) -> Sequence[ContextChoice]:
    """Contexts of the kubeconfig, in its order (blocking). Raises `ClusterError`, `ConfigError`."""
    settings = load_config(options.config).contexts
    return [
        ContextChoice(
            each.name,
            each.cluster,
            each.user,
            each.namespace,
            each.current,
            each.name in settings and settings[each.name].read_only,
        )
        for each in list_contexts(options.kubeconfig)
    ]


def incidents(options: Options) -> Sequence[Incident]:
    """Incidents in the folder of these options, newest first (blocking); a drill lists only drills.
    Damaged ones carry their fault."""
    return index.list_incidents(directory(options), clean=clean_uncut)

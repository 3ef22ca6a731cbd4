"""What an investigation can be opened on instead: the contexts of the kubeconfig and the incidents
on this machine. Both are read from disk alone, so they can be chosen without any cluster."""

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
    """A context that can be chosen. `read_only`: the settings keep it so."""

    name: str
    cluster: str
    user: str
    namespace: str
    current: bool
    read_only: bool


def contexts(options: Options) -> Sequence[ContextChoice]:
    """Those of the kubeconfig, in its order. Blocking. Raises `ClusterError`, `ConfigError`."""
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
    """Those in the folder of these options, newest first: a drill lists rehearsals alone. Blocking.
    Damaged ones are listed with what is wrong."""
    return index.list_incidents(directory(options), clean=clean_uncut)

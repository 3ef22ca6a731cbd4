"""The first workload or cluster-wide grant by a field manager that had written nothing before
(story 002 JW Player).

Signs of an intruder are workloads by an unexpected field manager and new ClusterRoleBindings. A new
manager may also be a colleague, so the finding gives the time of what followed and accuses no one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from cluster.kube.managed_fields import writes
from cluster.kube.objects import LeanMeta, ObjectMeta, Ref
from triage.changes.change_fact import creator
from triage.facts.cluster_view import ClusterView

_KINDS = ("Deployment", "DaemonSet", "StatefulSet", "CronJob", "ClusterRoleBinding")
_BESIDE = timedelta(minutes=30)
"""The person who exposed the Service may continue installing for this long."""


class NewManager(msgspec.Struct, frozen=True):
    """The first object of a new field manager: the object, its time (UTC), and the manager."""

    ref: Ref
    at: datetime
    manager: str


def first_stranger(opened: datetime, view: ClusterView) -> NewManager | None:
    """The first new manager after a Service was exposed; None when every later manager had written
    before, or belongs to a workload of the cluster."""
    known: set[str] = set()
    later: list[NewManager] = []
    for ref, meta in _objects(view):
        created = meta.creation_timestamp
        written = writes(meta)
        known.update(w.manager for w in written if w.time and w.time <= opened + _BESIDE)
        if created is not None and created > opened + _BESIDE:
            manager = creator(written, created)
            if manager:
                later.append(NewManager(ref, created, manager))
    names = {name for kind in _KINDS[:3] for _, name in view.store.rows(kind)}
    strange = [each for each in later if each.manager not in known and each.manager not in names]
    return min(strange, key=lambda each: (each.at, each.ref), default=None)


def _objects(view: ClusterView) -> Iterator[tuple[Ref, ObjectMeta]]:
    for kind in _KINDS:
        for key, row in view.store.rows(kind).items():
            meta: LeanMeta = row.metadata
            if isinstance(meta, ObjectMeta) and not meta.owner_references:
                yield Ref(kind, *key), meta

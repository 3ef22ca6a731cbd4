"""The Audit-Id of answers: the key under which the cluster's own audit log has a request."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar

from cluster.kube.text import clean_line

KEPT = 64
"""Audit-Ids of a trail: the last ones, since a watch is opened again every few minutes."""
_TRAIL: ContextVar[list[str] | None] = ContextVar("audit_trail", default=None)


def audit_trail() -> list[str]:
    """Takes the Audit-Id of each answer that the running task waits for from now on, the last
    `KEPT`."""
    trail: list[str] = []
    _TRAIL.set(trail)
    return trail


def trail_so_far() -> tuple[str, ...]:
    """The Audit-Ids of the running task's trail; none where no trail was begun."""
    return tuple(_TRAIL.get() or ())


def note_audit_id(headers: Mapping[str, str]) -> None:
    """Add the Audit-Id of an answer, if it has one, to the trail of the running task."""
    trail = _TRAIL.get()
    if trail is not None and "audit-id" in headers:
        trail.append(clean_line(headers["audit-id"], 80))
        del trail[:-KEPT]

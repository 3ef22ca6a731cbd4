"""A change as a value, and the manager that created an object."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType

from cluster.kube.objects import ManagedFields, Ref
from triage.facts.finding import ChangeFact, Fact

AT_BIRTH = timedelta(seconds=30)
"""Writes this soon after the creation of an object belong to its creation."""


def change_fact(
    at: datetime, what: str, ref: Ref, rule: str, manager: str = "", **facts: Fact
) -> ChangeFact:
    """A change with its facts frozen."""
    return ChangeFact(at, what, ref, rule, manager, MappingProxyType(facts))


def creator(written: list[ManagedFields], created: datetime) -> str:
    """The manager that created an object; "" when a later write replaced its entry. A controller
    may write its annotation in the same second: a creation writes more than metadata."""
    first = min(
        (
            (w.time, set(w.fields_v1) == {"f:metadata"}, w.manager)
            for w in written
            if w.time and abs(w.time - created) <= AT_BIRTH
        ),
        default=None,
    )
    return first[2] if first is not None else ""

"""Conditions in the status of an object."""

from __future__ import annotations

from collections.abc import Iterable

from cluster.kube.objects import Condition


def condition_of(conditions: Iterable[Condition], type_: str, status: str = "") -> Condition | None:
    """The condition of a type, None when the object has none yet, or one of another status than
    `status`."""
    found = next((each for each in conditions if each.type == type_), None)
    return found if found is not None and status in ("", found.status) else None


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the object has this condition with status True."""
    return condition_of(conditions, type_, "True") is not None

"""Finds earlier incidents with the same symptom: when, what ended them, which runbook was
followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec


class EarlierIncident(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier incident: its symptoms (ids), the runbooks that fitted, the one that was followed
    ("" for none), the last change before it was mitigated or resolved ("" when unknown), and its
    duration in seconds."""

    incident: str
    began: datetime
    symptoms: frozenset[str]
    runbooks: frozenset[str]
    followed: str = ""
    ended_by: str = ""
    seconds: float | None = None


def seen_before(
    earlier: Sequence[EarlierIncident], symptom: str, runbooks: Iterable[str]
) -> EarlierIncident | None:
    """The newest earlier incident with the same symptom or the same runbook."""
    fitting = frozenset(runbooks)
    return next(
        (each for each in earlier if symptom in each.symptoms or fitting & each.runbooks), None
    )

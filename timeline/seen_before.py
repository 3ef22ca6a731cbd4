"""Earlier incidents with the same symptom: when, what ended them, which runbook was followed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier incident: its symptoms (ids), the runbooks that fitted, the one that was
    followed ("" for none), what was changed last before it was mitigated or resolved ("" when that
    is not known), and how long it lasted in seconds."""

    incident: str
    began: datetime
    symptoms: frozenset[str]
    runbooks: frozenset[str]
    followed: str = ""
    ended_by: str = ""
    seconds: float | None = None


def seen_before(
    earlier: Sequence[Earlier], symptom: str, runbooks: Iterable[str]
) -> Earlier | None:
    """The newest earlier incident with the same symptom, or for which the same runbook fitted."""
    fitting = frozenset(runbooks)
    return next(
        (each for each in earlier if symptom in each.symptoms or fitting & each.runbooks), None
    )

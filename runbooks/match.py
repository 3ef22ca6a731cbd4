"""The answer of the matcher: a runbook, how well it fits (0 to 1) and why."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One piece for, missing or against. `step` is the id of the runbook step that would tell (for
    missing ones)."""

    text: str
    step: str = ""
    findings: tuple[str, ...] = ()
    """Ids of the findings it rests on."""


class Match(msgspec.Struct, frozen=True):
    """One runbook beside a symptom or a human's words."""

    id: str
    title: str
    score: float
    confident: bool
    for_: tuple[Reason, ...] = ()
    missing: tuple[Reason, ...] = ()
    against: tuple[Reason, ...] = ()

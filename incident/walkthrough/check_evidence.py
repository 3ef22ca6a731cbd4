"""Evidence of a check: the question, what was seen, and the objects that decided it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runbooks import steps
from runbooks.check import CheckOutcome
from runbooks.model import Step
from timeline.entry import Capture

KEPT = 50
"""Most objects kept as evidence of a check: those that decide it first."""


def deciding(outcome: CheckOutcome) -> list[Mapping[str, Any]]:
    """The objects that a check read, those that decide first."""
    bad = " ".join(outcome.offenders)
    return sorted(outcome.read, key=lambda each: _name(each) not in bad)


def evidence(
    step: Step, values: Mapping[str, str], outcome: CheckOutcome, seconds: float
) -> Capture:
    """Evidence of a check."""
    objects = deciding(outcome)[:KEPT]
    document = {
        "question": steps.fill(step.question, values),
        "expected": steps.fill(step.expected, values),
        "seen": outcome.seen,
        "why": outcome.why,
        "failing": list(outcome.offenders),
        "read": len(outcome.read),
        "objects": objects,
    }
    content = json.dumps({k: v for k, v in document.items() if v}, indent=1, default=str)
    return Capture(
        content=content.encode(),
        source=steps.known_command(step, values) or f"check {step.id}",
        media_type="application/json",
        duration=seconds,
    )


def _name(read: Mapping[str, Any]) -> str:
    meta = read.get("metadata")
    return str(meta.get("name", "-")) if isinstance(meta, Mapping) else "-"

"""Evidence that was measured."""

from __future__ import annotations

from typing import Any

from triage.facts.finding import Evidence
from triage.facts.measurements import Sample


def said(sample: Sample[Any], text: str) -> Evidence:
    """What a sample says, with its time and the seconds that it covers."""
    over = f" over {sample.seconds:.0f} s" if sample.seconds else ""
    return Evidence(f"measured{over}", text, sample.at)

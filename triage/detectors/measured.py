"""Findings from measurements (`triage.sources`), each only where its source is there."""

from __future__ import annotations

from collections.abc import Iterator

from triage.finding import Finding
from triage.sources import Sources
from triage.view import View


def detect(view: View, extra: Sources | None) -> Iterator[Finding]:
    """All findings that the measurements give."""
    if extra is None:
        return
    yield from ()

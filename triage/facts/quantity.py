"""Quantities as numbers, and numbers and durations as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

from cluster.kube.quantity import parse
from cluster.kube.quantity import size_text as bytes_text

__all__ = ["bytes_text", "moment_text", "parse", "span_text"]


def span_text(span: timedelta | float) -> str:
    """A duration in its largest fitting unit: "45 s", "8 min", "3 h", "2 d"."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86_400:.0f} d"


def moment_text(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """A time of day in UTC, with its date when that is not today's: "03:03 UTC", "2026-11-20 03:03
    UTC"."""
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return f"{clock} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d} {clock} UTC"

"""Quantities, durations and times as detectors write them in claims and evidence."""

from __future__ import annotations

from datetime import datetime

from cluster.kube.durations import clock
from cluster.kube.durations import words as span_text
from cluster.kube.quantity import parse
from cluster.kube.quantity import size_text as bytes_text

__all__ = ["bytes_text", "moment_text", "parse", "span_text"]


def moment_text(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """A time of day with its zone: "03:03 UTC", "2026-11-20 03:03 UTC"."""
    return f"{clock(at, now, seconds=seconds)} UTC"

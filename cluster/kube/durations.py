"""Durations and times of day as people write and read them. All times are UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)\s*")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def parse(text: str) -> float | None:
    """`250ms`, `90s`, `5m`, `1h30m`, `2d`, `1w` in seconds; None when it is none of these."""
    text = text.strip().lower()
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def short(span: timedelta | float) -> str:
    """A duration in its largest fitting unit, in at most five characters: `48s`, `8m`, `3h`, `2d`.
    Cut, not rounded, as kubectl does; one below zero is zero."""
    count, unit = _largest(span)
    return f"{count}{unit[0]}"


def words(span: timedelta | float) -> str:
    """As `short`, for sentences: `45 s`, `8 min`, `3 h`, `2 d`."""
    count, unit = _largest(span)
    return f"{count} {unit}"


def clock(at: datetime, now: datetime | None = None, *, seconds: bool = True) -> str:
    """The time of day, with its date when that is not the day of `now`: `03:02:11`,
    `2026-11-20 03:02:11`; without seconds `03:02`."""
    at = at.astimezone(UTC)
    time = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    other_day = now is not None and at.date() != now.astimezone(UTC).date()
    return f"{at:%Y-%m-%d} {time}" if other_day else time


def utc_clock(at: datetime, now: datetime, *, seconds: bool = False) -> str:
    """As `clock`, with the zone, for sentences: `03:03 UTC`, `2026-11-20 03:03 UTC`."""
    return f"{clock(at, now, seconds=seconds)} UTC"


def parse_time(text: str) -> datetime | None:
    """An RFC 3339 time, fractions of a second cut to microseconds; None when it is none or names no
    zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _largest(span: timedelta | float) -> tuple[int, str]:
    seconds = max(0, int(span.total_seconds() if isinstance(span, timedelta) else span))
    for limit, size, unit in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if seconds < limit:
            return seconds // size, unit
    return seconds // 86_400, "d"

"""Ages as kubectl prints them."""

from __future__ import annotations

from datetime import datetime

from drills.objects import parse_time


def age(stamp: str | None, now: datetime) -> str:
    """`5m12s`, `3d4h`: k8s.io/apimachinery/pkg/util/duration.HumanDuration."""
    if not stamp:
        return "<unknown>"
    s = max(0, int((now - parse_time(stamp)).total_seconds()))
    m, h, d = s // 60, s // 3600, s // 86400
    if s < 120:
        return f"{s}s"
    if m < 10:
        return f"{m}m{s % 60}s" if s % 60 else f"{m}m"
    if m < 180:
        return f"{m}m"
    if h < 8:
        return f"{h}h{m % 60}m" if m % 60 else f"{h}h"
    if h < 48:
        return f"{h}h"
    if d < 8:
        return f"{d}d{h % 24}h" if h % 24 else f"{d}d"
    if d < 730:
        return f"{d}d"
    return f"{d // 365}y{d % 365}d"

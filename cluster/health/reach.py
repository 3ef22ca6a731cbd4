"""Whether the API server answers, in one word."""

from __future__ import annotations

import enum


class Reach(enum.StrEnum):
    UNKNOWN = "unknown"
    """Not asked yet."""
    REACHABLE = "reachable"
    DEGRADED = "degraded"
    """It answers, but slowly, as not ready, or with a refusal of the credentials."""
    BUSY = "busy"
    """This machine is too busy to tell: the program itself reads answers late."""
    UNREACHABLE = "unreachable"

"""States, ages, times and counts in words: never colour alone, never only a relative time."""

from __future__ import annotations

from datetime import UTC, datetime

from cluster.kube import durations
from cluster.kube.kinds import plural_words
from cluster.live.freshness import Freshness, WatchState
from incident.view import ApiView, Connection
from incident.walkthrough.run import StepState
from triage.facts.finding import Severity, SinceSource

SEVERITY: dict[Severity, tuple[str, str]] = {
    Severity.CRITICAL: ("CRIT", "alarm"),
    Severity.WARNING: ("WARN", "warning"),
    Severity.INFO: ("INFO", "muted"),
}
"""Word (four letters, so that rows stay aligned) and style name: reversed, bold and plain, so that
the three differ without colour too."""

STEP: dict[StepState, tuple[str, str]] = {
    StepState.TODO: ("to do", "muted"),
    StepState.NOW: ("now", "key"),
    StepState.RUNNING: ("running", "info"),
    StepState.PASSED: ("as expected", "good"),
    StepState.FAILED: ("abnormal", "critical"),
    StepState.UNKNOWN: ("unknown", "unknown"),
    StepState.DONE: ("done", "good"),
    StepState.ANSWERED: ("answered", "good"),
    StepState.SKIPPED: ("skipped", "muted"),
}

SINCE: dict[SinceSource, str] = {
    SinceSource.CONDITION: "from its condition",
    SinceSource.EVENT: "from an event",
    SinceSource.STATUS: "from its status",
    SinceSource.MANAGED_FIELDS: "from its last change",
    SinceSource.CREATION: "from its creation",
    SinceSource.FIRST_SEEN: "first seen then, may be older",
}
"""How the beginning of a finding is known."""

age = durations.short


def ago(at: datetime | None, now: datetime) -> str:
    """How long ago: `48 s`, `8 min`, `3 h`, `2 d`; "unknown" when the time is."""
    return "unknown" if at is None else durations.words(now - at)


def clock(at: datetime | None, now: datetime | None = None) -> str:
    """`03:02:11` in UTC; with the date when it was not the day of `now`."""
    return "unknown" if at is None else durations.clock(at, now)


def minute(at: datetime | None, now: datetime) -> str:
    """`02:58` in UTC, or `11-20 02:58` on another day."""
    if at is None:
        return "  ?  "
    at = at.astimezone(UTC)
    return f"{at:%m-%d %H:%M}" if at.date() != now.astimezone(UTC).date() else f"{at:%H:%M}"


def count(number: int) -> str:
    """`1,240`."""
    return f"{number:,}"


def plural(number: int, noun: str, nouns: str = "") -> str:
    """`1 object`, `41 objects`."""
    return f"{count(number)} {noun if number == 1 else nouns or noun + 's'}"


def freshness(kind: Freshness, now: datetime) -> tuple[str, str]:
    """The state of a kind in words, and its style. Loading, live, stale, forbidden and absent read
    differently."""
    heard = age((now - kind.heard).total_seconds()) if kind.heard is not None else ""
    match kind.state:
        case WatchState.WAITING:
            return "not read yet", "unknown"
        case WatchState.LOADING:
            of = f"/~{count(kind.expected)}" if kind.expected else ""
            return f"loading {count(kind.count)}{of}", "unknown"
        case WatchState.LIVE:
            return heard or "live", "plain"
        case WatchState.STALE:
            return (f"{heard} stale" if heard else "stale"), "warning"
        case WatchState.FORBIDDEN:
            return "forbidden", "warning"
        case WatchState.ABSENT:
            return "not offered", "muted"


REACH: dict[Connection, tuple[str, str]] = {
    Connection.CONNECTING: ("The API server is being asked", "unknown"),
    Connection.LIVE: ("The API server answers", "good"),
    Connection.DEGRADED: ("Reading is impaired", "warning"),
    Connection.BUSY: ("This machine is busy", "warning"),
    Connection.LOST: ("The API server does NOT answer", "critical"),
    Connection.OFFLINE: ("No API server is configured", "unknown"),
}
"""Impaired: the server is slow, refuses, or the login fails; the reason stands beside it."""


def reach(api: ApiView, now: datetime) -> tuple[str, str]:
    """Whether the API answers, in words; "" when all is well."""
    since = age((now - api.since).total_seconds())
    match api.reach:
        case Connection.LIVE:
            return "", "plain"
        case Connection.CONNECTING:
            return f"connecting {since}", "unknown"
        case Connection.DEGRADED:
            return f"API DEGRADED {since}", "warning"
        case Connection.BUSY:
            return f"THIS MACHINE BUSY {since}", "warning"
        case Connection.LOST:
            return f"API LOST {since}", "critical"
        case Connection.OFFLINE:
            return "no cluster", "unknown"


def kinds_count(number: int, kind: str) -> str:
    """`1 Pod`, `1,240 pods`."""
    return f"1 {kind}" if number == 1 else f"{count(number)} {kinds_name(kind)}"


kinds_name = plural_words

"""What the faces show: one immutable view of an investigation.

The screens and the text interface read `Investigation.view` and nothing deeper. A new view is made
at most ten times a second. It shares unchanged parts with the one before, so comparing parts by
identity tells whether they changed.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from cluster.live.freshness import Freshness, State
from runbooks.match import Match
from timeline.entry import Entry
from timeline.seen_before import Earlier
from timeline.summary import Summary
from triage.facts.finding import Report, Symptom


class Reach(enum.StrEnum):
    """Whether the API server answers."""

    CONNECTING = "connecting"
    LIVE = "live"
    DEGRADED = "degraded"
    """It answers, slowly or in part."""
    LOST = "lost"
    OFFLINE = "offline"
    """There is no cluster to ask: no kubeconfig, or a recorded incident is read."""


class HopView(msgspec.Struct, frozen=True):
    """One rung of the ladder from the workstation: DNS, TCP, TLS, HTTP, readyz."""

    name: str
    ok: bool | None
    """None: not measured, because an earlier hop failed."""
    seconds: float | None
    detail: str


class ApiView(msgspec.Struct, frozen=True):
    reach: Reach
    since: datetime
    reason: str = ""
    """One sentence, "" when live."""
    heard: datetime | None = None
    hops: tuple[HopView, ...] = ()
    requests_per_minute: int = 0
    clock_offset: float | None = None
    """Seconds by which the server's clock is ahead of ours, None when unknown."""
    skew: timedelta = timedelta()
    """The same where it is larger than 5 s and ages are counted by the server's clock; else 0."""


class RecordView(msgspec.Struct, frozen=True):
    """The incident's file. `state` is "ok", "sidecar" (the database refuses, entries are on disk
    beside it), "refused" (the disk takes nothing, `refused` entries are in memory only) or
    "none"."""

    incident: str
    entries: int
    state: str
    reason: str = ""
    head: str = ""
    waiting: int = 0
    """Entries that the disk has not acknowledged yet."""
    refused: int = 0
    """Entries that are NOT RECORDED."""
    notice: str = ""
    """What a person must know of how the record was opened, in one sentence."""
    summary: Summary = Summary()
    """Title, severity and state of the incident, and its cluster."""
    unknown: Sequence[Entry] = ()
    """Changes of an earlier session whose outcome is not known."""
    earlier: Sequence[Earlier] = ()
    """Earlier incidents, for "seen before"."""
    picture: Sequence[Entry] = ()
    """What the last incident of this context saw, while this session has read nothing."""


class SymptomView(msgspec.Struct, frozen=True):
    symptom: Symptom
    matches: tuple[Match, ...]
    """Best first; may be empty: nothing fits is an answer."""
    ranked: bool = True
    """False while the runbooks are still being read: that nothing fits is not known yet."""


class Activity(msgspec.Struct, frozen=True):
    """Something under way that a person waits for or may stop."""

    id: str
    title: str
    started: datetime
    detail: str = ""
    can_stop: bool = True


def nothing_readable(kinds: Collection[Freshness]) -> bool:
    """Whether everything that was asked for is forbidden or not offered: then there is nothing to
    wait for."""
    return bool(kinds) and all(kind.state in (State.FORBIDDEN, State.ABSENT) for kind in kinds)


def unavailable(kinds: Iterable[Freshness]) -> dict[str, str]:
    """Kinds of which nothing is known, with the reason: forbidden, not offered, or not read yet."""
    return {
        kind.kind: kind.reason or kind.state.value
        for kind in kinds
        if kind.state in (State.FORBIDDEN, State.ABSENT) or kind.heard is None
    }


NOTHING_READABLE = (
    "Not known: these credentials may read nothing here. Name a namespace that they may read with "
    "-n, or ask for the right to view."
)


class View(msgspec.Struct, frozen=True):
    version: int
    as_of: datetime
    context: str
    server: str
    write: bool
    namespaces: tuple[str, ...]
    api: ApiView
    kinds: tuple[Freshness, ...]
    report: Report | None
    """None until the first kinds have been read: not known is not healthy."""
    symptoms: tuple[SymptomView, ...]
    record: RecordView
    activities: tuple[Activity, ...] = ()
    problem: str = ""
    """Why there is no cluster, in one sentence with what to try; "" otherwise."""
    ranked: bool = True
    """False while the runbooks are still being read: symptoms then have no matches yet, which is
    not "none fits"."""
    settled: bool = True
    """False while the logs of what the report names are being read for the first time."""

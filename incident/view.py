"""What the faces show: one immutable view of an investigation.

The faces read `Investigation.view` and nothing deeper. A new view is made at most ten times a
second. It shares unchanged parts with the previous one, so an identity comparison shows which parts
changed.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec

from cluster.live.freshness import Freshness, WatchState
from runbooks.match import Match
from timeline.entry import Entry
from timeline.seen_before import EarlierIncident
from timeline.summary import Summary
from triage.facts.finding import Report, Symptom


class Connection(enum.StrEnum):
    """Whether the API server answers."""

    CONNECTING = "connecting"
    LIVE = "live"
    DEGRADED = "degraded"
    """It answers slowly or in part."""
    BUSY = "busy"
    """Not known: this machine is too busy to read its answers in time."""
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
    reach: Connection
    since: datetime
    reason: str = ""
    """One sentence, "" when live."""
    heard: datetime | None = None
    hops: tuple[HopView, ...] = ()
    requests_per_minute: int = 0
    clock_offset: float | None = None
    """Seconds by which the server's clock is ahead of the local one, None when unknown."""
    skew: timedelta = timedelta()
    """The same when it is larger than 5 s, so that ages are counted by the server's clock; else 0.
    """


class RecordView(msgspec.Struct, frozen=True):
    """The incident's file. `state` is "ok", "sidecar" (the database refuses, entries go to a file
    beside it), "refused" (the disk takes nothing, `refused` entries are only in memory) or "none".
    """

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
    """What a person must know about how the record was opened, in one sentence."""
    summary: Summary = Summary()
    """Title, severity and state of the incident, and its cluster."""
    unknown: Sequence[Entry] = ()
    """Changes of an earlier session with an unknown outcome."""
    earlier: Sequence[EarlierIncident] = ()
    """Earlier incidents, for "seen before"."""
    changed: Mapping[tuple[str, str, str], datetime] = MappingProxyType({})
    """Objects (kind, namespace, name) that this incident changed, with the first time."""
    picture: Sequence[Entry] = ()
    """What the last incident of this context saw, while this session has read nothing."""


class SymptomView(msgspec.Struct, frozen=True, eq=False):
    """A symptom with its runbooks; equal only to itself, as views are compared by identity."""

    symptom: Symptom
    matches: tuple[Match, ...]
    """Best first. Empty means that nothing fits."""
    ranked: bool = True
    """False until the runbooks have been read; then it is not known yet whether one fits."""


class Activity(msgspec.Struct, frozen=True):
    """Something that runs now, which a person waits for or may stop."""

    id: str
    title: str
    started: datetime
    detail: str = ""
    can_stop: bool = True


def nothing_readable(kinds: Collection[Freshness]) -> bool:
    """Whether every requested kind is forbidden or not offered, so that waiting is of no use."""
    return bool(kinds) and all(
        kind.state in (WatchState.FORBIDDEN, WatchState.ABSENT) for kind in kinds
    )


def unavailable(kinds: Iterable[Freshness]) -> dict[str, str]:
    """Kinds of which nothing is known, with the reason: forbidden, not offered, or not read yet."""
    return {
        kind.kind: kind.reason or kind.state.value
        for kind in kinds
        if kind.state in (WatchState.FORBIDDEN, WatchState.ABSENT) or kind.heard is None
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
    """None until the first kinds have been read: unknown is not healthy."""
    symptoms: tuple[SymptomView, ...]
    record: RecordView
    activities: tuple[Activity, ...] = ()
    problem: str = ""
    """Why there is no cluster, in one sentence with what to try; "" otherwise."""
    ranked: bool = True
    """False until the runbooks have been read; symptoms then have no matches yet."""
    settled: bool = True
    """False while the logs of the report's containers are read for the first time."""

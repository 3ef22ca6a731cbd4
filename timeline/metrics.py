"""Durations of a response, each with the entries that mark its ends. Rows T22 and T23 of the
timeline reference.

Impact and response are two windows: impact ends when it is mitigated, response when it is resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from timeline.entry import MILESTONES, Entry, NewEntry
from timeline.revisions import RevisedEntry


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A duration in seconds from one entry to another (their seq), or None with the reason: an
    entry is missing, or the second happened before the first."""

    name: str
    meaning: str
    seconds: float | None
    since: int | None = None
    until: int | None = None
    missing: str = ""

    @property
    def text(self) -> str:
        return duration(self.seconds) if self.seconds is not None else f"n/a — {self.missing}"


class Milestones(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of each milestone, and sentences about contradictions."""

    entries: Mapping[str, Entry]
    warnings: tuple[str, ...]


_METRICS: Final = (
    ("TTD", "time to detect", "started", "detected"),
    ("TTA", "time to acknowledge", "detected", "acknowledged"),
    ("TTM", "time to mitigate", "started", "mitigated"),
    ("TTR", "time to resolve", "started", "resolved"),
)
_GRACE_SECONDS: Final = 1.0
"""Times that a person types have whole seconds."""


def duration(seconds: float) -> str:
    """``HH:MM:SS``, with days in front from 24 hours on; a minus sign where the order is wrong."""
    whole = round(abs(seconds))
    days, rest = divmod(whole, 86400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{'-' if seconds < 0 and whole else ''}{f'{days}d ' if days else ''}{clock}"


def spoken(seconds: float) -> str:
    """A duration in its two largest units: ``36 min 43 s``, ``2 h 5 min``."""
    left = round(abs(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def milestones(lines: Sequence[RevisedEntry]) -> Milestones:
    """The entry for each milestone (see `marked`), without hidden ones. Without a stated start
    the impact began with the first critical observation (else the first), and `started` is that
    entry. What was seen after the first change that was made here may be the effect of that change,
    so it is the start only if nothing was seen before."""
    ordered = sorted(lines, key=lambda line: (line.entry.pending, line.entry.seq))
    found = marked(line.entry for line in ordered if not line.hidden)
    if "started" not in found:
        observed = [
            line.entry for line in lines if line.entry.kind == "observation" and not line.hidden
        ]
        observed = list(seen_before_changes(observed, lines))
        if observed:
            critical = [entry for entry in observed if entry.data.get("severity") == "critical"]
            found["started"] = (critical or observed)[0]
    stated = [(name, found[name]) for name in MILESTONES if name in found]
    warnings = [
        f"{later} ({_at(after)}, seq {after.seq}) lies before {earlier} ({_at(before)}, seq "
        f"{before.seq})"
        for index, (later, after) in enumerate(stated)
        for earlier, before in stated[:index]
        if (before.occurred_at - after.occurred_at).total_seconds() > _GRACE_SECONDS
    ]
    return Milestones(entries=found, warnings=tuple(warnings))


def marked(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The entry that stands for each milestone, by name, of entries in the order of the record.
    Marked again, a milestone keeps its moment, unless the new mark states a time of its own or the
    incident was opened again in between."""
    return _marks(entries)[0]


def _marks(entries: Iterable[Entry]) -> tuple[dict[str, Entry], set[str]]:
    """(what stands, the names that the next mark moves because the incident was opened again)."""
    found: dict[str, Entry] = {}
    movable: set[str] = set()
    for entry in entries:
        if entry.kind == "incident-reopened":
            movable = {*found}
        elif entry.kind == "milestone":
            name = str(entry.data.get("name"))
            stated = entry.occurred_at != entry.recorded_at
            if name not in found or name in movable or stated:
                found[name] = entry
                movable.discard(name)
    return found, movable


def kept(entries: Iterable[Entry], draft: NewEntry) -> str:
    """The remark on a milestone that is marked again without a time; "" for all else. `entries` are
    in the order of the record."""
    name = str(draft.data.get("name"))
    if draft.kind != "milestone" or draft.occurred_at is not None:
        return ""
    found, movable = _marks(entries)
    if name not in found or name in movable:
        return ""
    return (
        f"the first {name}, of {found[name].occurred_at:%H:%M:%S} UTC, stands; "
        "a time in front (-5m, @14:30) moves it"
    )


def seen_before_changes(
    observed: Sequence[Entry], lines: Sequence[RevisedEntry]
) -> Sequence[Entry]:
    """The observations recorded before the first change that was made here; all, where none was."""
    acts = (line.entry for line in lines if line.entry.kind == "action-intent")
    first = min((act.recorded_at for act in acts), default=None)
    if first is None:
        return observed
    return [each for each in observed if each.recorded_at < first] or observed


def metrics(lines: Sequence[RevisedEntry]) -> Sequence[Metric]:
    """All metrics in a fixed order; one that cannot be computed names the entry that is missing."""
    marks = milestones(lines).entries
    out = [
        _between(name, meaning, marks.get(since), marks.get(until), since, until)
        for name, meaning, since, until in _METRICS
    ]
    probe = next(
        (line.entry for line in lines if line.entry.kind == "probe-intent" and not line.hidden),
        None,
    )
    out.append(
        _between(
            "first probe",
            "from detection to the first probe",
            marks.get("detected"),
            probe,
            "detected",
            "probe",
        )
    )
    return out


def phases(lines: Sequence[RevisedEntry]) -> Mapping[str, float]:
    """Seconds in each phase: from an entry with a phase to the next entry with another one, not
    before the incident started."""
    spent: dict[str, float] = {}
    current, since = "", None
    started = milestones(lines).entries.get("started")
    for line in lines:
        entry = line.entry
        if not entry.phase or line.hidden or entry.phase == current:
            continue
        at = max(entry.occurred_at, started.occurred_at) if started else entry.occurred_at
        if since is not None:
            spent[current] = spent.get(current, 0.0) + (at - since).total_seconds()
        current, since = entry.phase, at
    if since is not None and lines:
        spent[current] = spent.get(current, 0.0) + (_end(lines) - since).total_seconds()
    return spent


def _end(lines: Sequence[RevisedEntry]) -> datetime:
    return max(line.entry.occurred_at for line in lines)


def _between(
    name: str, meaning: str, since: Entry | None, until: Entry | None, first: str, last: str
) -> Metric:
    for entry, wanted in ((since, first), (until, last)):
        if entry is None:
            return Metric(name=name, meaning=meaning, seconds=None, missing=f"no *{wanted}* entry")
    assert since is not None
    assert until is not None
    spent = (until.occurred_at - since.occurred_at).total_seconds()
    early = spent < -_GRACE_SECONDS
    return Metric(
        name=name,
        meaning=meaning,
        seconds=None if early else max(0.0, spent),
        since=since.seq,
        until=until.seq,
        missing=f"*{last}* lies {duration(-spent)} before *{first}*" if early else "",
    )


def _at(entry: Entry) -> str:
    return f"{entry.occurred_at:%H:%M:%S}"

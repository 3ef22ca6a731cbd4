"""The incidents of a directory, and which one to continue."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from timeline.entry import parse_stamp
from timeline.journal.files import read_head
from timeline.journal.rows import SELECT, from_foreign_row
from timeline.journal.sidecar import Sidecar
from timeline.journal.storage import (
    JournalError,
    check_schema,
    is_begun,
    open_reader,
)
from timeline.redaction.clean import Clean
from timeline.summary import KINDS_READ, ClusterId, Summary, summarize

FileState = Literal["open", "resolved", "closed", "damaged"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident file. `pending` entries wait in its sidecar; `problem` says why a damaged one
    cannot be read. Times are UTC, None when unknown."""

    id: str
    path: Path
    summary: Summary = Summary()
    opened_at: datetime | None = None
    last_at: datetime | None = None
    entries: int = 0
    state: FileState = "open"
    pending: int = 0
    problem: str = ""

    @property
    def title(self) -> str:
        return self.summary.title

    @property
    def context(self) -> str:
        return self.summary.cluster.context


def list_incidents(directory: Path, *, clean: Clean) -> Sequence[Incident]:
    """All incidents in `directory`, newest first; none when it does not exist. Includes damaged
    files, but not what a process left that was killed before its first entry. A copy
    (`ID-salvaged`, `ID-imported`) stands behind its original as long as that can be read, so that
    it is not the one that goes on."""
    paths = sorted(directory.glob("*.db"), key=_stem) if directory.is_dir() else []
    found = [incident for path in paths if (incident := _read(path, clean)) is not None]
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda incident: incident.opened_at or oldest, reverse=True)


ABANDONED_AFTER = timedelta(days=1)
"""Age from which the files of an incident that was never begun are left over."""
_OF_CREATION = (".db.new", ".db.new-journal", ".lock")
"""Files that a killed creation leaves even without the incident. None of them holds an entry."""


def abandoned(directory: Path, *, clean: Clean, now: datetime) -> Sequence[Path]:
    """Files of incidents in which no entry was ever recorded, because a process was killed while it
    began them. A file that may hold an entry (`.pending.jsonl`) is not among them."""
    if not directory.is_dir():
        return []
    begun, empty = set[str](), set[str]()
    for path in directory.glob("*.db"):
        (begun if _read(path, clean) is not None else empty).add(path.stem)
    empty -= {each.name.partition(".")[0] for each in directory.glob("*.pending.jsonl")}
    found = []
    for path in sorted(directory.iterdir()):
        stem, _, rest = path.name.partition(".")
        of_creation = f".{rest}" in _OF_CREATION and stem not in begun
        of_empty = rest.startswith(("db", "key")) and stem in empty
        if of_creation or of_empty:
            with suppress(OSError):
                age = now.timestamp() - path.stat().st_mtime
                found += [path] if age > ABANDONED_AFTER.total_seconds() else []
    return found


def _stem(path: Path) -> str:
    return path.stem


def find_incident(directory: Path, name: str, *, clean: Clean) -> Incident:
    """The incident with this id, or the only one whose id begins with it. Raises JournalError."""
    incidents = list_incidents(directory, clean=clean)
    exact = [incident for incident in incidents if incident.id == name]
    matching = exact or [incident for incident in incidents if incident.id.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise JournalError(
            f"{name!r} fits {', '.join(incident.id for incident in matching)}; name one of them"
        )
    raise JournalError(
        f"there is no incident {name!r} in {directory}; `stanch timeline list` shows what there is"
    )


def find_resumable(
    directory: Path,
    *,
    clean: Clean,
    now: datetime,
    cluster: ClusterId,
    states: Container[str] = ("open",),
    within: timedelta = timedelta(hours=12),
) -> Incident | None:
    """The newest incident in one of `states` about the cluster `cluster` whose last entry is at
    most `within` old."""
    for incident in list_incidents(directory, clean=clean):
        recent = incident.last_at is not None and now - incident.last_at <= within
        if incident.state in states and recent and cluster.may_be(incident.summary.cluster):
            return incident
    return None


def find_unreadable(
    directory: Path, *, clean: Clean, now: datetime, within: timedelta = timedelta(hours=12)
) -> Incident | None:
    """The unreadable (damaged, or of a newer version) incident that was written last, when it is
    the newest of all and at most `within` old."""
    incidents = list_incidents(directory, clean=clean)
    newest = max(incidents, key=lambda each: _modified(each.path), default=None)
    if newest is None or newest.state != "damaged":
        return None
    return newest if now.timestamp() - _modified(newest.path) <= within.total_seconds() else None


def _modified(path: Path) -> float:
    """When one of its files was last written."""
    times = [0.0]
    for suffix in (".db", ".db-wal", ".head"):
        with suppress(OSError):
            times.append(path.with_name(path.stem + suffix).stat().st_mtime)
    return max(times)


def _read(path: Path, clean: Clean) -> Incident | None:
    """The incident, None when no entry was ever recorded in it."""
    try:
        if not is_begun(path):
            return None
        database, release, _ = open_reader(path)
    except (OSError, sqlite3.Error) as error:
        return Incident(id=path.stem, path=path, state="damaged", problem=clean(str(error)))
    try:
        check_schema(database, path)
        found = _summary(path, database.conn, clean)
        return found if found.entries or found.pending or read_head(path) else None
    except (JournalError, sqlite3.Error, ValueError) as error:
        return Incident(id=path.stem, path=path, state="damaged", problem=clean(str(error)))
    finally:
        database.close()
        release()


def _summary(path: Path, connection: sqlite3.Connection, clean: Clean) -> Incident:
    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    last = connection.execute("SELECT recorded_at FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
    kinds = ", ".join("?" * len(KINDS_READ))
    rows = connection.execute(
        f"{SELECT} WHERE kind IN ({kinds}) ORDER BY seq", KINDS_READ
    )  # only question marks
    summary = summarize([from_foreign_row(row, clean) for row in rows])
    waiting = Sidecar(path).entries()
    moments = [entry.recorded_at for entry, _ in waiting] + ([parse_stamp(last[0])] if last else [])
    return Incident(
        id=clean(meta.get("incident_id", path.stem)),
        path=path,
        summary=summary,
        opened_at=datetime.fromisoformat(meta["created_at"]).astimezone(UTC)
        if "created_at" in meta
        else None,
        last_at=max(moments, default=None),
        entries=int(connection.execute("SELECT count(*) FROM entry").fetchone()[0]),
        state=summary.state,
        pending=len(waiting),
    )

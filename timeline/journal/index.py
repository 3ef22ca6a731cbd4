"""The incidents of a directory, and which one to go on with."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from timeline.entry import parse_stamp
from timeline.journal.sidecar import Sidecar
from timeline.journal.snapshot import open_reader
from timeline.journal.storage import JournalError, check_schema
from timeline.redaction.clean import Clean

State = Literal["open", "resolved", "closed", "damaged"]


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident file. `pending` entries wait in its sidecar; `problem` says why a damaged one
    cannot be read.

    `context` is the kubeconfig context of its first entry that has one. Times are UTC; None when
    not known.
    """

    id: str
    path: Path
    title: str = ""
    opened_at: datetime | None = None
    last_at: datetime | None = None
    entries: int = 0
    context: str = ""
    state: State = "open"
    pending: int = 0
    problem: str = ""


def list_incidents(directory: Path, *, clean: Clean) -> Sequence[Incident]:
    """All incidents in `directory`, newest first; none when it does not exist. A damaged file is
    listed, not left out."""
    found = (
        [_read(path, clean) for path in sorted(directory.glob("*.db"))]
        if directory.is_dir()
        else []
    )
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(
        found, key=lambda incident: (incident.opened_at or oldest, incident.id), reverse=True
    )


def find_incident(directory: Path, name: str, *, clean: Clean) -> Incident:
    """The incident with this id, or whose id begins with it when only one does. Raises
    JournalError."""
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
    context: str = "",
    within: timedelta = timedelta(hours=12),
) -> Incident | None:
    """The newest incident that is still open, was written to not longer than `within` ago, and is
    about the same context."""
    for incident in list_incidents(directory, clean=clean):
        recent = incident.last_at is not None and now - incident.last_at <= within
        if (
            incident.state in ("open", "resolved")
            and recent
            and (not context or incident.context in ("", context))
        ):
            return incident
    return None


def _read(path: Path, clean: Clean) -> Incident:
    try:
        database, release, _ = open_reader(path)
    except (OSError, sqlite3.Error) as error:
        return Incident(id=path.stem, path=path, state="damaged", problem=clean(str(error)))
    try:
        check_schema(database, path)
        return _summary(path, database.conn, clean)
    except (JournalError, sqlite3.Error, ValueError) as error:
        return Incident(id=path.stem, path=path, state="damaged", problem=clean(str(error)))
    finally:
        database.close()
        release()


def _summary(path: Path, connection: sqlite3.Connection, clean: Clean) -> Incident:
    def one(query: str, *arguments: object) -> tuple[str, ...] | None:
        row: tuple[str, ...] | None = connection.execute(query, arguments).fetchone()
        return row

    meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    opened = one("SELECT id, text FROM entry WHERE kind = 'incident-opened' ORDER BY seq LIMIT 1")
    title = opened[1] if opened else ""
    if opened:
        for (data,) in connection.execute(
            "SELECT data FROM entry WHERE kind = 'revision' AND supersedes = ? ORDER BY seq",
            [opened[0]],
        ):
            title = json.loads(data).get("text", title)
    last = one("SELECT recorded_at FROM entry ORDER BY seq DESC LIMIT 1")
    context = one("SELECT context FROM entry WHERE context <> '' ORDER BY seq LIMIT 1")
    waiting = Sidecar(path).entries()
    state: State = "open"
    for kind, data in connection.execute(
        "SELECT kind, data FROM entry WHERE kind IN ('incident-closed', 'incident-reopened', "
        "'milestone') ORDER BY seq"
    ):
        if kind == "milestone":
            state = (
                "resolved"
                if json.loads(data).get("name") == "resolved" and state == "open"
                else state
            )
        else:
            state = "closed" if kind == "incident-closed" else "open"
    moments = [entry.recorded_at for entry, _ in waiting] + ([parse_stamp(last[0])] if last else [])
    return Incident(
        id=clean(meta.get("incident_id", path.stem)),
        path=path,
        title=clean(str(title)),
        opened_at=datetime.fromisoformat(meta["created_at"]).astimezone(UTC)
        if "created_at" in meta
        else None,
        last_at=max(moments, default=None),
        entries=int(connection.execute("SELECT count(*) FROM entry").fetchone()[0]),
        context=clean(context[0]) if context else "",
        state=state,
        pending=len(waiting),
    )

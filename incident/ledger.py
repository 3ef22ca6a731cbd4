"""The ledger of objects that this program created in the cluster, kept as entries of the record."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cluster.api.audit import trail_so_far
from cluster.kube.objects import Ref
from cluster.kube.text import clean_uncut
from incident.provenance import audit_ids
from incident.record import Record, at_work, object_ref
from timeline.entry import Entry, EntryKind, NewEntry
from timeline.intents import unfinished

if TYPE_CHECKING:
    from probes.ledger import Intent

EARLIER = 20
"""Files of other incidents that are searched for objects that may still exist in a cluster."""


class JournalLedger:
    """The ledger of created objects, kept as intent and result entries of the record."""

    def __init__(self, record: Record, incidents: Path) -> None:
        """`incidents`: the folder with the files of earlier incidents."""
        self._record = record
        self._incidents = incidents

    async def intend(self, intent: Intent) -> None:
        """Raises `RecordUnavailable`: then nothing is created."""
        data = {
            "intent_id": _ledger_key(intent.ref),
            "session": intent.session,
            "purpose": intent.purpose,
            "expires": intent.expires.isoformat(),
            "object": list(intent.ref),
            "pid": os.getpid(),
            "host": socket.gethostname(),
        }
        await self._record.append_durably(
            NewEntry(
                kind="object-intent",
                text=f"{intent.ref}: {intent.purpose}",
                object=object_ref(intent.ref),
                phase="diagnose",
                data=data,
            )
        )

    def created(self, intent: Intent, uid: str, version: str = "") -> None:
        more = {"uid": uid, "session": intent.session}
        self._write("object-created", intent.ref, f"created {intent.ref}", more, version)

    def removed(self, ref: Ref, how: str) -> None:
        self._write("object-removed", ref, f"{ref} is gone: {how}", {"how": how})

    async def open_intents(self) -> Sequence[Intent]:
        """Rows without an end, of this incident and of earlier ones on this machine. An entry of
        one incident can end a row of another."""
        earlier = await asyncio.to_thread(self._earlier_rows)
        rows = sorted([*earlier, *self._record.by_record()], key=lambda entry: entry.recorded_at)
        return intents_of(unfinished(rows))

    def _earlier_rows(self) -> list[Entry]:
        from timeline.journal.journal import Journal, JournalError

        own = self._record.journal.path if self._record.journal is not None else None
        found: list[Entry] = []
        for path in _newest(self._incidents)[:EARLIER]:
            if path == own:
                continue
            try:
                with Journal.open_read_only(path, clean=clean_uncut) as journal:
                    found += journal.entries(kinds=("object-intent", "object-removed"))
            except (JournalError, OSError):
                # A damaged file of an older incident must not stop today's sweep; the sweep by
                # label still finds its objects.
                continue
        return found

    def _write(
        self, kind: EntryKind, ref: Ref, text: str, more: Mapping[str, Any], version: str = ""
    ) -> None:
        about = object_ref(ref)
        if about is not None and "uid" in more:
            about = replace(about, uid=str(more["uid"]), resource_version=version)
        self._record.append(
            NewEntry(
                kind=kind,
                text=text,
                object=about,
                phase="diagnose",
                audit_id=audit_ids(trail_so_far()),
                data={"intent_id": _ledger_key(ref), "object": list(ref), **more},
            )
        )


def _newest(directory: Path) -> list[Path]:
    """Incident files, the most recently written first."""
    written: list[tuple[float, Path]] = []
    for path in directory.glob("*.db") if directory.is_dir() else ():
        with suppress(OSError):
            written.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(written, reverse=True)]


def intents_of(entries: Iterable[Entry]) -> list[Intent]:
    from probes.ledger import Intent

    found = []
    for entry in entries:
        parts = entry.data.get("object")
        if (
            entry.kind != "object-intent"
            or not isinstance(parts, list)
            or len(parts) != 3
            or at_work(entry.data)
        ):
            continue
        expires = datetime.fromisoformat(
            str(entry.data.get("expires", entry.occurred_at.isoformat()))
        )
        found.append(
            Intent(
                str(entry.data.get("session", "")),
                Ref(*map(str, parts)),
                str(entry.data.get("purpose", "")),
                expires,
            )
        )
    return found


def _ledger_key(ref: Ref) -> str:
    return f"object/{ref.kind}/{ref.namespace}/{ref.name}"

"""A ledger in a file that survives kill -9, and that can itself be the moment of the kill."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cluster.kube.objects import Ref
from probes.ledger import Intent


class FileLedger:
    """JSON Lines. `die_at`: after this many rows the process kills itself with SIGKILL (0:
    never)."""

    def __init__(self, path: Path, die_at: int = 0) -> None:
        self._path, self._die_at, self._rows = path, die_at, 0

    async def intend(self, intent: Intent) -> None:
        self._write(
            "intend",
            intent.ref,
            session=intent.session,
            purpose=intent.purpose,
            expires=intent.expires.isoformat(),
        )

    def created(self, intent: Intent, uid: str, version: str = "") -> None:
        self._write("created", intent.ref)

    def removed(self, ref: Ref, how: str) -> None:
        self._write("removed", ref)

    async def open_intents(self) -> Sequence[Intent]:
        return self.rows

    @property
    def rows(self) -> Sequence[Intent]:
        found: dict[Ref, Intent] = {}
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            row = json.loads(line)
            ref = Ref(*row["ref"])
            if row["what"] == "intend":
                found[ref] = Intent(
                    row["session"], ref, row["purpose"], datetime.fromisoformat(row["expires"])
                )
            elif row["what"] == "removed":
                found.pop(ref, None)
        return tuple(found.values())

    def _write(self, what: str, ref: Ref, **more: str) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"what": what, "ref": list(ref), **more}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._rows += 1
        if self._rows == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

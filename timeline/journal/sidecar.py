"""The file that takes entries while the database refuses them: JSON Lines, opened for append,
synced per entry.

It lies beside the database, and so on the same full disk. A reserve file is therefore written while
there is space and given up when there is none. Several processes may share the file; flock keeps a
merge and an append apart.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from timeline.entry import Entry, canonical, from_record, to_record
from timeline.journal.evidence import Evidence
from timeline.journal.lock import locked
from timeline.journal.storage import create_private, sync_directory

RESERVE_BYTES: Final = 128 * 1024
_PATIENCE: Final = 5.0
"""Seconds to wait for another process that holds the file."""


class Sidecar:
    """`path` is the JSON Lines file; `reserve` the file that holds its space; `rejected` takes
    lines that cannot be read."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_suffix(".pending.jsonl")
        self.reserve = database.with_suffix(".reserve")
        self.rejected = database.with_suffix(".rejected.jsonl")

    def keep_reserve(self) -> None:
        """Write the reserve if it is not there. Failing is no error here: the disk is then full
        already."""
        if self.reserve.exists():
            return
        try:
            create_private(
                self.reserve, os.urandom(RESERVE_BYTES)
            )  # random, so that no file system stores it as a hole
        except OSError:
            self.release_reserve()

    def release_reserve(self) -> None:
        """Give the reserved space back to the file system."""
        self.reserve.unlink(missing_ok=True)

    def append(self, entry: Entry, evidence: Sequence[Evidence]) -> None:
        """Write one entry and its evidence; on return it is on disk. Raises OSError."""
        blobs = [
            {**item.record(), "content": base64.b64encode(item.content or b"").decode()}
            for item in evidence
        ]
        line = (canonical({"entry": to_record(entry), "evidence": blobs}) + "\n").encode()
        self.release_reserve()
        with locked(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, _PATIENCE) as descriptor:
            end = os.fstat(descriptor).st_size
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line  # a writer died inside its line, which was never acknowledged
            view = memoryview(line)
            try:
                while view:
                    view = view[os.write(descriptor, view) :]
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(
                    descriptor, end
                )  # a half line would only waste the space that is missing
                raise
        if not end:
            sync_directory(self.path.parent)

    def entries(self) -> list[tuple[Entry, list[Evidence]]]:
        """What waits, oldest first; lines that cannot be read are left out. Raises OSError other
        than "not there"."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [
            item for item in (_parse(line) for line in content.splitlines()) if item is not None
        ]

    @contextmanager
    def draining(self) -> Iterator[list[tuple[Entry, list[Evidence]]]]:
        """Hold the file and yield what waits; when the block ends without an exception the file is
        emptied."""
        if not self.path.exists() or not self.path.stat().st_size:
            yield []
            return
        with locked(self.path, os.O_RDWR | os.O_APPEND, _PATIENCE) as descriptor:
            content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            lines = [line for line in content.splitlines() if line.strip()]
            parsed = [_parse(line) for line in lines]
            yield [item for item in parsed if item is not None]
            broken = [line for line, item in zip(lines, parsed, strict=True) if item is None]
            if broken:
                with locked(
                    self.rejected, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PATIENCE
                ) as kept:
                    os.write(kept, b"\n".join(broken) + b"\n")
                    os.fsync(kept)
            os.ftruncate(descriptor, 0)
            os.fsync(descriptor)


def _parse(line: bytes) -> tuple[Entry, list[Evidence]] | None:
    try:
        record: dict[str, Any] = json.loads(line)
        blobs = [
            Evidence.from_record({**blob, "content": base64.b64decode(blob["content"])})
            for blob in record["evidence"]
        ]
        return from_record(record["entry"]), blobs
    except (ValueError, KeyError, TypeError):
        return None

"""The file that takes entries while the database refuses them: JSON Lines, synced after each entry.

It is beside the database, and so on the same full disk. Its space is therefore written in advance,
as line feeds, and entries overwrite it in place, which needs no free block. The space stays when
the record is closed. Several processes may share the file; flock separates a merge from an append.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from timeline.entry import Entry, canonical, from_record, to_record
from timeline.journal.evidence import EvidenceBlob
from timeline.journal.files import locked, sync_directory

RESERVE_BYTES: Final = 128 * 1024
_BLOCK: Final = 4096
_PATIENCE: Final = 5.0
"""Seconds to wait for another process that holds the file."""
_OPEN: Final = os.O_RDWR | os.O_CREAT


class Sidecar:
    """`path` is the JSON Lines file; `rejected` takes lines that cannot be read."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_suffix(".pending.jsonl")
        self.rejected = database.with_suffix(".rejected.jsonl")

    def keep_reserve(self) -> None:
        """Extend the file to `RESERVE_BYTES`, or by half of the free space: the database needs some
        too. Raises no error: a full disk has nothing to reserve."""
        with suppress(OSError), locked(self.path, _OPEN, _PATIENCE) as descriptor:
            size = os.fstat(descriptor).st_size
            disk = os.fstatvfs(descriptor)
            spare = disk.f_bavail * disk.f_frsize // 2 // _BLOCK * _BLOCK
            missing = min(RESERVE_BYTES - size, spare)
            if missing <= 0:
                return
            try:
                _write(descriptor, b"\n" * missing, size)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, size)
            if not size:
                sync_directory(self.path.parent)

    def append(self, entry: Entry, evidence: Sequence[EvidenceBlob]) -> None:
        """Write one entry and its evidence; on return it is on disk. Raises OSError."""
        blobs = [
            {**item.record(), "content": base64.b64encode(item.content or b"").decode()}
            for item in evidence
        ]
        line = (canonical({"entry": to_record(entry), "evidence": blobs}) + "\n").encode()
        with locked(self.path, _OPEN, _PATIENCE) as descriptor:
            size = os.fstat(descriptor).st_size
            end = len(os.pread(descriptor, size, 0).rstrip(b"\n"))
            if end:  # Also after a line that a dying writer left incomplete.
                line = b"\n" + line
            try:
                _write(descriptor, line, end)
                os.fsync(descriptor)
            except OSError:
                _blank(descriptor, end, size)  # An incomplete line would waste scarce space.
                raise
        if not size:
            sync_directory(self.path.parent)

    def entries(self) -> list[tuple[Entry, list[EvidenceBlob]]]:
        """Waiting entries, oldest first, without unreadable lines. Raises OSError other than "not
        found"."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [item for item in map(_parse, _lines(content)) if item is not None]

    @contextmanager
    def draining(self) -> Iterator[list[tuple[Entry, list[EvidenceBlob]]]]:
        """Hold the file and yield the waiting entries; blank the file when the block ends without
        an exception."""
        if not self.path.exists():
            yield []
            return
        with locked(self.path, os.O_RDWR, _PATIENCE) as descriptor:
            content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            lines = _lines(content)
            parsed = [_parse(line) for line in lines]
            yield [item for item in parsed if item is not None]
            if not lines:
                return
            broken = [line for line, item in zip(lines, parsed, strict=True) if item is None]
            if broken:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                with locked(self.rejected, flags, _PATIENCE) as kept:
                    os.write(kept, b"\n".join(broken) + b"\n")
                    os.fsync(kept)
            _blank(descriptor, 0, min(len(content), RESERVE_BYTES))
            os.fsync(descriptor)


def _lines(content: bytes) -> list[bytes]:
    return [line for line in content.strip(b"\n").splitlines() if line.strip()]


def _write(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _blank(descriptor: int, start: int, size: int) -> None:
    """Line feeds from `start` to `size`, and nothing after that."""
    os.ftruncate(descriptor, max(size, start))
    _write(descriptor, b"\n" * (size - start), start)


def _parse(line: bytes) -> tuple[Entry, list[EvidenceBlob]] | None:
    try:
        record: dict[str, Any] = json.loads(line)
        blobs = [
            EvidenceBlob.from_record({**blob, "content": base64.b64decode(blob["content"])})
            for blob in record["evidence"]
        ]
        return from_record(record["entry"]), blobs
    except (ValueError, KeyError, TypeError, RecursionError):
        return None

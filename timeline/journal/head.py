"""The last entry of a record, kept beside its file: what shows that entries at the end are gone.

The chain inside the file cannot show it: a WAL that was deleted or cut, rows that were deleted and
a copy of the `.db` alone all leave a shorter chain that holds. The file is written after each
commit without a sync of its own: it may be behind the record, never ahead of it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

_WIDTH: Final = 128
"""Bytes, so that a line always overwrites the whole of the one before."""


def head_path(database: Path) -> Path:
    return database.with_suffix(".head")


def write_head(database: Path, seq: int, head: str) -> None:
    """Raises OSError."""
    line = json.dumps({"seq": seq, "hash": head}).ljust(_WIDTH - 1) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(head_path(database), flags, 0o600)
    try:
        os.pwrite(descriptor, line.encode(), 0)
    finally:
        os.close(descriptor)


def read_head(database: Path) -> tuple[int, str] | None:
    """seq and hash, None when there is no such file or it cannot be read."""
    try:
        found = json.loads(head_path(database).read_bytes())
        return int(found["seq"]), str(found["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""Opening an incident for reading only, also from a directory that cannot be written."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path

from sqlite_utils import Database

from timeline.storage import connect_reader


def open_snapshot(path: Path) -> tuple[Database, Callable[[], None]]:
    """Return a reading connection and what to call after it is closed. Raises sqlite3.Error, OSError.

    A WAL database in a directory without write permission cannot be opened with mode=ro; `immutable=1` can, but ignores the WAL.
    When there is a WAL with something in it, a private copy of both files is read instead.
    """
    try:
        return connect_reader(path, read_only=True), lambda: None
    except sqlite3.OperationalError:
        wal = path.with_name(path.name + "-wal")
        if not wal.exists() or not wal.stat().st_size:
            return connect_reader(path, immutable=True), lambda: None
    scratch = tempfile.TemporaryDirectory(prefix="stanch-read-")
    copied = Path(scratch.name) / path.name
    shutil.copyfile(path, copied)
    shutil.copyfile(wal, copied.with_name(wal.name))
    try:
        return connect_reader(copied), scratch.cleanup
    except BaseException:
        scratch.cleanup()
        raise

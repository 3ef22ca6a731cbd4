"""Opening an incident for reading, also from a directory that cannot be written."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sqlite_utils import Database

from timeline.journal.storage import connect_reader


class Opened(NamedTuple):
    """A reading connection, what to call after it is closed, and whether it sees what is written
    later."""

    database: Database
    tidy: Callable[[], None]
    follows: bool


def open_reader(path: Path) -> Opened:
    """Open for reading, also what another process writes meanwhile. Raises sqlite3.Error, OSError.

    A writer that lives, or was killed, leaves a WAL: it is read through mode=ro, which removes
    nothing of it at the end, and where that is refused (no permission in the directory) from a
    private copy. Without a WAL, `immutable=1` needs no permission and makes no files.
    """
    wal = path.with_name(path.name + "-wal")
    if not wal.exists():
        return Opened(connect_reader(path, immutable=True), _nothing, False)
    try:
        return Opened(connect_reader(path), _nothing, True)
    except sqlite3.OperationalError:
        pass  # the copy below can be read
    scratch = tempfile.TemporaryDirectory(prefix="stanch-read-")
    copied = Path(scratch.name) / path.name
    shutil.copyfile(path, copied)
    shutil.copyfile(wal, copied.with_name(wal.name))
    try:
        return Opened(connect_reader(copied), scratch.cleanup, False)
    except BaseException:
        scratch.cleanup()
        raise


def _nothing() -> None:
    """There is nothing to tidy up."""

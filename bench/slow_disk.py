"""`python -m bench.slow_disk SECONDS ARGUMENT ...`: stanch on a disk that needs SECONDS for each
sync."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from cli.main import main
from timeline.journal.writer import JournalWriter


def slow_down(seconds: float) -> None:
    """SQLite syncs once for a commit in WAL mode; the program itself through `os.fsync`."""
    commit, fsync = JournalWriter._commit, os.fsync

    def slow_commit(self: JournalWriter, items: Any) -> Any:
        time.sleep(seconds)
        return commit(self, items)

    def slow_fsync(descriptor: Any) -> None:
        time.sleep(seconds)
        fsync(descriptor)

    JournalWriter._commit = slow_commit  # type: ignore[method-assign]  # the slow disk is the point
    os.fsync = slow_fsync  # type: ignore[assignment]  # the same


if __name__ == "__main__":
    slow_down(float(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))

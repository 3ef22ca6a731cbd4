"""A lock file between processes, with a time limit."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PAUSE: Final = 0.002


@contextmanager
def locked(path: Path, flags: int, timeout: float) -> Iterator[int]:
    """Open `path` (created 0600 if `flags` say so), hold its flock, yield the descriptor.

    Raises TimeoutError (an OSError) when another process holds it for longer than `timeout`
    seconds.
    """
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        take(descriptor, path, timeout)
        yield descriptor
    finally:
        os.close(descriptor)


def take(descriptor: int, path: Path, timeout: float) -> None:
    """Hold the flock of an open file. Raises TimeoutError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    f"{path.name} is held by another process for more than {timeout:g} s"
                ) from None
            time.sleep(_PAUSE)
        else:
            return


def release(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)

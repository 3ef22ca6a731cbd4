"""Files beside a record: private, locked, synchronised, and the file system that they are on."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MOUNTINFO: Final = Path("/proc/self/mountinfo")


_LOCK_PAUSE: Final = 0.002


def file_system(directory: Path, mountinfo: Path = MOUNTINFO) -> str:
    """Type of the file system that holds `directory` ("ext4", "nfs4"), "" when unknown."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    target = os.path.realpath(directory)
    best, answer = -1, ""
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right.split():
            continue
        mount = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= best:  # a later mount on the same point covers the earlier one
            best, answer = len(mount), right.split()[0]
    return answer


def create_private(path: Path, content: bytes = b"") -> None:
    """Create a file of mode 0600. Raises FileExistsError, OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_directory(directory: Path) -> None:
    """Create `directory` as 0700, or close an existing one to others. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_uid == os.geteuid() and directory.stat().st_mode & 0o077:
        directory.chmod(0o700)


def sync_directory(directory: Path) -> None:
    """Make created and renamed names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
            time.sleep(_LOCK_PAUSE)
        else:
            return


def release(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)


_HEAD_WIDTH: Final = 128
"""Bytes, so that a line always overwrites the whole previous one."""


def head_path(database: Path) -> Path:
    return database.with_suffix(".head")


def write_head(database: Path, seq: int, head: str) -> None:
    """Raises OSError."""
    line = json.dumps({"seq": seq, "hash": head}).ljust(_HEAD_WIDTH - 1) + "\n"
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

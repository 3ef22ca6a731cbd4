"""What a journal needs before it opens: a name, a key, and who is writing."""

from __future__ import annotations

import getpass
import itertools
import secrets
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from timeline.journal.preparation import Origin
from timeline.journal.storage import create_private

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def here() -> Origin:
    """The user and host of this process."""
    try:
        actor = getpass.getuser()
    except (KeyError, OSError):  # no name for this uid, as in many containers
        actor = ""
    return Origin(actor=actor, host=socket.gethostname())


def redaction_key(path: Path) -> bytes:
    """The incident's redaction key, from its own file so that a shared copy does not carry it."""
    file = path.with_suffix(".key")
    try:
        key = file.read_bytes()
        if len(key) >= 32:
            return key
    except OSError:
        key = b""
    fresh = secrets.token_bytes(32)
    try:
        file.unlink(missing_ok=True)
        create_private(file, fresh)
    except OSError:
        return fresh  # tokens of this session then match no other session's; nothing worse
    return fresh


def free_names(directory: Path, now: datetime) -> Iterator[Path]:
    """Paths ``<date>-<letters>.db`` of which no file exists, not even a sidecar that was left of a
    removed incident: another process may take one at the same instant."""
    for number in itertools.count():
        rest, letters = number, ""
        while True:
            letters = _LETTERS[rest % 26] + letters
            rest = rest // 26 - 1
            if rest < 0:
                break
        stem = f"{now:%Y-%m-%d}-{letters}"
        if not any(directory.glob(f"{stem}.*")):
            yield directory / f"{stem}.db"

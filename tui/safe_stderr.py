"""The stream that Textual writes to. A terminal that is gone (window closed, SSH connection broken)
must not keep the program from ending.

Without it, Textual's writing thread dies at the first error, its queue fills up, and the event loop
waits for it forever: no signal is handled, and objects stay in the cluster.
"""

from __future__ import annotations

import asyncio
import io
import select
from collections.abc import Callable
from typing import Any, TextIO

from text.ascii import ERRORS, is_utf8

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
"""To the screen of programs, and back to the one of the shell (xterm)."""
EVERY = 1.0
"""Seconds between two checks of the terminal."""


class SafeStderr:
    """A text stream that reports its first error and drops what follows. `gone` is called in the
    thread that writes. What `charset` does not have is written in ASCII."""

    def __init__(self, stream: TextIO, gone: Callable[[], None], charset: str = "utf-8") -> None:
        self._stream = stream
        self._gone = gone
        self._charset = "" if is_utf8(charset) else charset
        self._broken = False
        self.stays: Callable[[], bool] = lambda: False
        """Whether other screens follow: then the terminal's own screen is not shown in between."""
        self._stayed = False

    def write(self, text: str) -> int:
        if LEAVE in text and self.stays():
            text, self._stayed = text.replace(LEAVE, ""), True
        elif ENTER in text and self._stayed:
            text, self._stayed = text.replace(ENTER, ""), False
        if self._charset and not text.isascii():
            text = text.encode(self._charset, ERRORS).decode(self._charset)
        if not self._broken:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

    def leave(self) -> None:
        """Shows the terminal's own screen, if no other screens came."""
        if self._stayed:
            self._stayed = False
            self.stays = lambda: False
            self.write(LEAVE)
            self.flush()

    def flush(self) -> None:
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._lose()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self) -> None:
        self._broken = True
        self._gone()


async def until_gone(stream: TextIO) -> None:
    """Returns when the terminal behind `stream` has hung up. A quiet screen writes nothing for many
    seconds, so a failing write comes too late. Waits forever when there is no file behind the
    stream."""
    poll = select.poll()
    try:
        poll.register(stream.fileno(), 0)  # poll reports a hang-up unasked.
    except (io.UnsupportedOperation, ValueError, OSError):
        await asyncio.Event().wait()
    while not poll.poll(0):  # noqa: ASYNC110  # a hang-up sets no event
        await asyncio.sleep(EVERY)

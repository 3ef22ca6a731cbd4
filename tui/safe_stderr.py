"""Where Textual writes to. A terminal that has gone (the window closed, the SSH connection broken)
must not hold up the end.

Textual's writing thread dies of the first error, its queue fills up, and then the loop waits for
ever for a place in it: no signal is handled any more, and what was created in the cluster is not
removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TextIO


class Outlet:
    """A text stream whose errors are told once and then swallowed. `gone` is called in the thread
    that writes."""

    def __init__(self, stream: TextIO, gone: Callable[[], None]) -> None:
        self._stream = stream
        self._gone = gone
        self._broken = False

    def write(self, text: str) -> int:
        if not self._broken:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):
                self._lose()
        return len(text)

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

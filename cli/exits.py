"""Exit codes of the `stanch` command; scripts rely on them."""

from __future__ import annotations

ANSWERED = 0
CRITICAL = 1
"""Answered, and something is critical (`triage` and `drill`)."""
USAGE = 2
UNREACHED = 3
"""The cluster was not reached."""
PARTIAL = 4
"""Answered, but something was unavailable."""
INTERRUPTED = 130


class Refusal(Exception):
    """Ends the command with one sentence on standard error: what, which object, what to try."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code

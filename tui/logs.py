"""The lines of a log that is being read, bounded: dropped lines are counted."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from text.lines import Line, line

KEPT = 2_000
"""Lines kept; older ones are dropped and counted."""
LONGEST = 2_000
"""Characters of a line that are shown."""


class LogLines:
    """The last lines, cleaned and ready to draw."""

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=KEPT)
        self.received = 0
        self.state = "reading"
        """reading, ended, or one sentence that says why not."""

    def add(self, text: str) -> None:
        self.received += 1
        cut = (
            f"{text[:LONGEST]} … ({len(text) - LONGEST} more characters)"
            if len(text) > LONGEST
            else text
        )
        self.lines.append(line(" ", cut, hang=5))

    async def read(self, source: AsyncIterator[str]) -> None:
        """Reads until the source ends. An error becomes the `state`."""
        try:
            async for text in source:
                self.add(text)
            self.state = "ended"
        except Exception as error:  # the pane shows it
            self.state = f"The log could not be read: {error or type(error).__name__}"

    def shown(self, _: int = 0) -> list[Line]:
        rows = list(self.lines)
        dropped = self.received - len(self.lines)
        if dropped:
            rows.insert(0, line(" ", (f"… {dropped:,} earlier lines are not kept", "muted")))
        if self.state == "reading":
            return rows or [line(" ", ("reading …", "unknown"))]
        if self.state == "ended":
            return rows or [line(" ", ("The log is empty.", "muted"))]
        return [*rows, line(" ", (self.state, "warning"), hang=1)]

"""One line of typing. What is pasted is cleaned and folded into the line before it can reach the terminal."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from cluster.text import clean_line

LIMIT = 4_000
"""Characters of one paste: a whole stack trace is not a symptom."""


class TypedLine(Input):
    """An input that holds clean text only."""

    def validate_value(self, value: str) -> str:
        return clean_line(value, LIMIT)

    def on_paste(self, event: events.Paste) -> None:
        """All lines of a paste, not only the first: alerts and errors come in several."""
        event.stop()
        event.prevent_default()
        text = clean_line(" ".join(event.text[: 4 * LIMIT].split()), LIMIT)
        if self.selection.is_empty:
            self.insert_text_at_cursor(text)
        else:
            self.replace(text, *self.selection)

"""A line of input. Pasted text is cleaned and folded into one line before it reaches the
terminal."""

from __future__ import annotations

from textual import events
from textual.binding import Binding
from textual.widgets import Input

from cluster.kube.text import clean_line

LIMIT = 4_000
"""Characters of one paste: a whole stack trace is not a symptom."""


_EDITS = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    and binding.action.startswith(("cursor_", "delete_", "home", "end", "submit"))
    for key in binding.key.split(",")
}
"""What each editing key does to the line."""


class TypedLine(Input):
    """An input that holds clean text only."""

    async def on_key(self, event: events.Key) -> None:
        """Edit in the order of the keys.

        A binding is looked up by the application, behind all screens; a character that follows a
        backspace closely would reach the line before it and be taken back in the place of the one
        that was meant.
        """
        action = _EDITS.get(event.key)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.run_action(action)

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

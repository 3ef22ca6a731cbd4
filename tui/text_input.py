"""A line of input. Pasted text is cleaned and folded into one line before it reaches the
terminal."""

from __future__ import annotations

from typing import Any, ClassVar

from textual import events
from textual.binding import Binding
from textual.widgets import Input

from cluster.kube.text import clean_line

LIMIT = 4_000
"""Characters of one line."""
BLOCK_LIMIT = 100_000
"""Characters of a pasted block that are kept."""


_EDITS = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding)
    and binding.action.startswith(("cursor_", "delete_", "home", "end", "submit"))
    for key in binding.key.split(",")
}
"""What each editing key does to the line."""


class TypedLine(Input):
    """An input that holds clean text only. The application calls `take_key` and `take_paste` in the
    order in which keys and pastes arrive (`KeyOrder`)."""

    KEYS: ClassVar[tuple[tuple[str, str], ...]] = (("enter", "keep"), ("esc", "remove"))
    """What the line of keys shows while a screen's line is typed in: letters are text then."""

    def __init__(self, **options: Any) -> None:
        """`options`: as of `Input`. Focus selects nothing, because it arrives after the first keys
        of a burst, and the next key would replace them."""
        super().__init__(select_on_focus=False, **options)

    def edit(self, text: str) -> None:
        """Begins to edit a text at its end."""
        self.value = text
        self.cursor_position = len(self.value)
        self.focus()

    async def take_key(self, event: events.Key) -> bool:
        """Types or edits; returns whether the key does either."""
        if event.is_printable and event.character:
            self._put(event.character)
            return True
        action = _EDITS.get(event.key)
        if action is not None:
            await self.run_action(action)
        return action is not None

    def take_paste(self, text: str) -> bool:
        """All lines of a paste, not only the first: alerts and errors come in several."""
        self._put(clean_line(" ".join(text[: 4 * LIMIT].split()), LIMIT))
        return True

    def _put(self, text: str) -> None:
        if self.selection.is_empty:
            self.insert_text_at_cursor(text)
        else:
            self.replace(text, *self.selection)

    def validate_value(self, value: str) -> str:
        return clean_line(value, LIMIT)


class BlockLine(TypedLine):
    """Takes the first line of a pasted block; `block` keeps the whole."""

    block = ""

    def take_paste(self, text: str) -> bool:
        rows = [row for row in text[:BLOCK_LIMIT].splitlines() if row.strip()]
        if len(rows) > 1:
            self.block = "\n".join(rows)
        return super().take_paste(rows[0] if rows else "")

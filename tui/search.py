"""Searches in what a pane shows: a line of input that finds words forwards and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.line_pane import LinePane
from tui.text_input import TypedLine


class SearchLine(TypedLine):
    """Finds what is typed in `pane` while it is typed. Enter and down go on, up goes back, Escape
    closes."""

    KEYS = (("enter", "next"), ("↑", "previous"), ("esc", "close"))
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "search(1)", "next", show=False),
        Binding("up", "search(-1)", "before", show=False),
        Binding("escape", "close", "close", show=False),
    ]

    def __init__(self, tell: Callable[[str], None], closed: Callable[[], None]) -> None:
        super().__init__(
            placeholder="words; enter: next, ↑: previous, esc: close", classes="typed search"
        )
        self.pane: LinePane | None = None
        self._tell = tell
        self._when_closed = closed

    def action_search(self, by: int) -> None:
        """`by`: 1 for the next, -1 for the one before, 0 to stay where it still fits."""
        if self.pane is None:
            return
        number, of = self.pane.find(self.value, by)
        self.border_title = f"{number} of {of}" if of else "not found" if self.value else ""
        if by and self.value and not of:
            self._tell(f"“{self.value}” is not in this text.")

    def action_close(self) -> None:
        if self.pane is not None:
            self.pane.find("", 0)
            self.pane.focus()
        self.display = False
        self._when_closed()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.action_search(0)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_search(1)

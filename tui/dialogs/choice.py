"""Choosing one of many by typing a part of its name: a runbook, a kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from text.lines import Line, prose
from tui.dialogs.dialog import Dialog
from tui.line_pane import LinePane
from tui.text_input import TypedLine

ListLines = Callable[[str], Sequence[Line]]
"""(what was typed) -> lines with targets."""


class Choice(Dialog[str]):
    """A list that narrows with each key."""

    KEYS = (("type", "to narrow"), ("↑ ↓", "choose"), ("enter", "this one"), ("esc", "back"))
    AUTO_FOCUS = "TypedLine"
    ANSWER_FIRST = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "take", "this one", show=False, priority=True)
    ]

    def __init__(
        self,
        title: str,
        listing: ListLines,
        fill: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`fill` reads what `listing` shows, while the dialog is open."""
        super().__init__(title)
        self._listing, self._fill = listing, fill
        self._failed = ""
        self._input = TypedLine(placeholder="part of the name", classes="typed")

    def answers(self) -> Iterable[Widget]:
        yield self._input

    def content(self) -> Sequence[Line]:
        if self._failed:
            return prose(self._failed, "warning")
        return self._listing(self._input.value)

    def on_mount(self) -> None:
        if self._fill is not None:
            self.run_worker(self._filled(self._fill), exit_on_error=False)

    async def _filled(self, fill: Callable[[], Awaitable[None]]) -> None:
        try:
            await fill()
        except Exception as error:  # the dialog says why there is nothing to choose
            self._failed = f"This could not be read: {error}"
        self.draw()

    @on(Input.Changed)
    def narrowed(self, event: Input.Changed) -> None:
        self.draw()

    def action_take(self) -> None:
        self.draw()  # what was typed just now narrows the list before one of it is taken
        if self._body.target:
            self.dismiss(self._body.target)

    @on(LinePane.Chosen)
    def chosen(self, event: LinePane.Chosen) -> None:
        self.dismiss(event.target)

"""Lines from which a range can be kept as evidence."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from text.lines import Line
from tui.line_pane import LinePane


class RangePane(LinePane):
    """A range begins where space is pressed and ends at the cursor; space again cancels it. The
    targets of the lines are rising numbers."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "begin", "range", show=False)]
    _began = ""
    """The target at which the range begins, "" without one."""

    @property
    def follows(self) -> bool:
        """A range ends where the cursor was put, also while lines are added."""
        return super().follows and not self._began

    def action_begin(self) -> None:
        if not self.target.isdecimal():
            self.action_page(1)
            return
        self._began = "" if self._began else self.target
        self._held = True
        self.refresh()

    def end_range(self) -> None:
        self._began = ""
        self.refresh()

    @property
    def range_length(self) -> int:
        """Lines in the range, 0 without one."""
        numbers = self._numbers
        if not numbers:
            return 0
        return sum(1 for each in self._build(self.text_width) if _number(each) in numbers)

    @property
    def _numbers(self) -> range:
        if not self._began or not self.target.isdecimal():
            return range(0)
        first, last = sorted((int(self._began), int(self.target)))
        return range(first, last + 1)

    def kept(self) -> list[str]:
        """The lines of the range, whole; without a range those that are on the screen."""
        numbers = self._numbers
        if numbers:
            found = [each for each in self._build(self.text_width) if _number(each) in numbers]
        else:
            rows = self._visible()
            found = list(self.lines[rows.start : rows.stop])
        return [each.text.rstrip() for each in found if each.text.strip()]

    def marker(self, row: Line) -> str:
        return "┃" if self._began and _number(row) in self._numbers else ""

    def _move(self, index: int) -> None:
        super()._move(index)
        if self._began:
            self.refresh()


def _number(row: Line) -> int:
    return int(row.target) if row.target.isdecimal() else -1

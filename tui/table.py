"""A table that draws only the visible rows and repaints only those that changed, at any number of
rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from text.lines import Line, Span, fit, fit_name
from text.object_table import Heading
from tui.line_pane import CURSOR, CursorPane
from tui.strips import to_strip


class Rows(Protocol):
    """What the table shows: rows by number, each known by a key that outlives sorting."""

    def __len__(self) -> int: ...

    def key_at(self, row: int) -> Any: ...

    def row_of(self, key: Any) -> int | None: ...

    @property
    def marked(self) -> Collection[Any]:
        """Keys of the rows that a person marked."""
        ...


_MARKERS = {
    (False, False): "",
    (True, False): CURSOR,
    (False, True): "●",
    (True, True): "◉",
}
"""The first cell of a row, by whether the cursor stands on it and whether it is marked."""
Cells = Callable[[int], Sequence[Span]]
"""(row) -> text and style name of each shown cell."""


class VirtualTable(CursorPane, can_focus=True):
    """Rows of a `Rows`; the cursor stays on the same object while rows move around it."""

    @dataclass
    class Chosen(Message):
        """Enter, or a click on the row that the cursor is on."""

        table: VirtualTable
        key: Hashable

    def __init__(self, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self._rows: Rows = ()  # type: ignore[assignment]  # an empty tuple has the length that is asked for
        self._cells: Cells = lambda row: ()
        self._headings: Sequence[Heading] = ()
        self._row = 0
        self._key: Hashable | None = None
        self._held = False
        """Whether a key put the cursor where it is; before that it stays on the first row."""
        self._drawn: dict[int, Line] = {}
        """What was drawn last in each row; rows that would look the same are not repainted."""

    # -- content

    def show(self, rows: Rows, headings: Sequence[Heading], cells: Cells) -> None:
        """Other rows or other columns: draws everything again; other rows begin at the top."""
        if rows is not self._rows:
            self._row, self._key, self._held = 0, None, False
            self.scroll_to(y=0, animate=False, immediate=True)
        self._rows, self._headings, self._cells = rows, headings, cells
        self.moved()

    def moved(self) -> None:
        """Rows came, went or changed places: puts the cursor back on its object and draws the
        visible rows."""
        count = len(self._rows)
        self.resize_content(Size(self.size.width, count + 1))
        row = self._rows.row_of(self._key) if self._key is not None and count else None
        if not self._held:
            row = 0
        elif row is None:
            row = min(self._row, max(0, count - 1))
        shift = row - self._row
        self._row = row
        self._key = self._rows.key_at(row) if count else None
        if shift and self.scroll_offset.y:  # visible rows do not jump when others appear above
            self.scroll_to(y=max(0, self.scroll_offset.y + shift), animate=False, immediate=True)
        self._keep_seen()
        self.refresh()

    def touched(self, keys: Collection[Hashable]) -> None:
        """Objects changed in place: repaints the visible rows that look different now."""
        for row in self.seen_rows():
            if self._rows.key_at(row) in keys and self._drawn.get(row) != self._line(
                self._cells(row), self.size.width
            ):
                self._repaint(row)

    def texts(self) -> Iterable[str]:
        return (" ".join(text for text, _ in self._cells(row)) for row in self.seen_rows())

    @property
    def key(self) -> Hashable | None:
        """Key of the object under the cursor, None in an empty table."""
        return self._key if len(self._rows) else None

    def select(self, key: Hashable) -> None:
        row = self._rows.row_of(key)
        if row is not None:
            self._go(row)

    def _repaint(self, row: int) -> None:
        self.refresh_row(row - self.scroll_offset.y + 1)

    def seen_rows(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + max(0, self.size.height - 1), len(self._rows)))

    # -- drawing

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            heading = self.look("heading", partial=False)
            return to_strip(self._head_line(width), self.look, 0, width, heading)
        row = y - 1 + self.scroll_offset.y
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        here = row == self._row
        if len(self._drawn) > 500:
            self._drawn.clear()
        drawn = self._drawn[row] = self._line(self._cells(row), width)
        marked = self._rows.key_at(row) in self._rows.marked
        marker = _MARKERS[here, marked]
        return to_strip(drawn, self.look, 0, width, self.under(here), marker)

    def widths(self, width: int) -> list[int]:
        """Cells of each column; those of width 0 share what is left."""
        fixed = sum(h.width for h in self._headings) + len(self._headings)
        open_ = sum(1 for h in self._headings if not h.width)
        rest = max(8, (width - 1 - fixed) // open_) if open_ else 0
        return [h.width or rest for h in self._headings]

    def _line(self, cells: Sequence[Span], width: int) -> Line:
        spans: list[Span] = [(" ", "plain")]
        for heading, size, (text, style) in zip(
            self._headings, self.widths(width), cells, strict=False
        ):
            text = text.rjust(size) if heading.right and len(text) < size else text
            cut = fit_name if heading.is_name else fit
            spans += [(cut(text, size), style), (" ", "plain")]
        return Line(tuple(spans))

    def _head_line(self, width: int) -> Line:
        return self._line([(heading.title, "heading") for heading in self._headings], width)

    # -- moving

    def _go(self, row: int) -> None:
        count = len(self._rows)
        if not count:
            return
        self._held = True
        before, self._row = self._row, max(0, min(row, count - 1))
        self._key = self._rows.key_at(self._row)
        self._repaint(before)
        self._repaint(self._row)
        self._keep_seen()

    def _keep_seen(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height - 1)
        if self._row < top:
            self.scroll_to(y=self._row, animate=False, immediate=True)
        elif self._row >= top + height:
            self.scroll_to(y=self._row - height + 1, animate=False, immediate=True)

    def action_move(self, by: int) -> None:
        self._go(self._row + by)

    def action_page(self, direction: int) -> None:
        self._go(self._row + direction * max(1, self.size.height - 2))

    def action_edge(self, direction: int) -> None:
        self._go(0 if direction < 0 else len(self._rows) - 1)

    def action_choose(self) -> None:
        if self.key is not None:
            self.post_message(self.Chosen(self, self.key))

    def on_click(self, event: events.Click) -> None:
        row = event.y - 1 + self.scroll_offset.y
        if event.y == 0 or row >= len(self._rows):
            return
        if row == self._row:
            self.action_choose()
        else:
            self._go(row)

    def on_resize(self) -> None:
        self.moved()

    def on_focus(self) -> None:
        self._repaint(self._row)

    def on_blur(self) -> None:
        self._repaint(self._row)

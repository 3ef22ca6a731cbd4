"""A pane of lines: draws the visible rows, repaints those that changed, and keeps its cursor on the
same target when lines move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from text.lines import BLANK, STYLES, KeptLayout, Line, heavy, layout
from tui.strips import to_strip

Build = Callable[[int], Sequence[Line]]
"""Makes the lines for a width in cells."""

CURSOR = "›"
LOOKS = {f"text--{name}" for name in STYLES}
"""The component classes of a screen or box that holds panes."""


def looks_around(pane: Widget) -> Widget:
    """The screen or box around a pane that holds the looks of text.

    Once for all panes: each would make fourteen styles of its own whenever its screen changes,
    which took a quarter of the first frame.
    """
    return next(
        node
        for node in pane.ancestors
        if isinstance(node, Widget) and type(node).COMPONENT_CLASSES >= LOOKS
    )


class CursorPane(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with a cursor: the keys that move it, and the looks of the screen or box around."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "edge(-1)", "first", show=False),
        Binding("end,G", "edge(1)", "last", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]

    _looks: Widget | None = None
    _background = Style.null()

    def look(self, name: str, *, partial: bool = True) -> Style:
        """The style of a name: with its background, or only its own settings (`partial`)."""
        if name == "plain":
            return Style.null()
        if self._looks is None:
            self._looks = looks_around(self)
        return self._looks.get_component_rich_style(
            f"text--{name}", partial=partial, default=Style.null()
        )

    def under(self, here: bool) -> Style:
        """The background of a row; the cursor's where it stands and the pane has the focus."""
        return self.look("cursor", partial=False) if here and self.has_focus else self._background

    def render_lines(self, crop: Region) -> list[Strip]:
        """Asks for the background once: Textual works it out from every ancestor, 0.2 ms a row."""
        self._background = self.rich_style
        return super().render_lines(crop)

    def texts(self) -> Iterable[str]:
        """What it shows, as text."""
        return ()

    def refresh_row(self, row: int) -> None:
        """Repaints a row of the pane, 0 being the first visible one."""
        self.refresh(Region(0, row, self.size.width, 1))

    def resize_content(self, size: Size) -> None:
        """Sets the size of the scrolled content.

        Setting `virtual_size` makes Textual lay out the whole screen: 10 to 20 ms for a key that
        moves to a symptom with a longer explanation. While the scroll bar neither appears nor
        disappears, only the bar and the offset change.
        """
        before, height = self.virtual_size, self.container_size.height
        if size.width != before.width or (before.height > height) is not (size.height > height):
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = size.height
        self.scroll_y = self.validate_scroll_y(self.scroll_y)


class LinePane(CursorPane, can_focus=True):
    """Lines of text from a pure function of the width, inside a screen or box with `LOOKS`.

    `show` replaces the content and refreshes only the lines that differ. The cursor stays on its
    target while the content around it changes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "edge(-1)", "first", show=False),
        Binding("space", "page(1)", "page down", show=False),
    ]

    @dataclass
    class Highlighted(Message):
        """The cursor moved to another target."""

        pane: LinePane
        target: str

    @dataclass
    class Chosen(Message):
        """Enter (or a second click) on a target."""

        pane: LinePane
        target: str

    def __init__(self, *, classes: str | None = None, follow: bool = False) -> None:
        """`follow`: stay at the end as lines are added (logs)."""
        super().__init__(classes=classes)
        self._build: Build = lambda width: ()
        self._layout = KeptLayout()
        self._lines: Sequence[Line] = ()
        self._follow = follow
        self._cursor = -1
        self._match = -1
        """The row of the last search hit."""
        self._drawn_width = 0
        self._held = False
        """Whether a key moved the cursor; until then it stays on the first line."""

    # -- content

    @property
    def follows(self) -> bool:
        """Whether the cursor and the view stay at the end while lines are added."""
        return self._follow

    @property
    def lines(self) -> Sequence[Line]:
        return self._lines

    @property
    def target(self) -> str:
        """The target under the cursor, "" without one."""
        return self._lines[self._cursor].target if 0 <= self._cursor < len(self._lines) else ""

    def texts(self) -> Iterable[str]:
        return (row.text for row in self._lines)

    @property
    def text_width(self) -> int:
        return self.scrollable_content_region.width or self.size.width

    def show(self, build: Build) -> None:
        """Show the lines that `build` makes; called again with the new width when the pane is
        resized."""
        self._build = build
        if self.is_attached and self.text_width:
            self._rebuild()

    def on_resize(self, event: events.Resize) -> None:
        self._rebuild()

    def _rebuild(self) -> None:
        width = self.text_width
        if not width:
            return
        old, target = self._lines, self.target
        if self.follows and old and target and target == old[-1].target:
            self._held = False  # the cursor follows the end as well
        at_end = self.scroll_offset.y >= self.max_scroll_y
        new = self._layout(self._build(width), width)
        self._lines = new
        before = self._cursor
        if self.follows and not self._held:
            self._cursor = next(reversed(self._stops()), -1)
        else:
            self._cursor = self._find(target if self._held else "", before if self._held else -1)
        if width != self._drawn_width and not self._held:
            at_end = True  # the first layouts may come after the first move to the end
        virtual = Size(width, len(new))
        if virtual != self.virtual_size or width != self._drawn_width:
            same_width, self._drawn_width = width == self._drawn_width, width
            self.resize_content(virtual)
            if self.styles.auto_dimensions or not same_width:
                self.refresh(layout=self.styles.auto_dimensions)
        for y in self._visible():
            if (old[y] if y < len(old) else None) != (new[y] if y < len(new) else None):
                self._refresh_line(y)
        if before != self._cursor:
            self._refresh_line(before)
            self._refresh_line(self._cursor)
        if self.target != target and self.target:
            self.post_message(self.Highlighted(self, self.target))
        if self.follows and at_end and not self._held:
            self.scroll_end(animate=False)

    def visible_targets(self) -> set[str]:
        """The targets of the lines on the screen."""
        top = self.scroll_offset.y
        return {row.target for row in self._lines[top : top + self.size.height]}

    def _visible(self) -> range:
        top = self.scroll_offset.y
        return range(top, top + self.size.height)

    def _refresh_line(self, y: int) -> None:
        if y >= 0:
            self.refresh_row(y - self.scroll_offset.y)

    def _find(self, target: str, near: int) -> int:
        if target:
            for index, row in enumerate(self._lines):
                if row.target == target:
                    return index
        if near < 0:
            return next((index for index, row in enumerate(self._lines) if row.target), -1)
        return min(self._stops(), key=lambda index: abs(index - near), default=-1)

    def _stops(self) -> list[int]:
        """The rows where the cursor can stand: the first line of each run of lines with the same
        target."""
        lines = self._lines
        return [
            i
            for i, row in enumerate(lines)
            if row.target and (i == 0 or lines[i - 1].target != row.target)
        ]

    # -- drawing

    def render_line(self, y: int) -> Strip:
        offset = self.scroll_offset
        index = y + offset.y
        width = self.size.width
        row = self._lines[index] if index < len(self._lines) else BLANK
        here = index == self._match or (bool(row.target) and row.target == self.target)
        marker = CURSOR if here and index == self._cursor else self.marker(row)
        return to_strip(row, self.look, offset.x, width, self.under(here), marker)

    def marker(self, row: Line) -> str:
        """What stands in the first cell of a row without the cursor, "" for its own text."""
        return ""

    # -- searching

    def find(self, words: str, by: int) -> tuple[int, int]:
        """Go to the next row that contains the words (`by` 1), the previous one (-1), or the first
        from here on (0). Returns its number from 1 and how many there are, (0, 0) for none."""
        before, self._match = self._match, -1
        wanted = words.lower()
        rows = [i for i, row in enumerate(self._lines) if wanted in row.text.lower()]
        if wanted and rows:
            here = before if before >= 0 else self.scroll_offset.y - (by > 0)
            if by < 0:
                found = next((i for i in reversed(rows) if i < here), rows[-1])
            else:
                found = next((i for i in rows if i >= here + by), rows[0])
            self._match = found
            if self._lines[found].target:
                self.move_to(self._lines[found].target)
            self.scroll_to_region(Region(0, found, 1, 1), animate=False, force=True)
        self._refresh_line(before)
        self._refresh_line(self._match)
        return (rows.index(self._match) + 1, len(rows)) if self._match >= 0 else (0, 0)

    # -- moving

    def move_to(self, target: str) -> None:
        """Put the cursor on a target, if it is there."""
        index = self._find(target, -1)
        self._held = True
        if index >= 0 and self._lines[index].target == target:
            self._move(index)

    def _move(self, index: int) -> None:
        self._held = True
        if index == self._cursor:  # it may have been scrolled out of sight
            self._scroll_to_line(index)
            return
        before, self._cursor = self._cursor, index
        target = self.target
        for y in self._visible():
            if y in (before, index) or (y < len(self._lines) and self._lines[y].target == target):
                self._refresh_line(y)
        self._refresh_line(before)
        self._scroll_to_line(index)
        self.post_message(self.Highlighted(self, target))

    def _scroll_to_line(self, index: int) -> None:
        region = Region(self.scroll_offset.x, index, 1, self._height_of(index))
        self.scroll_to_region(region, animate=False, force=True)

    def _height_of(self, index: int) -> int:
        """Lines of the block that begins at `index`: up to the next target."""
        end = index + 1
        own = self._lines[index].target
        while end < len(self._lines) and self._lines[end].target in ("", own) and end - index < 4:
            end += 1
        return end - index

    def action_move(self, by: int) -> None:
        targets = self._stops()
        if not targets:
            self.scroll_relative(y=by, animate=False)
            return
        ahead = (
            [index for index in targets if index > self._cursor]
            if by > 0
            else [index for index in targets if index < self._cursor][::-1]
        )
        top = self.scroll_offset.y
        near = range(top - 1, top + self.size.height + 1)
        if ahead and (ahead[0] in near or self._cursor in near):
            self._move(ahead[min(abs(by), len(ahead)) - 1])
        elif self._cursor not in near and (shown := [index for index in targets if index in near]):
            # Lines that came before the cursor have moved it out of sight.
            self._move(shown[0 if by > 0 else -1])
        else:  # Lines between or beyond the targets are there to be read.
            self.scroll_relative(y=by, animate=False)

    def action_page(self, direction: int) -> None:
        page = max(1, self.size.height - 1)
        if any(row.target for row in self._lines):
            self.action_move(direction * max(1, page // 2))
        else:
            self.scroll_relative(y=direction * page, animate=False)

    def action_edge(self, direction: int) -> None:
        targets = self._stops()
        if targets:
            self._move(targets[0 if direction < 0 else -1])
        elif direction < 0:
            self.scroll_home(animate=False)
        else:
            self.scroll_end(animate=False)

    def action_choose(self) -> None:
        """Without a target, enter is the key of the screen."""
        if not self.target:
            raise SkipAction
        self.post_message(self.Chosen(self, self.target))

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        stops = [stop for stop in self._stops() if stop <= index]
        if not stops or index >= len(self._lines):
            return
        if stops[-1] == self._cursor:
            self.action_choose()
        else:
            self._move(stops[-1])

    def on_focus(self) -> None:
        self._refresh_line(self._cursor)

    def on_blur(self) -> None:
        self._refresh_line(self._cursor)


class Fixed(LinePane, can_focus=False):
    """Lines without a cursor, as high as their content."""

    def show_lines(self, lines: Sequence[Line], width: int) -> None:
        found = layout(lines, width)
        if len(found) != len(self.lines):
            self.styles.height = len(found)
        self.show(lambda _: found)


class PaneHeading(Fixed, can_focus=False):
    """The heading of the pane below it in the same box. Its rule is heavy while that pane has the
    focus, so that focus is seen without colours."""

    _pane: Widget | None = None

    def show(self, build: Build) -> None:
        super().show(lambda width: [self._marked(each) for each in build(width)])

    def _marked(self, each: Line) -> Line:
        return heavy(each) if self._pane is not None and self._pane.has_focus else each

    def on_mount(self) -> None:
        beside = self.parent.children if self.parent is not None else ()
        panes = (each for each in beside if isinstance(each, CursorPane) and each.can_focus)
        self._pane = next(panes, None)
        if self._pane is not None:
            self.watch(self._pane, "has_focus", self._rebuild, init=False)

"""The only door from strings to the terminal: pieces of text with a style *name*, and the strips
that Textual draws from them.

Nothing here knows markup. A piece is (text, style name); the names are those of `STYLES` and get
their look from `assets/base.tcss`, so a string from a cluster can never choose its own look, carry
a link or reach the terminal with a control character in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from rich.cells import cell_len, chop_cells, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from cluster.kube.text import clean

STYLES = (
    "plain",
    "strong",
    "muted",
    "heading",
    "key",
    "critical",
    "warning",
    "info",
    "good",
    "unknown",
    "change",
    "cursor",
    "added",
    "removed",
)
"""Every look that text can have; each is a component class `text--NAME` of what holds panes of
lines."""

Piece = tuple[str, str]


class Line(msgspec.Struct, frozen=True):
    """One line on screen. `target` names what a cursor on it points at, "" for a line that cannot
    be chosen."""

    pieces: tuple[Piece, ...] = ()
    target: str = ""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def width(self) -> int:
        """In terminal cells."""
        return sum(cell_len(text) for text, _ in self.pieces)


def line(*parts: str | Piece, target: str = "") -> Line:
    """A line from strings (plain) and (text, style name) pairs; every string is cleaned here and
    folded into one line."""
    pieces = ((part, "plain") if isinstance(part, str) else part for part in parts)
    return Line(tuple((_spaced(text), style) for text, style in pieces if text), target)


BLANK = Line()


def _spaced(text: str) -> str:
    """Cleaned, with line breaks and tabs as single spaces, but keeping runs of spaces: columns are
    made of them."""
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").replace("\t", " ")
    return clean(text)


def plain(text: str) -> Content:
    """Text for a Textual widget (notification, label), never read as markup."""
    return Content(clean(text, 2_000))


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells: padded, or cut with an ellipsis that shows that something is
    missing."""
    text = _spaced(text)
    if width <= 0:
        return ""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, width - 1) + "…" if width > 1 else "…"


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut with an ellipsis."""
    text = _spaced(text)
    return text if cell_len(text) <= width else fit(text, width)


def columns(*cells: tuple[str, int] | tuple[str, int, str], target: str = "", gap: int = 2) -> Line:
    """A line of fixed columns, each (text, width in cells[, style name])."""
    pieces: list[Piece] = []
    for index, cell in enumerate(cells):
        style = cell[2] if len(cell) == 3 else "plain"
        if index:
            pieces.append((" " * gap, "plain"))
        pieces.append((fit(cell[0], cell[1]), style))
    return Line(tuple(pieces), target)


def wrap(line_: Line, width: int, hang: int = 0) -> list[Line]:
    """Break a line at spaces so that none is wider than `width` cells; later lines are indented by
    `hang` cells."""
    if width <= 0 or line_.width <= width:
        return [line_]
    hang = min(hang, max(0, width - 8))
    rows: list[list[Piece]] = [[]]
    used = 0
    for text, style in line_.pieces:
        for word in _words(text):
            size = cell_len(word)
            if used + cell_len(word.rstrip()) > width and used > (hang if len(rows) > 1 else 0):
                rows.append([(" " * hang, "plain")] if hang else [])
                used = hang
                word = word.lstrip() or ""
                size = cell_len(word)
            while used + cell_len(word.rstrip()) > width:
                head = chop_cells(word, width - used)[0]
                rows[-1].append((head, style))
                word = word[len(head) :]
                size = cell_len(word)
                rows.append([(" " * hang, "plain")] if hang else [])
                used = hang
            if word:
                rows[-1].append((word, style))
                used += size
    return [
        Line(_trimmed(_merged(row), width), line_.target if index == 0 else "")
        for index, row in enumerate(rows)
        if row or index == 0
    ]


def _trimmed(pieces: tuple[Piece, ...], width: int) -> tuple[Piece, ...]:
    """Without the spaces at the end that would reach over the edge."""
    over = sum(cell_len(text) for text, _ in pieces) - width
    if over <= 0 or not pieces:
        return pieces
    text, style = pieces[-1]
    return (*pieces[:-1], (text[: len(text) - over], style))


def _words(text: str) -> Iterator[str]:
    """Words with the spaces that follow them, so that joining gives the text back."""
    start = 0
    length = len(text)
    while start < length:
        end = start
        while end < length and text[end] == " ":
            end += 1
        while end < length and text[end] != " ":
            end += 1
        while end < length and text[end] == " ":
            end += 1
        yield text[start:end]
        start = end


def _merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    merged: list[Piece] = []
    for text, style in pieces:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        else:
            merged.append((text, style))
    return tuple(merged)


def paragraphs(
    text: str, width: int, style: str = "plain", indent: int = 0, limit: int = 0
) -> list[Line]:
    """Text of several lines as wrapped lines, indented; with `limit` the rest is counted, not
    silently dropped."""
    lines: list[Line] = []
    for row in text.split("\n"):
        lines += wrap(
            line((" " * indent, "plain"), (row.replace("\t", "    "), style)), width, indent
        )
    if limit and len(lines) > limit:
        dropped = len(lines) - limit + 1
        return [
            *lines[: limit - 1],
            line((" " * indent, "plain"), (f"… {dropped} more lines", "muted")),
        ]
    return lines


def rule(title: str, width: int) -> Line:
    """A heading across the pane: `── title ─────`."""
    head = f"── {shorten(title, max(1, width - 5))} "
    return Line(((head, "heading"), ("─" * max(0, width - cell_len(head)), "muted")))


StyleOf = Callable[[str], Style]


def to_strip(
    line_: Line, style_of: StyleOf, start: int, width: int, under: Style, marker: str = ""
) -> Strip:
    """Draw a line: `width` cells from cell `start`; `under` is the background (the cursor's, where
    it stands).

    `marker` replaces the first cell, so that the cursor can be seen without colour. This is the
    last door before the terminal: text is cleaned here again, whatever built the line.
    """
    segments = [Segment(_spaced(text), under + style_of(style)) for text, style in line_.pieces]
    strip = Strip(segments).crop_extend(start, start + width, under)
    if marker:
        return Strip.join([Strip([Segment(marker, under + style_of("key"))]), strip.crop(1, width)])
    return strip

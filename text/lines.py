"""Lines of styled spans: text with the *name* of a style.

Nothing here knows markup. The look of a name belongs to the face that paints it, so text from a
cluster cannot choose its own look, carry a link or reach the terminal with a control character.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cluster.kube.text import clean
from text.width import cells, head

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
"""Every look that text can have. The screens style each as the component class `text--NAME`."""

Span = tuple[str, str]


class Line(msgspec.Struct, frozen=True):
    """One line on screen. `target` names what a cursor on it points at, "" for a line that cannot
    be chosen."""

    spans: tuple[Span, ...] = ()
    target: str = ""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.spans)

    @property
    def width(self) -> int:
        """In terminal cells."""
        return sum(cells(text) for text, _ in self.spans)


def line(*parts: str | Span, target: str = "") -> Line:
    """A line from strings (plain) and (text, style name) pairs; every string is cleaned here and
    folded into one line."""
    spans = ((part, "plain") if isinstance(part, str) else part for part in parts)
    return Line(tuple((one_line(text), style) for text, style in spans if text), target)


BLANK = Line()


def one_line(text: str) -> str:
    """Cleaned, with line breaks and tabs as single spaces, but keeping runs of spaces: columns are
    made of them."""
    if "\n" in text or "\t" in text or "\r" in text:
        text = text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").replace("\t", " ")
    return clean(text)


def fit(text: str, width: int) -> str:
    """`text` in exactly `width` cells: padded, or cut with an ellipsis that shows that something is
    missing."""
    text = one_line(text)
    if width <= 0:
        return ""
    size = cells(text)
    if size <= width:
        return text + " " * (width - size)
    cut = head(text, width - 1)
    return cut + " " * (width - 1 - cells(cut)) + "…"


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut with an ellipsis."""
    text = one_line(text)
    return text if cells(text) <= width else fit(text, width)


def columns(
    *columns_: tuple[str, int] | tuple[str, int, str], target: str = "", gap: int = 2
) -> Line:
    """A line of fixed columns, each (text, width in cells[, style name])."""
    spans: list[Span] = []
    for index, cell in enumerate(columns_):
        style = cell[2] if len(cell) == 3 else "plain"
        if index:
            spans.append((" " * gap, "plain"))
        spans.append((fit(cell[0], cell[1]), style))
    return Line(tuple(spans), target)


def wrap(line_: Line, width: int, hang: int = 0) -> list[Line]:
    """Break a line at spaces so that none is wider than `width` cells; later lines are indented by
    `hang` cells."""
    if width <= 0 or line_.width <= width:
        return [line_]
    hang = min(hang, max(0, width - 8))
    rows: list[list[Span]] = [[]]
    used = 0
    for text, style in line_.spans:
        for word in _words(text):
            size = cells(word)
            if used + cells(word.rstrip()) > width and used > (hang if len(rows) > 1 else 0):
                rows.append([(" " * hang, "plain")] if hang else [])
                used = hang
                word = word.lstrip() or ""
                size = cells(word)
            while used + cells(word.rstrip()) > width:
                first = head(word, width - used) or (word[0] if used <= hang else "")
                rows[-1].append((first, style))
                word = word[len(first) :]
                size = cells(word)
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


def _trimmed(spans: tuple[Span, ...], width: int) -> tuple[Span, ...]:
    """Without the spaces at the end that would reach over the edge."""
    over = sum(cells(text) for text, _ in spans) - width
    if over <= 0 or not spans:
        return spans
    text, style = spans[-1]
    return (*spans[:-1], (text[: len(text) - over], style))


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


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for text, style in spans:
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
    name = f"── {shorten(title, max(1, width - 5))} "
    return Line(((name, "heading"), ("─" * max(0, width - cells(name)), "muted")))

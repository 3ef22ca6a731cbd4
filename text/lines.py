"""Lines of styled spans: text with the *name* of a style, and the breaking of lines into rows.

Has no markup. The face decides the look of a name, so text from a cluster cannot choose its look,
carry a link or reach the terminal with a control character. Lines have no width: `rows` breaks them
for the screens, `plain_text` prints them whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from cluster.kube.text import clean
from text.width import cells, head

STYLES = (
    "plain",
    "strong",
    "context",
    "muted",
    "heading",
    "key",
    "hint",
    "alarm",
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
HINT = "hint"
"""Style of key hints: the command line leaves them out."""

KEPT_LINES, KEPT_LENGTH = 2048, 400
"""Lines of which the rows are kept, and their longest text: a list of 500 symptoms is drawn again
with each key and every two seconds, and few of its lines differ."""

_WORDS = re.compile(" *[^ ]+ *| +")
"""Words with the spaces around them, so that joining them gives the original text."""

_FORMS = re.compile("[\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
"""Variation selectors and skin tones."""
Span = tuple[str, str]
"""(text, style name)"""
Part = str | Span


class Line(msgspec.Struct, frozen=True):
    """One line of text.

    `target`: what the cursor selects on it, "" for none. `hang`: indentation of its further rows,
    in cells. `right`: spans at the right edge. `fill`: one character that fills the row after the
    spans.
    """

    spans: tuple[Span, ...] = ()
    target: str = ""
    hang: int = 0
    right: tuple[Span, ...] = ()
    fill: str = ""

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.spans)

    @property
    def width(self) -> int:
        """The width of spans in terminal cells."""
        return _width(self.spans)


BLANK = Line()


def line(*parts: Part, target: str = "", hang: int = 0, right: Sequence[Span] = ()) -> Line:
    """A line from strings (plain) and spans; each is cleaned and folded into one line."""
    return Line(_spans(parts), target, hang, _spans(right))


def _spans(parts: Iterable[Part]) -> tuple[Span, ...]:
    pairs = ((part, "plain") if isinstance(part, str) else part for part in parts)
    return tuple((one_line(text), style) for text, style in pairs if text)


def _width(spans: Iterable[Span]) -> int:
    return sum(cells(text) for text, _ in spans)


def rule(title: str, hint: str = "") -> Line:
    """A heading across the pane: `── title ─────`; `hint` names a key after the title."""
    spans = _spans(((f"── {title} ", "heading"), (f"{hint} " if hint else "", HINT)))
    return Line(spans, fill="─")


def heavy(line_: Line) -> Line:
    """A heading with a heavy rule, `━━ title ━━━━━`: its pane has the focus."""
    if not line_.fill:
        return line_
    (text, style), *rest = line_.spans
    return replace(line_, spans=((text.replace("──", "━━", 1), style), *rest), fill="━")


def columns(*parts: tuple[str, int] | tuple[str, int, str], target: str = "") -> Line:
    """A line of columns after one cell of margin, each (text, width in cells[, style name])."""
    spans: list[Span] = []
    for part in parts:
        spans += [(" ", "plain"), (fit(part[0], part[1]), part[2] if len(part) == 3 else "plain")]
    return Line(tuple(spans), target)


def field(label: str, *parts: Part, style: str = "muted", size: int = 9, target: str = "") -> Line:
    """A label of `size` cells, or of its own width and two cells, and its value; further rows are
    aligned with the value."""
    gap = max(size - cells(label), 2 if label and cells(label) >= size else 0)
    return line((f" {label}{' ' * gap}", style), *parts, target=target, hang=size + 1)


def fields(
    label: str,
    texts: Sequence[str],
    look: str = "plain",
    *,
    style: str = "muted",
    size: int = 9,
    limit: int = 0,
) -> list[Line]:
    """Several values under one label; those beyond `limit` (0: none) are counted."""
    shown = texts[:limit] if limit else texts
    lines = [
        field("" if index else label, (text, look), style=style, size=size)
        for index, text in enumerate(shown)
    ]
    if len(texts) > len(shown):
        lines.append(field("", (f"and {len(texts) - len(shown)} more", "muted"), size=size))
    return lines


def prose(text: str, style: str = "plain", indent: int = 1) -> list[Line]:
    """A line for each line of the text; rows keep the indentation."""
    return [
        line(" " * indent, (row.replace("\t", "    "), style), hang=indent)
        for row in text.split("\n")
    ]


def numbered(lines: Iterable[Line]) -> list[Line]:
    """Lines that can be chosen one by one: the target of each is its number."""
    return [msgspec.structs.replace(each, target=str(number)) for number, each in enumerate(lines)]


def one_line(text: str) -> str:
    """Cleaned, with line breaks and tabs as single spaces. Runs of spaces stay, because columns use
    them. Without forms of emoji, because terminals disagree about their width."""
    text = clean(text)  # Comes first: it turns other line ends, such as U+0085, into line feeds.
    if not text.isascii():
        text = _FORMS.sub("", text)
    return text.replace("\n", " ").replace("\t", " ") if "\n" in text or "\t" in text else text


NAME_END = 6
"""Characters at the end of a name that a ReplicaSet or a Job gives each pod: `-x2k8z`."""


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


def fit_name(text: str, width: int) -> str:
    """A name in exactly `width` cells. A long one keeps its end, which alone tells the pods of one
    owner apart."""
    if len(text) <= width or width < 3 * NAME_END or not text.isascii():
        return fit(text, width)
    return f"{text[: width - 1 - NAME_END]}…{text[-NAME_END:]}"


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut with an ellipsis, at a word where one is near."""
    text = one_line(text)
    if cells(text) <= width or width <= 0:
        return text if width > 0 else ""
    return whole_words(head(text, width - 1), text) + "…"


def whole_words(kept: str, text: str) -> str:
    """`kept`, the beginning of `text`, without the part of a word at its end; a long word, such as
    a path or an address, is cut."""
    if text[len(kept) : len(kept) + 1].isspace():
        return kept.rstrip()
    words = kept.rpartition(" ")[0].rstrip(" ,;:(")
    return words if 3 * len(words) >= 2 * len(kept) else kept


# -- from lines to rows


def layout(lines: Iterable[Line], width: int) -> list[Line]:
    """The rows of all lines, none wider than `width` cells."""
    return [row for each in lines for row in rows(each, width)]


class KeptLayout:
    """As `layout`, and the rows of lines that come again as the same objects are kept: of thousands
    of lines that are laid out with each key few are new."""

    def __init__(self) -> None:
        self._width = -1
        self._known: dict[int, tuple[Line, tuple[Line, ...]]] = {}
        """By the id of the line."""

    def __call__(self, lines: Iterable[Line], width: int) -> list[Line]:
        known = self._known if width == self._width else {}
        kept: dict[int, tuple[Line, tuple[Line, ...]]] = {}
        found: list[Line] = []
        for each in lines:
            key = id(each)
            laid = known.get(key)
            if laid is None:
                laid = (each, rows(each, width))
            kept[key] = laid
            found += laid[1]
        self._known, self._width = kept, width
        return found


def rows(line_: Line, width: int) -> tuple[Line, ...]:
    """Break a line at spaces so that no row is wider than `width` cells; each row keeps the target.
    A wide right edge gets a row of its own when the text does not fit beside it."""
    short = sum(len(text) for text, _ in line_.spans) <= KEPT_LENGTH
    return _kept_rows(line_, width) if short else _rows(line_, width)


def _rows(line_: Line, width: int) -> tuple[Line, ...]:
    if line_.fill:
        return (_filled(line_, width),)
    if not line_.right:
        return (line_,) if line_.width <= width else tuple(_broken(line_, width))
    edge = _width(line_.right)
    room = width - edge - 2
    if line_.width > room and edge > width // 3:
        last = Line((*_pad(width - edge - 1), *line_.right), line_.target)
        return (*_broken(line_, width), last)
    first, *rest = _broken(line_, max(1, room))
    gap = _pad(room - first.width + 1)
    return (Line((*first.spans, *gap, *line_.right), line_.target), *rest)


_kept_rows = lru_cache(KEPT_LINES)(_rows)


def without_hints(line_: Line) -> Line:
    """The line without key hints."""
    spans = tuple(span for span in line_.spans if span[1] != HINT)
    right = tuple(span for span in line_.right if span[1] != HINT)
    return Line(spans, line_.target, line_.hang, right, line_.fill)


def plain_text(line_: Line) -> str:
    """A line as text, unbroken."""
    edge = "".join(text for text, _ in line_.right).strip()
    return f"{line_.text.rstrip()}  {edge}" if edge else line_.text.rstrip()


def _filled(line_: Line, width: int) -> Line:
    rest = width - line_.width
    if rest < 0:
        return Line(((shorten(line_.text, width), line_.spans[0][1]),), line_.target)
    return Line((*line_.spans, (line_.fill * rest, "muted")), line_.target)


def _pad(width: int) -> tuple[Span, ...]:
    return ((" " * width, "plain"),) if width > 0 else ()


def _broken(line_: Line, width: int) -> list[Line]:
    hang = min(line_.hang, max(0, width - 8))
    found: list[list[Span]] = [[]]
    used = 0

    def next_row() -> int:
        found.append(list(_pad(hang)))
        return hang

    for text, style in line_.spans:
        measure = len if text.isascii() else cells
        words = [text] if used + measure(text) <= width else _WORDS.findall(text)
        for word in words:
            size = measure(word.rstrip())
            begun = used > (hang if len(found) > 1 else 0)
            if begun and used + size > width and size <= width - hang:
                used = next_row()
                word = word.lstrip()
                size = measure(word.rstrip())
            while used + size > width:
                first = head(word, width - used) or (word[0] if used <= hang else "")
                found[-1].append((first, style))
                word = word[len(first) :]
                size = measure(word.rstrip())
                used = next_row()
            if word:
                found[-1].append((word, style))
                used += measure(word)
    return [
        Line(_trimmed(_merged(row), width), line_.target)
        for index, row in enumerate(found)
        if row or not index
    ]


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for text, style in spans:
        if merged and merged[-1][1] == style:
            merged[-1] = (merged[-1][0] + text, style)
        else:
            merged.append((text, style))
    return tuple(merged)


def _trimmed(spans: tuple[Span, ...], width: int) -> tuple[Span, ...]:
    """Without spaces at the end that would cross the edge."""
    over = _width(spans) - width
    if over <= 0 or not spans:
        return spans
    text, style = spans[-1]
    return (*spans[:-1], (text[: len(text) - over], style))

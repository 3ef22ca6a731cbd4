"""Draws styled lines with Textual."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.strip import Strip

from cluster.kube.text import clean
from text.lines import Line, one_line

StyleOf = Callable[[str], Style]


def to_strip(
    line_: Line, style_of: StyleOf, start: int, width: int, under: Style, marker: str = ""
) -> Strip:
    """Draw a line: `width` cells from cell `start`; `under` is the background (the cursor's, where
    it stands).

    `marker` replaces the first cell, so that the cursor can be seen without colour. Text is
    cleaned here again: this is the last place before the terminal.
    """
    segments = [Segment(one_line(text), under + style_of(style)) for text, style in line_.spans]
    strip = Strip(segments).crop_extend(start, start + width, under)
    if marker:
        return Strip.join([Strip([Segment(marker, under + style_of("key"))]), strip.crop(1, width)])
    return strip


def plain(text: str) -> Content:
    """Text for a Textual widget (notification, label), never read as markup."""
    return Content(clean(text, 2_000))

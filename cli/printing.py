"""Prints styled lines as text: wrapped on a terminal, whole where a program reads them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

import msgspec

from text.ascii import is_utf8
from text.lines import Line, layout, plain_text, without_hints

UNKNOWN = 120
"""Width of tables, in cells, when the output is no terminal."""
WIDEST = 140
"""Longer rows are hard to read."""


def width() -> int:
    """Width of tables, in cells."""
    return max(40, min(shutil.get_terminal_size((UNKNOWN, 24)).columns, WIDEST))


def print_document(document: object, indent: int | None = 2) -> None:
    """One JSON document on standard output, in one line without `indent`; escaped where the
    encoding is not UTF-8."""
    utf8 = is_utf8(sys.stdout.encoding)
    if indent and utf8:
        # json.dumps with an indent keeps each token of the document until its end.
        text = msgspec.json.format(msgspec.json.encode(document), indent=indent).decode()
    else:
        text = json.dumps(document, indent=indent, ensure_ascii=not utf8)
    print(text, flush=indent is None)


def print_lines(lines: Iterable[Line], stream: TextIO | None = None) -> None:
    """Print to standard output, or to `stream`, without lines that hold only hints."""
    out = stream or sys.stdout
    shown = [without_hints(each) for each in lines if not only_hints(each)]
    for each in layout(shown, width()) if out.isatty() else shown:
        print(plain_text(each), file=out)


def only_hints(line: Line) -> bool:
    """Whether a line has no content outside the screens."""
    return bool(line.spans) and not without_hints(line).spans

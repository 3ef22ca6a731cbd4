"""One HTML file that loads nothing: all text escaped, no scripts, no links, and a content policy
that forbids the rest."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Final

from timeline.export.document import (
    Axis,
    Block,
    DraftDocument,
    DraftSection,
    Items,
    Outside,
    Para,
    Preformatted,
    TableCell,
)

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
       padding: 0 1rem; color: #1b1f24; background: #fff; overflow-wrap: break-word }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { border: 1px solid #c8ccd1; padding: .3rem .5rem; text-align: left; vertical-align: top }
th { background: #f0f2f4; white-space: nowrap }
td { min-width: 3.5rem }
td.short, td.short .outside { white-space: nowrap }
pre { background: #f6f7f8; padding: .7rem; overflow: auto; max-height: 24rem }
.prompt { color: #57606a; font-style: italic }
.outside { white-space: pre-wrap; overflow-wrap: anywhere }
.axis { margin: 1rem 0 2rem }
.lane { position: relative; height: 2.4rem; margin-left: 6rem; border-bottom: 1px solid #c8ccd1 }
.lane .name { position: absolute; left: -6rem; top: .5rem; font-size: .8rem }
.dot { position: absolute; top: .35rem; width: .8rem; height: .8rem; margin-left: -.4rem;
       border-radius: 50%; background: #57606a }
.symptoms .dot { background: #b3261e } .changes .dot { background: #8a5a00; border-radius: 0 }
.actions .dot { background: #1f6f43 } .marks .dot { background: #1d4f91 }
.dot small { position: absolute; top: .8rem; left: -.6rem; font-size: .65rem; white-space: nowrap }
.ends { display: flex; justify-content: space-between; margin-left: 6rem; font-size: .8rem }
.scale { margin-left: 6rem; font-size: .75rem; color: #57606a }
@media print { body { margin: 0; max-width: none; font-size: 10pt } pre { max-height: none }
  pre, tr, .axis { break-inside: avoid } .dot { print-color-adjust: exact }
  thead { display: table-header-group } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_LANES: Final = ("symptoms", "changes", "actions", "marks")
_CELL: Final = 4000
"""Characters of a cell that a page shows."""
_SHORT: Final = 24
"""Characters of a cell that is not wrapped."""
_APART: Final = 5.0
"""Percent of the axis between two points with a written time."""


def render(document: DraftDocument) -> str:
    """The whole report."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(_plain(document.title))}</title>\n<style>{_STYLE}</style>\n</head>\n"
        "<body>",
        f"<h1>{_inline(document.title)}</h1>",
    ]
    parts += [_block(block) for block in document.intro]
    for part in document.parts:
        if isinstance(part, DraftSection):
            parts += [_block(block) for block in part.blocks]
        else:
            parts += [_authored(line) for line in part.splitlines() if line.strip()]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _authored(line: str) -> str:
    """A line of the template: a heading, a hint in italics, an item or a paragraph."""
    if heading := re.match(r"(#{1,5}) +(.*)", line):
        level = min(len(heading[1]), 5)
        return f"<h{level}>{escape(heading[2])}</h{level}>"
    if hint := re.fullmatch(r"_(.*)_", line.strip()):
        return f'<p class="prompt">{escape(hint[1])}</p>'
    if item := re.match(r"\s*(?:[-*]|\d+\.) +(.*)", line):
        return f"<ul><li>{escape(item[1])}</li></ul>"
    return f"<p>{escape(line)}</p>"


def _block(block: Block) -> str:
    if isinstance(block, Para):
        return f"<p>{_inline(block.cell)}</p>"
    if isinstance(block, Items):
        lead = "☐ " if block.tasks else ""
        return "<ul>" + "".join(f"<li>{lead}{_inline(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Preformatted):
        return f"<pre>{escape(block.text)}</pre>"
    if isinstance(block, Axis):
        return _axis(block)
    head = "".join(f"<th>{_inline((name,))}</th>" for name in block.header)
    rows = "".join("<tr>" + "".join(_td(cell) for cell in row) + "</tr>\n" for row in block.rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _td(cell: TableCell) -> str:
    """A time, a number and the like stay on one line."""
    own = sum(len(part) for part in cell if isinstance(part, str))
    outside = sum(len(part.text) for part in cell if isinstance(part, Outside))
    kind = ' class="short"' if own + outside <= _SHORT else ""
    return f"<td{kind}>{_inline(cell)}</td>"


def _axis(axis: Axis) -> str:
    """A lane for each sort of moment, drawn with boxes: the page has no scripts and no images. The
    distance of two moments grows with the root of the time between them, so that minutes of
    response stand apart also after hours of lead-up."""
    if not axis.marks:
        return ""
    first = min(mark.at for mark in axis.marks)
    last = max(mark.at for mark in axis.marks)
    places = _places(sorted({mark.at for mark in axis.marks}))
    out = ['<div class="axis">']
    for lane in _LANES:
        dots, written = [], -_APART
        for mark in sorted(axis.marks, key=lambda mark: mark.at):
            if mark.lane != lane:
                continue
            left = places[mark.at]
            label = ""
            if left - written >= _APART:
                label, written = f"<small>{mark.at:%H:%M}</small>", left
            title = escape(f"{mark.at:%H:%M:%S} {mark.text.text[:200]}")
            place = f'style="left:{left:.2f}%" title="{title}"'
            dots.append(f'<span class="dot" {place}>{label}</span>')
        name = f'<span class="name">{lane}</span>'
        out.append(f'<div class="lane {lane}">{name}{"".join(dots)}</div>')
    ends = (f"<span>{moment:%Y-%m-%d %H:%M:%S} UTC</span>" for moment in (first, last))
    out.append(f'<div class="ends">{"".join(ends)}</div>')
    return "".join(
        [*out, '<div class="scale">Order and times are exact, distances are not.</div></div>']
    )


def _places(moments: Sequence[datetime]) -> Mapping[datetime, float]:
    """Percent from the left for each point, in order."""
    at, places = 0.0, {}
    for before, moment in zip([moments[0], *moments], moments, strict=False):
        at += math.sqrt((moment - before).total_seconds())
        places[moment] = at
    return {moment: 100 * place / max(at, 1.0) for moment, place in places.items()}


def _inline(cell: TableCell) -> str:
    return "".join(
        escape(part.replace("*", "").replace("`", ""))
        if isinstance(part, str)
        else f'<span class="outside">{escape(_cut(part.text))}</span>'
        for part in cell
    )


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[:_CELL]} … ({len(text):,} characters)"


def _plain(cell: TableCell) -> str:
    return "".join(part.text if isinstance(part, Outside) else part for part in cell)

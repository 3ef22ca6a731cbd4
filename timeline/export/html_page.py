"""One HTML file that loads nothing: all text escaped, no scripts, no links, a policy that forbids
the rest."""

from __future__ import annotations

from html import escape
from typing import Final

from timeline.export.document import Block, Cell, Document, Fence, Items, Para

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
       padding: 0 1rem; color: #1b1f24; background: #fff }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { border: 1px solid #c8ccd1; padding: .3rem .5rem; text-align: left;
         vertical-align: top; overflow-wrap: anywhere }
th { background: #f0f2f4 }
pre { background: #f6f7f8; padding: .7rem; overflow-x: auto }
.prompt { color: #57606a; font-style: italic }
.outside { white-space: pre-wrap }
@media print { body { margin: 0; max-width: none } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def render(document: Document) -> str:
    """The whole report."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(_plain(document.title))}</title>\n<style>{_STYLE}</style>\n</head>\n<body"
        f">",
        f"<h1>{_inline(document.title)}</h1>",
    ]
    parts += [_block(block) for block in document.intro]
    for section in document.sections:
        parts.append(f'<h2 id="{escape(section.id)}">{escape(section.heading)}</h2>')
        if section.prompt:
            parts.append(f'<p class="prompt">{escape(section.prompt)}</p>')
        parts += [_block(block) for block in section.blocks]
    return "\n".join([*parts, "</body>\n</html>\n"])


def _block(block: Block) -> str:
    if isinstance(block, Para):
        return f"<p>{_inline(block.cell)}</p>"
    if isinstance(block, Items):
        lead = "☐ " if block.tasks else ""
        return "<ul>" + "".join(f"<li>{lead}{_inline(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Fence):
        return f"<pre>{escape(block.text)}</pre>"
    head = "".join(f"<th>{escape(name)}</th>" for name in block.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_inline(cell)}</td>" for cell in row) + "</tr>\n"
        for row in block.rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"


def _inline(cell: Cell) -> str:
    return "".join(
        escape(part.replace("**", "").replace("`", ""))
        if isinstance(part, str)
        else f'<span class="outside">{escape(part.text)}</span>'
        for part in cell
    )


def _plain(cell: Cell) -> str:
    return "".join(part if isinstance(part, str) else part.text for part in cell)

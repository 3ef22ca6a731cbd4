"""Markdown that renders to the same words on any code host, and has nothing active in it.

Plain words stay prose. Anything that could be markup, a mention, an issue number, a link or a quick
action goes into a code span, whose fence is longer than any run of backticks inside. Sources:
CommonMark 6.1, GFM 4.10, section 5d of the timeline reference.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

from timeline.export.document import (
    Axis,
    Block,
    DraftDocument,
    DraftSection,
    Items,
    Para,
    Preformatted,
    TableCell,
)
from timeline.export.regions import Region, base_comments, head_comment, wrap

_PROSE: Final = re.compile(r"[\w ,;:()%'\"+=/.?→…-]*")
_ACTIVE: Final = re.compile(
    r"://|\bwww\.|(?<!\w)/\w|_|\w\.[A-Za-z]|\b[0-9a-f]{7,40}\b|^\s*(?:[-+]|\d+[.)])\s|^[=-]+\s*$"
    r"|\bGH-\d|\b[A-Z]{2,}-\d",
    re.M,
)
_MARKER: Final = re.compile(r"<!--(?=\s*/?(?:auto:|stanch))")
_CELL_LIMIT: Final = 600


def render(document: DraftDocument) -> str:
    """The whole draft: generated parts between markers, and at the end the hashes of what was
    generated."""
    regions = [region(section) for section in document.sections]
    out = [f"{head_comment([each.id for each in regions])}\n# {_inline(document.title)}\n\n"]
    out += [_block(block) + "\n" for block in document.intro]
    out += [
        wrap(region(part)) if isinstance(part, DraftSection) else part for part in document.parts
    ]
    return "".join([*out, "\n" if not out[-1].endswith("\n") else "", base_comments(regions)])


def rendered_sections(document: DraftDocument) -> dict[str, str]:
    """Each generated part with the author's text before it, by id."""
    found: dict[str, str] = {}
    before = ""
    for part in document.parts:
        if isinstance(part, DraftSection):
            found[part.id] = before + wrap(region(part))
            before = ""
        else:
            before = part.lstrip("\n")
    return found


def region(section: DraftSection) -> Region:
    """The generated part of a section."""
    return Region(id=section.id, content="\n".join(filter(None, map(_block, section.blocks))))


def _block(block: Block) -> str:
    if isinstance(block, Para):
        return _inline(block.cell) + "\n"
    if isinstance(block, Items):
        lead = "- [ ] " if block.tasks else "- "
        return "".join(f"{lead}{_inline(item)}\n" for item in block.items)
    if isinstance(block, Preformatted):
        return _fence(block.text)
    if isinstance(block, Axis):
        return ""
    header = tuple((name,) for name in block.header)
    ruler = "| " + " | ".join("---" for _ in header) + " |\n"
    rows = [
        "| " + " | ".join(_inline(cell, table=True) for cell in row) + " |\n"
        for row in (header, *block.rows)
    ]
    return "".join([rows[0], ruler, *rows[1:]])


def _inline(cell: TableCell, *, table: bool = False) -> str:
    text = "".join(
        part if isinstance(part, str) else inert(part.text, code=part.code) for part in cell
    ).strip()
    return re.sub(r"\|", r"\\|", text) if table else text


def inert(text: str, *, code: bool = False) -> str:
    """Text from outside for use within a line: prose, with words that contain markup in code spans;
    with `code` one span."""
    text = " ⏎ ".join(line.strip() for line in text.splitlines() if line.strip())
    text = _MARKER.sub("<! --", text.replace("\t", " "))
    if len(text) > _CELL_LIMIT:
        text = text[:_CELL_LIMIT] + " …"
    if code and text:
        return _span(text)
    if _is_prose(text):
        return text
    parts = []
    for plain, tokens in groupby(enumerate(text.split(" ")), lambda each: _is_plain(*each)):
        words = " ".join(token for _, token in tokens)
        bare = words if plain else _without_end(words)
        parts.append(words if plain or not bare else _span(bare) + words[len(bare) :])
    return " ".join(parts)


def _without_end(words: str) -> str:
    """The words without punctuation, and without a bracket that was opened before them."""
    bare = words.rstrip(",;:")
    closes = bare.endswith(")") and bare.count(")") > bare.count("(")
    return _without_end(bare[:-1]) if closes else bare


def _is_prose(text: str) -> bool:
    return bool(_PROSE.fullmatch(text)) and not _ACTIVE.search(text)


def _is_plain(place: int, token: str) -> bool:
    """Whether a word has no meaning in Markdown; for the first word, also that it begins no
    list."""
    return _is_prose(token if place else f"{token} ")


def _span(text: str) -> str:
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _fence(text: str) -> str:
    text = _MARKER.sub("<! --", text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)

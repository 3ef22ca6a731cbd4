"""A report before it is Markdown or HTML. The types keep our own words apart from text that came
from outside.

A plain `str` in a cell is written by this program; `Outside` came from a cluster, a person or a
file and is made inert by each renderer. A renderer cannot forget to escape, because it never sees
the two mixed.
"""

from __future__ import annotations

import msgspec


class Outside(msgspec.Struct, frozen=True):
    """Text that this program did not write."""

    text: str


Cell = tuple[str | Outside, ...]


class Para(msgspec.Struct, frozen=True):
    cell: Cell


class Items(msgspec.Struct, frozen=True):
    """A list; with `tasks` each item has a box to tick."""

    items: tuple[Cell, ...]
    tasks: bool = False


class Table(msgspec.Struct, frozen=True):
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Fence(msgspec.Struct, frozen=True):
    """Preformatted text from outside."""

    text: str


Block = Para | Items | Table | Fence


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """`prompt` tells a person what to write; `blocks` is what the record says. No blocks: for
    people alone."""

    id: str
    heading: str
    prompt: str = ""
    blocks: tuple[Block, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True):
    title: Cell
    intro: tuple[Block, ...]
    sections: tuple[Section, ...]

"""A report before it is rendered as Markdown or HTML.

The types separate our own words from text from outside. A plain `str` in a cell is written by this
program; `Outside` came from a cluster, a person or a file, and each renderer makes it inert. So a
renderer cannot forget to escape.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Outside(msgspec.Struct, frozen=True):
    """Text that this program did not write; `code`: a command or a path."""

    text: str
    code: bool = False


TableCell = tuple[str | Outside, ...]


class Para(msgspec.Struct, frozen=True):
    cell: TableCell


class Items(msgspec.Struct, frozen=True):
    """A list; `tasks` gives each item a check box."""

    items: tuple[TableCell, ...]
    tasks: bool = False


class DraftTable(msgspec.Struct, frozen=True):
    header: TableCell
    """One part a column."""
    rows: tuple[tuple[TableCell, ...], ...]


class Preformatted(msgspec.Struct, frozen=True):
    """Preformatted text from outside."""

    text: str


class AxisPoint(msgspec.Struct, frozen=True):
    """A point on the time axis; `lane` is symptoms, changes, actions or marks."""

    at: datetime
    lane: str
    text: Outside


class Axis(msgspec.Struct, frozen=True):
    """Points on a time axis; only HTML draws it."""

    marks: tuple[AxisPoint, ...]


Block = Para | Items | DraftTable | Preformatted | Axis


class DraftSection(msgspec.Struct, frozen=True, kw_only=True):
    """A generated part."""

    id: str
    blocks: tuple[Block, ...]


class DraftDocument(msgspec.Struct, frozen=True, kw_only=True):
    """`parts` are the author's Markdown and the generated parts, in the order of the template."""

    title: TableCell
    intro: tuple[Block, ...]
    parts: tuple[str | DraftSection, ...]

    @property
    def sections(self) -> tuple[DraftSection, ...]:
        return tuple(part for part in self.parts if isinstance(part, DraftSection))

"""Writing a draft again without losing what people wrote. Row T21 of the timeline reference.

A generated part lies between ``<!-- auto:ID sha256=... -->`` and ``<!-- /auto:ID -->``; the hash is
that of the lines between. A part whose hash still fits is replaced; one that a person changed is
kept, and the new text goes into a file beside it. Everything outside is theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

_START: Final = re.compile(r"^<!-- auto:([a-z-]+) sha256=([0-9a-f]{64}) -->[ \t]*$")
_HEAD: Final = re.compile(r"^<!-- stanch:draft/1 parts=([a-z,-]*) -->[ \t\r]*$", re.M)


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A generated part; `content` ends with a line feed."""

    id: str
    content: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`kept` parts were changed by a person and stayed; `removed` ones were deleted by a person and
    stay away; `added` are new."""

    text: str
    updated: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    added: tuple[str, ...]


def head_comment(parts: Sequence[str]) -> str:
    """First line of a draft: which generated parts it was written with."""
    return f"<!-- stanch:draft/1 parts={','.join(parts)} -->"


def wrap(region: Region) -> str:
    """A region with its markers."""
    return (
        f"<!-- auto:{region.id} sha256={_hash(region.content)} -->\n{region.content}<!-- "
        f"/auto:{region.id} -->\n"
    )


def merge(existing: str, regions: Sequence[Region], sections: dict[str, str]) -> Merged | None:
    """Put new regions into an existing draft; None when the text is not a draft of ours (nothing in
    it may be replaced).

    `sections` is the whole rendered section by region id, for regions that did not exist when the
    draft was written.
    """
    head = _HEAD.search(existing)
    if head is None:
        return None
    fresh = {region.id: region for region in regions}
    known = [part for part in head[1].split(",") if part]
    lines = existing.splitlines(keepends=True)
    out: list[str] = []
    updated: list[str] = []
    kept: list[str] = []
    present: set[str] = set()
    index = 0
    while index < len(lines):
        start = _START.match(lines[index].rstrip("\r\n"))
        end = _end_of(lines, index, start[1]) if start else None
        if start is None or end is None:
            out.append(lines[index])
            index += 1
            continue
        identifier, content = start[1], "".join(lines[index + 1 : end])
        new = fresh.get(identifier)
        if identifier in present or new is None or _hash(content.replace("\r\n", "\n")) != start[2]:
            out += lines[index : end + 1]
            if (
                identifier not in present
                and new is not None
                and content.replace("\r\n", "\n") != new.content
            ):
                kept.append(identifier)
        else:
            out.append(wrap(new))
            if content != new.content:
                updated.append(identifier)
        present.add(identifier)
        index = end + 1
    added = [part for part in fresh if part not in known and part not in present]
    removed = [part for part in known if part not in present]
    for part in added:
        if out and not out[-1].endswith("\n"):
            out.append("\n")
        out.append("\n" + sections[part])
    text = _HEAD.sub(lambda _: head_comment([*known, *added]), "".join(out), count=1)
    return Merged(
        text=text,
        updated=tuple(updated),
        kept=tuple(kept),
        removed=tuple(removed),
        added=tuple(added),
    )


def _end_of(lines: Sequence[str], start: int, identifier: str) -> int | None:
    """Line of the end marker; None when another part begins first or there is none (then nothing is
    replaced)."""
    for index in range(start + 1, len(lines)):
        line = lines[index].rstrip()
        if line == f"<!-- /auto:{identifier} -->":
            return index
        if _START.match(line):
            return None
    return None


def _hash(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()

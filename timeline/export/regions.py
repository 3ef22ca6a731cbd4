"""Updates a draft without losing what people wrote. Row T21 of the timeline reference.

A generated part lies between ``<!-- auto:ID -->`` and ``<!-- /auto:ID -->``. At the end of the
draft a comment for each part holds a hash of each generated line, so that three texts can be merged
line by line: what was generated, what it is now, and what would be generated today. A line that a
person changed, added or deleted stays so; everything outside the parts is theirs.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import msgspec

_START: Final = re.compile(r"^<!-- auto:([a-z-]+)(?: sha256=([0-9a-f]{64}))? -->[ \t]*$")
_HEAD: Final = re.compile(r"^<!-- stanch:draft/([12]) parts=([a-z,-]*) -->[ \t\r]*$", re.M)
_BASE: Final = re.compile(r"^<!-- stanch:base ([a-z-]+)((?: [0-9a-f]{8})*) -->[ \t\r]*\n?", re.M)
_SIMILAR: Final = 0.5
"""Similarity from which two lines count as the same statement."""


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """A generated part; `content` ends with a line feed."""

    id: str
    content: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """`kept`: how many lines of each part a person changed, added or deleted; `removed` parts were
    deleted by a person and stay away; `added` are new."""

    text: str
    updated: tuple[str, ...]
    kept: Mapping[str, int]
    removed: tuple[str, ...]
    added: tuple[str, ...]


def head_comment(parts: Sequence[str]) -> str:
    """First line of a draft: the generated parts that it was written with."""
    return f"<!-- stanch:draft/2 parts={','.join(parts)} -->"


def wrap(region: Region) -> str:
    """A region with its markers."""
    return f"<!-- auto:{region.id} -->\n{region.content}<!-- /auto:{region.id} -->\n"


def base_comments(regions: Iterable[Region]) -> str:
    """Last lines of a draft: the hashes of each part as it was generated."""
    return "".join(
        f"<!-- stanch:base {region.id} {' '.join(map(_hash, region.content.splitlines()))} -->\n"
        for region in regions
    )


def merge(existing: str, regions: Sequence[Region], sections: Mapping[str, str]) -> Merged | None:
    """Put new regions into an existing draft; None when the text is not a draft, so that nothing
    may be replaced. `sections` is the whole rendered section by region id, for regions that are
    newer than the draft."""
    head = _HEAD.search(existing)
    if head is None:
        return None
    bases = {found[1]: found[2].split() for found in _BASE.finditer(existing)}
    existing = _BASE.sub("", existing)
    fresh = {region.id: region for region in regions}
    known = [part for part in head[2].split(",") if part]
    lines = existing.splitlines(keepends=True)
    out: list[str] = []
    updated: list[str] = []
    kept: dict[str, int] = {}
    present: set[str] = set()
    index = 0
    while index < len(lines):
        start = _START.match(lines[index].rstrip("\r\n"))
        end = _end_of(lines, index, start[1]) if start else None
        if start is None or end is None:
            out.append(lines[index])
            index += 1
            continue
        identifier, new = start[1], fresh.get(start[1])
        mine = [line.rstrip("\r\n") for line in lines[index + 1 : end]]
        base = bases.get(identifier) or _base_before(mine, start[2])
        if identifier in present or new is None:
            out += lines[index : end + 1]
        elif base is None:  # An edited part of a draft without hashes of its lines.
            kept[identifier] = len(mine)
            out += lines[index : end + 1]
        else:
            merged, edits = merge_lines(base, mine, new.content.splitlines())
            content = "".join(f"{line}\n" for line in merged)
            out.append(wrap(Region(id=identifier, content=content)))
            if merged != mine:
                updated.append(identifier)
            if edits:
                kept[identifier] = edits
        present.add(identifier)
        index = end + 1
    added = [part for part in fresh if part not in known and part not in present]
    removed = [part for part in known if part not in present]
    for part in added:
        if out and not out[-1].endswith("\n"):
            out.append("\n")
        out.append("\n" + sections[part])
    if out and not out[-1].endswith("\n"):
        out.append("\n")
    out.append(base_comments(fresh[part] for part in fresh if part in present or part in added))
    text = _HEAD.sub(lambda _: head_comment([*known, *added]), "".join(out), count=1)
    return Merged(
        text=text,
        updated=tuple(updated),
        kept=kept,
        removed=tuple(removed),
        added=tuple(added),
    )


def merge_lines(
    base: Sequence[str], mine: Sequence[str], new: Sequence[str]
) -> tuple[list[str], int]:
    """Merge by lines: `base` are hashes of what was generated, `mine` is the current text, `new` is
    what is generated now. Returns the lines, and how many a person changed, added or deleted. When
    both changed a line, the person's stays."""
    my_fate, my_more = _edits(base, mine)
    new_fate, new_more = _edits(base, new)
    edits = sum(len(lines) for lines in my_more.values())
    own = {line for line in mine if _hash(line) not in base}
    out: list[str] = []
    for index in range(-1, len(base)):
        if index >= 0:
            my, fresh = my_fate[index], new_fate[index]
            if isinstance(my, str):
                out += [my] if isinstance(fresh, str) else fresh
            else:
                edits += 1
                out += my
                if my and not isinstance(fresh, str):
                    out += [line for line in fresh if not _alike(line, my[0])]
        out += my_more[index]
        out += [line for line in new_more[index] if line not in own]
    return out, edits


def _edits(
    base: Sequence[str], other: Sequence[str]
) -> tuple[list[str | list[str]], defaultdict[int, list[str]]]:
    """For each line of `base` the same line in `other`, or the list of its replacements; and the
    lines that were added after each (-1: before the first)."""
    fate: list[str | list[str]] = [[] for _ in base]
    more: defaultdict[int, list[str]] = defaultdict(list)
    hashes = [_hash(line) for line in other]
    matcher = SequenceMatcher(None, base, hashes, autojunk=False)
    for kind, start, end, first, last in matcher.get_opcodes():
        lines = list(other[first:last])
        if kind == "equal":
            fate[start:end] = lines
        elif kind == "insert":
            more[start - 1] += lines
        elif kind == "replace":
            for offset, line in enumerate(lines[: end - start]):
                fate[start + offset] = [line]
            more[end - 1] += lines[end - start :]
    return fate, more


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() >= _SIMILAR


def _base_before(mine: Sequence[str], sha256: str | None) -> list[str] | None:
    """The line hashes of a part in the oldest format of drafts, with one hash for the whole part;
    None when that does not match."""
    content = "".join(f"{line}\n" for line in mine)
    if sha256 is None or hashlib.sha256(content.encode()).hexdigest() != sha256:
        return None
    return [_hash(line) for line in mine]


def _end_of(lines: Sequence[str], start: int, identifier: str) -> int | None:
    """Line of the end marker; None when another part begins first or there is none, so that nothing
    is replaced."""
    for index in range(start + 1, len(lines)):
        line = lines[index].rstrip()
        if line == f"<!-- /auto:{identifier} -->":
            return index
        if _START.match(line):
            return None
    return None


def _hash(line: str) -> str:
    return hashlib.sha256(line.encode(errors="surrogateescape")).hexdigest()[:8]

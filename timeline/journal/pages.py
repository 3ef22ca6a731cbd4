"""Reads rows directly from the pages of a damaged SQLite file and of its WAL. SQLite's own recovery
failed on the damage that was tried (row T16).

Entries carry a hash, so a row can be trusted whatever page holds it; the header, the inner pages
and the checksums of the WAL are not needed. Format: sqlite.org/fileformat2.html sections 1.6, 2.1
and 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from timeline.entry import Entry, digest
from timeline.journal.rows import from_row
from timeline.journal.storage import ENTRY_COLUMNS, EVIDENCE_COLUMNS, PAGE_SIZE

_TABLE_LEAF: Final = 0x0D
_FILE_HEADER: Final = 100
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_SIZES: Final = (PAGE_SIZE, 4096, 512, 2048, 8192, 16384, 32768, 65536)
"""Page sizes in bytes, most likely first."""
_CONSTANTS: Final = {0: None, 8: 0, 9: 1}
"""Serial types that have no bytes."""
_META: Final = frozenset({"incident_id", "created_at", "schema"})

SqliteRow = tuple[int, Sequence[Any]]
"""Rowid and column values."""
Pages = Mapping[int, bytes]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the pages: entries by seq, evidence rows by sha256, the meta rows."""

    entries: Mapping[int, Entry]
    evidence: Mapping[str, Mapping[str, Any]]
    meta: Mapping[str, str]


def scan(path: Path) -> Found:
    """Everything readable in `path`. Raises OSError."""
    content = path.read_bytes()
    wal = path.with_name(f"{path.name}-wal")
    frames = wal.read_bytes() if wal.exists() else b""
    found = Found(entries={}, evidence={}, meta={})
    for size in _SIZES:
        other = _scan(content, frames, size)
        if len(other.entries) > len(found.entries):
            found = other
        if found.entries and size == _size_in_header(content):
            break
    return found


def _size_in_header(content: bytes) -> int:
    size = int.from_bytes(content[16:18], "big")
    return 65536 if size == 1 else size


def _scan(content: bytes, frames: bytes, size: int) -> Found:
    main = {
        number + 1: content[start : start + size]
        for number, start in enumerate(range(0, len(content), size))
    }
    later = list(_frames(frames, size))
    newest = {**main, **dict(later)}
    entries: dict[int, Entry] = {}
    evidence: dict[str, Mapping[str, Any]] = {}
    meta: dict[str, str] = {}
    for number, page in (*main.items(), *later):
        for rowid, values in _cells(page, number, newest, main):
            if len(values) == len(ENTRY_COLUMNS):
                entry = _entry(rowid, values)
                if entry is not None and (entry.seq not in entries or digest(entry) == entry.hash):
                    entries[entry.seq] = entry
            elif len(values) == len(EVIDENCE_COLUMNS):
                row = dict(zip(EVIDENCE_COLUMNS, values, strict=True))
                if _is_evidence(row):
                    evidence[row["sha256"]] = row
            elif len(values) == 2 and values[0] in _META:
                meta[str(values[0])] = str(values[1])
    return Found(entries=entries, evidence=evidence, meta=meta)


def _frames(wal: bytes, size: int) -> Iterator[tuple[int, bytes]]:
    """Number and content of each page in the WAL, oldest first."""
    for start in range(_WAL_HEADER, len(wal) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        page = wal[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
        yield int.from_bytes(wal[start : start + 4], "big"), page


def _entry(rowid: int, values: Sequence[Any]) -> Entry | None:
    try:
        return from_row([rowid, *values[1:]])
    except (ValueError, TypeError, AttributeError):
        return None


def _is_evidence(row: Mapping[str, Any]) -> bool:
    content = row["content"]
    return isinstance(row["sha256"], str) and (
        content is None
        or (isinstance(content, bytes) and hashlib.sha256(content).hexdigest() == row["sha256"])
    )


def _cells(page: bytes, number: int, *around: Pages) -> Iterator[SqliteRow]:
    """The rows of a leaf of a table, without unreadable cells. `around`: where to look for overflow
    pages."""
    start = _FILE_HEADER if number == 1 else 0
    if len(page) < start + 8 or page[start] != _TABLE_LEAF:
        return
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    for index in range(count):
        at = start + 8 + 2 * index
        offset = int.from_bytes(page[at : at + 2], "big")
        for pages in around:
            try:
                length, position = _varint(page, offset)
                rowid, position = _varint(page, position)
                yield rowid, _values(_payload(page, position, length, pages))
                break
            except (IndexError, KeyError, ValueError):
                continue


def _payload(page: bytes, start: int, length: int, pages: Pages) -> bytes:
    size = len(page)
    local, least = length, (size - 12) * 32 // 255 - 23
    if length > size - 35:
        local = least + (length - least) % (size - 4)
        local = local if local <= size - 35 else least
    content = page[start : start + local]
    link = int.from_bytes(page[start + local : start + local + 4], "big")
    seen = set[int]()
    while len(content) < length:
        if link in seen:
            raise ValueError("the overflow pages form a circle")
        seen.add(link)
        overflow = pages[link]
        content += overflow[4 : 4 + length - len(content)]
        link = int.from_bytes(overflow[:4], "big")
    return content


def _values(record: bytes) -> Sequence[Any]:
    header, position = _varint(record, 0)
    kinds: list[int] = []
    while position < header:
        kind, position = _varint(record, position)
        kinds.append(kind)
    values: list[Any] = []
    for kind in kinds:
        value, position = _value(record, position, kind)
        values.append(value)
    return values


def _value(record: bytes, start: int, kind: int) -> tuple[Any, int]:
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], start
    if kind >= 12:
        end = start + (kind - 12) // 2
        if end > len(record):
            raise ValueError("the record is cut")
        return record[start:end].decode() if kind % 2 else record[start:end], end
    width = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}.get(kind)
    if width is None:
        raise ValueError(f"no column of the schema has the type {kind}")
    return int.from_bytes(record[start : start + width], "big", signed=True), start + width


def _varint(content: bytes, start: int) -> tuple[int, int]:
    """A number of one to nine bytes, and its end. Raises IndexError."""
    number = 0
    for index in range(start, start + 8):
        byte = content[index]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, index + 1
    return number << 8 | content[start + 8], start + 9

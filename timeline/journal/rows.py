"""Entries as rows of the `entry` table and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from timeline.entry import Entry, ObjectRef, canonical, parse_stamp, stamp
from timeline.journal.storage import ENTRY_COLUMNS, JsonObject
from timeline.redaction.clean import Clean, clean_value

SELECT: Final = " ".join(("SELECT", ", ".join(ENTRY_COLUMNS), "FROM entry"))
"""All columns of `entry`, in the order of `from_row`; the caller adds WHERE or ORDER BY."""

_CONVERTED: Final = frozenset(
    {"recorded_at", "occurred_at", "occurred_end", "evidence", "redactions", "data"}
)
_PLAIN: Final = tuple(
    name for name in ENTRY_COLUMNS if name not in _CONVERTED and not name.startswith("object_")
)
_JSON: Final = ("evidence", "redactions", "data")
_OBJECT: Final = ("kind", "namespace", "name", "uid", "resource_version")


def to_row(entry: Entry) -> JsonObject:
    """All columns; JSON columns in canonical form."""
    row: JsonObject = {name: getattr(entry, name) for name in _PLAIN}
    row |= {
        "recorded_at": stamp(entry.recorded_at),
        "occurred_at": stamp(entry.occurred_at),
        "occurred_end": stamp(entry.occurred_end) if entry.occurred_end else None,
        "evidence": canonical(list(entry.evidence)),
        "redactions": canonical(dict(entry.redactions)),
        "data": canonical(dict(entry.data)),
    }
    row |= {
        f"object_{name}": getattr(entry.object, name) if entry.object else "" for name in _OBJECT
    }
    return row


def from_foreign_row(values: Sequence[Any], clean: Clean) -> Entry:
    """As `from_row`, for showing: a file that others wrote may hold text that this program would
    not store. An entry that had to be cleaned no longer has its hash; `verify` reads the stored
    one. Raises ValueError."""
    cleaned = [clean(value) if isinstance(value, str) else value for value in values]
    row, entry = dict(zip(ENTRY_COLUMNS, cleaned, strict=True)), from_row(cleaned)
    hidden = {
        name: clean_value(getattr(entry, name), clean)
        for name in _JSON
        if "\\" in row[name]  # JSON hides control characters behind escapes
    }
    return msgspec.convert(msgspec.structs.asdict(entry) | hidden, Entry) if hidden else entry


def cleaned(entry: Entry, clean: Clean) -> Entry:
    """An entry from another file than the database (the sidecar), as `from_foreign_row`."""
    row = to_row(entry)
    return from_foreign_row([row[name] for name in ENTRY_COLUMNS], clean)


def from_row(values: Sequence[Any]) -> Entry:
    """Inverse of `to_row`, from a `SELECT`. Raises ValueError for a damaged row."""
    row = dict(zip(ENTRY_COLUMNS, values, strict=True))
    fields: dict[str, Any] = {name: row[name] for name in _PLAIN}
    reference = {name: row[f"object_{name}"] for name in _OBJECT}
    fields |= {
        "recorded_at": parse_stamp(row["recorded_at"]),
        "occurred_at": parse_stamp(row["occurred_at"]),
        "occurred_end": parse_stamp(row["occurred_end"]) if row["occurred_end"] else None,
        "evidence": tuple(json.loads(row["evidence"])),
        "redactions": json.loads(row["redactions"]),
        "data": json.loads(row["data"]),
        "object": ObjectRef(**reference) if any(reference.values()) else None,
    }
    return msgspec.convert(fields, Entry)

"""One line of an incident's timeline: `NewEntry` is what callers give, `Entry` is what the record
holds.

Fields follow row T1 of the timeline reference. Every time is an aware datetime in UTC with
microseconds. The canonical form (the bytes that are hashed, and one line of a JSON Lines export) is
JSON with sorted keys, no spaces, UTF-8, and without fields that are null or empty, so that a field
added later leaves older hashes valid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

import msgspec

EntryKind = Literal[
    "incident-opened",
    "incident-closed",
    "incident-reopened",
    "session",
    "observation",
    "connectivity",
    "match",
    "run-started",
    "run-finished",
    "step-intent",
    "step-result",
    "step-skipped",
    "probe-intent",
    "probe-result",
    "object-intent",
    "object-created",
    "object-removed",
    "action-intent",
    "action-result",
    "action-declined",
    "note",
    "hypothesis",
    "milestone",
    "contributing-factor",
    "question",
    "follow-up",
    "revision",
    "export",
]
Precision = Literal["exact", "second", "minute", "approx", "range"]
TimeSource = Literal["cluster", "tool", "human"]
Phase = Literal["detect", "diagnose", "mitigate", "repair", "verify", "comms"]
Confidence = Literal["observed", "inferred", "reported", "guess"]
RevisionAction = Literal["edit", "hide", "unhide", "pin", "unpin", "undo", "purge"]

KINDS: Final[frozenset[str]] = frozenset(get_args(EntryKind))
MILESTONES: Final[tuple[str, ...]] = (
    "started",
    "detected",
    "acknowledged",
    "mitigated",
    "resolved",
)
CLOSED_BY: Final[Mapping[str, frozenset[str]]] = {
    "step-intent": frozenset({"step-result", "step-skipped"}),
    "probe-intent": frozenset({"probe-result"}),
    "object-intent": frozenset({"object-removed"}),
    "action-intent": frozenset({"action-result", "action-declined"}),
}
"""The kinds that end an intent of a kind. A created object is open until its removal, so
`object-created` ends nothing."""

NEEDS_INTENT: Final[frozenset[str]] = frozenset(
    {"step-result", "probe-result", "object-created", "object-removed", "action-result"}
)
LOST: Final = "entries-lost"
"""`data["event"]` of the entry that is written when the end of a file is missing."""
CHANGED: Final = "changed"
"""Key of an object kept as evidence of a change: the changed fields."""
SALT: Final = "salt"
PURGED: Final = "purged"
"""Keys of `data`: the salt of `commitment`, and the commitment of words that were purged."""
ABOUT: Final = "about"
"""Key of `data`: the objects of the entry, each as `ObjectRef`."""
IN_MEMORY: Final = -1
"""`seq` of an entry that is shown before it is on disk."""
NO_HASH: Final = "0" * 64
"""`prev_hash` of the first entry."""


class ObjectRef(msgspec.Struct, frozen=True, kw_only=True):
    """The object that an entry is about; `kind` as in the API (``Pod``)."""

    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


def omit_empty(reference: ObjectRef) -> dict[str, str]:
    """The fields that are known, and always kind and name."""
    fields: dict[str, str] = msgspec.to_builtins(reference)
    return {name: value for name, value in fields.items() if value or name in ("kind", "name")}


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes seen, as given by the caller; redacted and capped before they are stored.

    `source` is the rendered command or the API path, `duration` is in seconds.
    """

    content: bytes
    source: str = ""
    media_type: str = "text/plain"
    exit_code: int | None = None
    duration: float | None = None
    resource_version: str = ""


class NewEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry before it is recorded. Empty `occurred_at` means now; empty actor, host, context
    and cluster_uid mean the journal's own. `captures` become evidence; `evidence` names evidence
    already stored (sha256, hex). `about`: all objects that it is about, kept in `data`.
    """

    kind: EntryKind
    text: str = ""
    occurred_at: datetime | None = None
    occurred_precision: Precision = "exact"
    occurred_end: datetime | None = None
    time_source: TimeSource = "tool"
    phase: Phase | None = None
    actor: str = ""
    host: str = ""
    context: str = ""
    cluster_uid: str = ""
    namespace: str = ""
    object: ObjectRef | None = None
    about: tuple[ObjectRef, ...] = ()
    evidence: tuple[str, ...] = ()
    captures: tuple[Capture, ...] = ()
    confidence: Confidence = "observed"
    run_id: str = ""
    step_id: str = ""
    audit_id: str = ""
    supersedes: str = ""
    reason: str = ""
    data: Mapping[str, Any] = {}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded line.

    `seq` has no gaps and begins at 1. It is 0, with empty hashes, while the entry waits in the
    sidecar file, and -1 while it is only in memory. `mono_ns` is CLOCK_MONOTONIC in nanoseconds;
    `redactions` counts redacted secrets by rule.
    """

    seq: int
    id: str
    recorded_at: datetime
    mono_ns: int
    occurred_at: datetime
    kind: str
    occurred_precision: str = "exact"
    occurred_end: datetime | None = None
    time_source: str = "tool"
    phase: str = ""
    actor: str = ""
    host: str = ""
    context: str = ""
    cluster_uid: str = ""
    namespace: str = ""
    object: ObjectRef | None = None
    text: str = ""
    evidence: tuple[str, ...] = ()
    confidence: str = "observed"
    run_id: str = ""
    step_id: str = ""
    audit_id: str = ""
    redactions: Mapping[str, int] = {}
    supersedes: str = ""
    reason: str = ""
    data: Mapping[str, Any] = {}
    prev_hash: str = ""
    hash: str = ""

    @property
    def pending(self) -> bool:
        """True while the entry is not in the database: in the sidecar or in memory."""
        return self.seq <= 0

    @property
    def on_disk(self) -> bool:
        """True once the entry is in the database or the sidecar, synced: only then it is noted."""
        return self.seq != IN_MEMORY

    @property
    def words(self) -> str:
        """The text for a reader, also of an entry whose words were purged."""
        gone = "(its words were purged)" if PURGED in self.data else ""
        return self.text or gone

    @property
    def intent_id(self) -> str:
        """The key that joins an intent to its result; without a key of its own the intent's entry
        id."""
        own = self.data.get("intent_id", "")
        return own if isinstance(own, str) and own else (self.id if self.kind in CLOSED_BY else "")


def order(entry: Entry) -> tuple[datetime, int, int, str]:
    """Sort key of every view and export: when it happened, then when it was recorded; waiting
    entries last among equals."""
    return (entry.occurred_at, 1 if entry.pending else 0, entry.seq, entry.id)


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds, fixed width. Raises ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError(
            f"the time {moment.isoformat()} has no zone; give an aware datetime in UTC"
        )
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def parse_stamp(text: str) -> datetime:
    """Inverse of `stamp`. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text!r} has no zone")
    return moment.astimezone(UTC)


def canonical(value: object) -> str:
    """Canonical JSON of a plain value. Raises ValueError for NaN and infinities."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )


_TIMES: Final = frozenset({"recorded_at", "occurred_at", "occurred_end"})


def to_record(entry: Entry) -> dict[str, Any]:
    """The entry as a JSON object, without null and empty fields."""
    record: dict[str, Any] = {}
    for field in Entry.__struct_fields__:
        value = getattr(entry, field)
        if field == "object":
            value = omit_empty(value) if value is not None else None
        elif field in _TIMES and value is not None:
            value = stamp(value)
        elif field == "evidence":
            value = list(value)
        if value is None or value == "" or value == [] or value == {}:
            continue
        record[field] = value
    return record


def from_record(record: Mapping[str, Any]) -> Entry:
    """Inverse of `to_record`. Raises ValueError (msgspec.ValidationError is one) when a field is
    missing or of the wrong type."""
    fields = dict(record)
    for name in _TIMES & fields.keys():
        fields[name] = parse_stamp(fields[name])
    return msgspec.convert(fields, Entry)


def commitment(entry: Entry) -> str:
    """SHA-256 (hex) over the words of an entry and its salt, "" for an entry without one.

    The chain holds this instead of the words, so that a purge of them leaves it valid. The salt is
    purged with them: without it a short secret could be guessed from the hash.
    """
    salt, kept = entry.data.get(SALT), entry.data.get(PURGED)
    if isinstance(kept, str):
        return kept
    if not isinstance(salt, str):
        return ""
    words = canonical([salt, entry.text, entry.reason, entry.data.get("text", "")])
    return hashlib.sha256(words.encode()).hexdigest()


def purged(entry: Entry) -> Entry:
    """The entry without its words; its hash still holds. Raises ValueError for an entry of an
    earlier version, whose hash covers the words themselves."""
    kept = commitment(entry)
    if not kept:
        raise ValueError(
            f"entry {entry.seq} was recorded by an earlier version: without its text the chain "
            "would no longer hold"
        )
    data = {name: value for name, value in entry.data.items() if name not in (SALT, "text")}
    return msgspec.structs.replace(entry, text="", reason="", data={**data, PURGED: kept})


def digest(entry: Entry) -> str:
    """SHA-256 (hex) over the canonical form of everything but `hash`, with the words as their
    `commitment`. It includes `prev_hash`, which makes the chain."""
    record = to_record(entry)
    record.pop("hash", None)
    if words := commitment(entry):
        for name in ("text", "reason"):
            record.pop(name, None)
        data = {k: v for k, v in entry.data.items() if k not in (SALT, PURGED, "text")}
        record |= {"data": data, "words": words}
    return hashlib.sha256(canonical(record).encode()).hexdigest()


def seal(entry: Entry, seq: int, prev_hash: str) -> Entry:
    """Give an entry its place in the chain."""
    placed = msgspec.structs.replace(entry, seq=seq, prev_hash=prev_hash, hash="")
    return msgspec.structs.replace(placed, hash=digest(placed))

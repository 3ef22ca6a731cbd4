"""Turns a draft into what is stored: cleaned, redacted, with id and times. The writer adds the
place in the chain."""

from __future__ import annotations

import getpass
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec

from timeline.entry import (
    ABOUT,
    CLOSED_BY,
    IN_MEMORY,
    KINDS,
    MILESTONES,
    NEEDS_INTENT,
    SALT,
    Entry,
    NewEntry,
    ObjectRef,
    canonical,
    omit_empty,
    to_record,
)
from timeline.journal.evidence import EvidenceBlob, store_form
from timeline.redaction.clean import Clean, clean_line, clean_value
from timeline.redaction.redact import Redactor

_BASE_32: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet."""


TEXT: Final = 64 * 1024
"""Most characters of an entry's text; longer text belongs in evidence."""


def new_ulid(moment: datetime) -> str:
    """A new identifier of 26 characters that sorts by `moment` to the millisecond: 48 bits of
    milliseconds and 80 random bits (github.com/ulid/spec)."""
    number = (int(moment.timestamp() * 1000) << 80) | secrets.randbits(80)
    return "".join(_BASE_32[(number >> shift) & 31] for shift in range(125, -1, -5))


class EntryIdentity(msgspec.Struct, frozen=True):
    """What identifies an entry from the start: its id (a ULID), the time (UTC) and CLOCK_MONOTONIC
    in nanoseconds."""

    id: str
    recorded_at: datetime
    mono_ns: int


class EntryOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Author and place of entries whose draft leaves them empty."""

    actor: str = ""
    host: str = ""
    context: str = ""
    cluster_uid: str = ""


def here() -> EntryOrigin:
    """The user and host of this process."""
    try:
        actor = getpass.getuser()
    except (KeyError, OSError):  # This uid has no name, as in many containers.
        actor = ""
    return EntryOrigin(actor=actor, host=socket.gethostname())


def check(draft: NewEntry) -> None:
    """Raise ValueError, with one sentence, for a draft that cannot be recorded."""
    if draft.kind not in KINDS:
        raise ValueError(f"{draft.kind!r} is no kind of entry; use one of timeline.entry.KINDS")
    for moment in (draft.occurred_at, draft.occurred_end):
        if moment is not None and moment.tzinfo is None:
            raise ValueError(
                f"the time {moment.isoformat()} of a {draft.kind} entry has no zone; give an "
                "aware datetime in UTC"
            )
    if draft.occurred_end and draft.occurred_at and draft.occurred_end < draft.occurred_at:
        raise ValueError(
            f"a {draft.kind} entry ends before it begins; swap occurred_at and occurred_end"
        )
    if draft.kind in NEEDS_INTENT and not draft.data.get("intent_id"):
        raise ValueError(
            f"a {draft.kind} entry needs data['intent_id'], the intent that it answers"
        )
    if draft.kind == "milestone" and draft.data.get("name") not in MILESTONES:
        raise ValueError(
            f"a milestone is one of {', '.join(MILESTONES)}; got {draft.data.get('name')!r}"
        )
    if draft.kind == "revision" and not draft.supersedes:
        raise ValueError("a revision needs supersedes, the id of the entry that it revises")


def outline(
    draft: NewEntry,
    identity: EntryIdentity,
    origin: EntryOrigin,
    redactor: Redactor,
    redactions: Counter[str] | None = None,
) -> Entry:
    """The entry as shown before it is on disk (seq -1): every text cleaned and redacted, `data`
    only cleaned, captures left out. Adds to `redactions`, by rule. Raises ValueError for an invalid
    draft."""
    check(draft)

    def safe(text: str) -> str:
        redacted, counts = redactor.text(text)
        if redactions is not None:
            redactions.update(counts)
        return redacted

    def line(text: str) -> str:
        return clean_line(text, redactor.clean)

    given = dict(draft.data)
    if draft.about:
        given[ABOUT] = [omit_empty(each) for each in draft.about]
    data = cast("Mapping[str, Any]", clean_value(given, redactor.clean))
    recorded_at = identity.recorded_at.astimezone(UTC)
    if draft.kind in CLOSED_BY and not data.get("intent_id"):
        data = {**data, "intent_id": identity.id}
    return Entry(
        seq=IN_MEMORY,
        id=identity.id,
        recorded_at=recorded_at,
        mono_ns=identity.mono_ns,
        occurred_at=(draft.occurred_at or recorded_at).astimezone(UTC),
        occurred_precision=draft.occurred_precision,
        occurred_end=draft.occurred_end.astimezone(UTC) if draft.occurred_end else None,
        time_source=draft.time_source,
        kind=draft.kind,
        phase=draft.phase or "",
        actor=safe(line(draft.actor or origin.actor)),
        host=line(draft.host or origin.host),
        context=line(draft.context or origin.context),
        cluster_uid=line(draft.cluster_uid or origin.cluster_uid),
        namespace=line(draft.namespace or (draft.object.namespace if draft.object else "")),
        object=_clean_object(draft.object, line),
        text=_bounded(safe(draft.text).strip("\n")),
        evidence=tuple(dict.fromkeys(map(line, draft.evidence))),
        confidence=draft.confidence,
        run_id=line(draft.run_id),
        step_id=line(draft.step_id),
        audit_id=line(draft.audit_id),
        supersedes=line(draft.supersedes),
        reason=safe(draft.reason),
        data=data,
    )


def prepare(
    draft: NewEntry, identity: EntryIdentity, origin: EntryOrigin, redactor: Redactor
) -> tuple[Entry, tuple[EvidenceBlob, ...]]:
    """The entry (seq 0, no hashes) and the evidence to store with it. Raises ValueError."""
    redactions: Counter[str] = Counter()
    entry = outline(draft, identity, origin, redactor, redactions)
    data, counts = redactor.value(entry.data)
    redactions.update(counts)
    blobs: dict[str, EvidenceBlob] = {}
    captures: list[Mapping[str, Any]] = []
    for capture in draft.captures:
        blob, facts, counts = store_form(capture, redactor)
        blobs[blob.sha256] = blob
        captures.append(facts)
        redactions.update(counts)
    data = {**data, SALT: secrets.token_hex(16)}
    if captures:
        data["captures"] = captures
    entry = msgspec.structs.replace(
        entry,
        seq=0,
        evidence=tuple(dict.fromkeys((*entry.evidence, *blobs))),
        redactions=dict(redactions),
        data=data,
    )
    canonical(to_record(entry)).encode()  # Raises ValueError here, outside a transaction.
    return entry, tuple(blobs.values())


def _bounded(text: str) -> str:
    """At most `TEXT` characters, and the original number."""
    return text if len(text) <= TEXT else f"{text[:TEXT]} … (cut; {len(text):,} characters)"


def _clean_object(reference: ObjectRef | None, line: Clean) -> ObjectRef | None:
    if reference is None:
        return None
    return ObjectRef(
        **{name: line(getattr(reference, name)) for name in ObjectRef.__struct_fields__}
    )

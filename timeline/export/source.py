"""The data of an export: one consistent reading of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from timeline.entry import Entry
from timeline.intents import unfinished
from timeline.journal.evidence import EvidenceBlob
from timeline.journal.journal import Journal
from timeline.revisions import RevisedEntry, latest


class ExportSource(msgspec.Struct, frozen=True, kw_only=True):
    """`entries` are as recorded, sorted by (occurred_at, seq); `lines` have revisions applied;
    `evidence` is in order of first citation."""

    incident_id: str
    title: str
    created_at: datetime
    entries: Sequence[Entry]
    lines: Sequence[RevisedEntry]
    unfinished: Sequence[Entry]
    evidence: Sequence[EvidenceBlob]
    head: tuple[int, str]
    mode: str

    @property
    def evidence_names(self) -> dict[str, str]:
        """E1, E2 ... by sha256."""
        return {blob.sha256: f"E{index + 1}" for index, blob in enumerate(self.evidence)}


def read_source(journal: Journal) -> ExportSource:
    """Read everything that exports need, without entries in the sidecar: they have no place in the
    chain yet."""
    entries = journal.entries(pending=False)
    cited = dict.fromkeys(sha256 for entry in entries for sha256 in entry.evidence)
    blobs = [blob for blob in (journal.evidence(sha256) for sha256 in cited) if blob is not None]
    last = max(entries, key=lambda entry: entry.seq, default=None)
    return ExportSource(
        incident_id=journal.id,
        title=journal.title,
        created_at=datetime.fromisoformat(journal.meta["created_at"]),
        entries=entries,
        lines=latest(entries),
        unfinished=unfinished(sorted(entries, key=lambda entry: entry.seq)),
        evidence=blobs,
        head=(last.seq, last.hash) if last else (0, ""),
        mode=journal.health.mode,
    )

"""One JSON document: entries as they read now, metrics, factors, evidence without its bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from timeline.entry import stamp, to_record
from timeline.export.source import ExportSource
from timeline.factors import factors
from timeline.metrics import metrics, milestones
from timeline.revisions import RevisedEntry
from timeline.story import read_story


def document(source: ExportSource) -> dict[str, Any]:
    """The document as plain values; times are RFC 3339 in UTC."""
    return {
        "schema": "stanch.timeline/1",
        "incident": source.incident_id,
        "title": source.title,
        "opened_at": stamp(source.created_at),
        "head": {"seq": source.head[0], "hash": source.head[1]},
        "entries": [_line(line) for line in source.lines],
        "unknown": [entry.id for entry in source.unfinished],
        "metrics": [
            {
                "name": m.name,
                "meaning": m.meaning,
                "seconds": m.seconds,
                "from": m.since,
                "to": m.until,
                "missing": m.missing or None,
            }
            for m in metrics(source.lines)
        ],
        "warnings": list(milestones(source.lines).warnings),
        "contributing_factors": [
            msgspec.to_builtins(factor)
            for factor in factors(source.lines, read_story(source.lines))
        ],
        "evidence": [
            {
                "name": source.evidence_names[blob.sha256],
                **blob.record(),
                "purged": blob.content is None,
            }
            for blob in source.evidence
        ],
    }


def _line(line: RevisedEntry) -> dict[str, Any]:
    record = to_record(line.entry)
    record |= {"hidden": line.hidden, "in_draft": line.in_draft}
    if line.edited:
        record["original"] = to_record(line.original)
    return record

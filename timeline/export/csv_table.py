"""CSV for spreadsheets.

A cell that a spreadsheet would run as a formula gets an apostrophe in front, so this format is not
exact; JSON Lines is. Source: OWASP ASVS 1.2.10. Some programs fold full-width signs to plain ones.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from timeline.entry import stamp
from timeline.export.people import NameStyle, People
from timeline.export.source import ExportSource
from timeline.redaction.redact import Redactor

_TRIGGERS: Final = "=+-@\t\r\n|%＝＋－＠"
CELL: Final = 32_767
"""Most characters of a spreadsheet cell (Excel specifications and limits)."""
_CUT: Final = " … (cut; JSON Lines has all of it)"
HEADER: Final = (
    "seq",
    "occurred_at",
    "occurred_precision",
    "recorded_at",
    "kind",
    "phase",
    "who",
    "object",
    "text",
    "reason",
    "confidence",
    "evidence",
    "in_draft",
    "hidden",
    "audit_id",
    "id",
    "hash",
)


def render(source: ExportSource, names: NameStyle, redactor: Redactor) -> str:
    """All lines but revisions, in the order of every export. Rows end with CR LF (RFC 4180)."""
    people = People(source.entries, names, redactor)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    for line in source.lines:
        entry = line.entry
        who = people.who(entry)
        cells = (
            str(entry.seq),
            stamp(entry.occurred_at),
            entry.occurred_precision,
            stamp(entry.recorded_at),
            entry.kind,
            entry.phase,
            who if isinstance(who, str) else who.text,
            str(entry.object or ""),
            people.text(entry.text).text,
            people.text(entry.reason).text,
            entry.confidence,
            " ".join(source.evidence_names.get(sha256, sha256) for sha256 in entry.evidence),
            "yes" if line.in_draft else "",
            "yes" if line.hidden else "",
            entry.audit_id,
            entry.id,
            entry.hash,
        )
        writer.writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet reads as a formula, shortened visibly to the limit."""
    if text.lstrip(" ")[:1] and text.lstrip(" ")[0] in _TRIGGERS:
        text = f"'{text}"
    return text if len(text) <= CELL else text[: CELL - len(_CUT)] + _CUT

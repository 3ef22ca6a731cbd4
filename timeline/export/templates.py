"""Templates of a post-mortem draft: Markdown in which a comment marks the place of each generated
part.

``<!-- auto:ID -->`` on a line of its own is the place of the part ID, one of `PARTS`. The rest
belongs to the author and stays in the draft. The head of the record is added when a template leaves
it out, because `verify` compares with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Final

from timeline.export import appendix, lessons, narrative, response
from timeline.export.document import Block, DraftDocument, DraftSection, Para
from timeline.export.people import NameStyle, People
from timeline.export.source import ExportSource
from timeline.export.wording import Wording
from timeline.redaction.redact import Redactor

TEMPLATES: Final = ("stanch", "python-discord", "sre", "cmr")
PARTS: Final[Mapping[str, Callable[[Wording], list[Block]]]] = {
    "summary": narrative.summary,
    "updates": narrative.updates,
    "impact": narrative.impact,
    "leadup": narrative.leadup,
    "timeline": narrative.timeline,
    "detection": narrative.detection,
    "steps": response.steps,
    "probes": response.probes,
    "actions": response.actions,
    "ruled-out": lessons.ruled_out,
    "factors": lessons.factors,
    "risks": lessons.risks,
    "metrics": appendix.metrics,
    "unknown": appendix.unknown,
    "unsupported": appendix.unsupported,
    "questions": lessons.questions,
    "follow-ups": lessons.follow_ups,
    "evidence": appendix.evidence,
    "redactions": appendix.redactions,
    "record": appendix.record,
}
_PLACE: Final = re.compile(r"^<!-- auto:([a-z-]+) -->[ \t]*\n?", re.M)
_RECORD: Final = "\n## Record\n\n"


def read_template(name: str) -> str:
    """The text of one of `TEMPLATES`, or of a Markdown file. Raises ValueError when there is no
    such template, or when it names a part that does not exist."""
    if name in TEMPLATES:
        return files("assets").joinpath("templates", f"{name}.md").read_text(encoding="utf-8")
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"there is no template {name!r}; use one of {', '.join(TEMPLATES)}, or a Markdown file"
        ) from error
    for part in _PLACE.findall(text):
        if part not in PARTS:
            raise ValueError(
                f"{name} names the part {part!r}; there are {', '.join(sorted(PARTS))}"
            )
    return text


def build(
    source: ExportSource, template: str, names: NameStyle, redactor: Redactor, zone: str = ""
) -> DraftDocument:
    """The report as a document. `zone` is an IANA time zone for a second column of times. Raises
    ValueError for a template or zone that does not exist."""
    text = redactor.clean(read_template(template))
    people = People(source.entries, names, redactor)
    wording = Wording(source, people, zone)
    parts: list[str | DraftSection] = []
    pieces = _PLACE.split(text)
    for index, piece in enumerate(pieces):
        if index % 2 == 0:
            parts.append(piece)
        elif not any(isinstance(part, DraftSection) and part.id == piece for part in parts):
            parts.append(DraftSection(id=piece, blocks=tuple(PARTS[piece](wording))))
    if "record" not in pieces[1::2]:
        parts += [_RECORD, DraftSection(id="record", blocks=tuple(appendix.record(wording)))]
    return DraftDocument(
        title=("Post-mortem: ", people.text(source.title or source.incident_id)),
        intro=(
            Para(
                (
                    "Preliminary draft of incident ",
                    people.text(source.incident_id),
                    ". What it says is generated; the rest is yours.",
                )
            ),
        ),
        parts=tuple(parts),
    )

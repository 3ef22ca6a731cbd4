"""What a human's words are compared with: the phrases of the runbooks, and of known failures that
none of them covers (`outside.yaml`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from runbooks.model import Runbook
from runbooks.positions import read

OUTSIDE = Path(__file__).with_name("outside.yaml")


@dataclass(frozen=True, slots=True)
class Document:
    """What words are compared with: a runbook, or (`outside`) a known failure that no runbook
    covers."""

    id: str
    title: str
    phrases: tuple[tuple[str, str], ...]
    """(field, text)."""
    patterns: tuple[str, ...]
    outside: bool = False


def document(runbook: Runbook) -> Document:
    """The phrases of a runbook: symptoms, title, id; headings and sentences of a plain one, the
    first section of ours."""
    phrases = [("symptom", text) for text in runbook.symptoms]
    phrases += [("title", runbook.title), ("id", runbook.id.replace("-", " "))]
    if runbook.impact:
        phrases.append(("body", runbook.impact))
    sections = (
        runbook.sections
        if runbook.plain
        else [section for section in runbook.sections if section.slug == "what-it-looks-like"]
    )
    for section in sections:
        if runbook.plain:
            phrases.append(("heading", section.title))
        phrases += [("body", sentence) for sentence in _sentences(section.text)]
    return Document(runbook.id, runbook.title, tuple(phrases), runbook.patterns)


def _sentences(text: str) -> list[str]:
    plain = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    return [
        part.strip(" -*#>|")
        for part in re.split(r"(?<=[.!?;])\s+|\n\s*\n|\n[-*] ", plain)
        if len(part.strip()) > 12
    ][:40]


def outside(path: Path = OUTSIDE) -> tuple[Document, ...]:
    """Known failures without a runbook of ours. Each: id, title, symptoms, patterns."""
    if not path.is_file():
        return ()
    data, _ = read(path.read_text("utf-8"))
    return tuple(
        Document(
            id=str(item["id"]),
            title=str(item["title"]),
            phrases=(
                ("title", str(item["title"])),
                *(("symptom", str(text)) for text in item.get("symptoms", ())),
            ),
            patterns=tuple(map(str, item.get("patterns", ()))),
            outside=True,
        )
        for item in data or ()
    )

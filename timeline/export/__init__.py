"""Exports of a record: Markdown draft, JSON Lines (without loss), JSON, CSV, HTML,
OTLP logs. All in the order
(occurred_at, seq)."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from timeline.entry import canonical, to_record
from timeline.export import csv_table, html_page, json_document, jsonl, markdown, otlp
from timeline.export.document import DraftDocument
from timeline.export.jsonl import import_jsonl, merge_jsonl
from timeline.export.people import NameStyle
from timeline.export.regions import merge
from timeline.export.source import read_source
from timeline.export.templates import TEMPLATES, build
from timeline.journal.files import sync_directory
from timeline.journal.journal import Journal
from timeline.journal.storage import JournalError
from timeline.redaction.clean import clean_value

__all__ = [
    "FORMATS",
    "TEMPLATES",
    "NameStyle",
    "Shape",
    "Written",
    "export",
    "find_anchor",
    "import_jsonl",
    "merge_jsonl",
    "to_csv",
    "to_html",
    "to_json",
    "to_jsonl",
    "to_markdown",
    "to_otlp",
    "write_atomic",
    "write_draft",
]

_WRITTEN: Final = re.compile(r"Head of the chain: seq (\d+), sha256 ([0-9a-f]{64})")
FORMATS: Final = ("markdown", "jsonl", "json", "csv", "html", "otlp")


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an export: a template (one of `TEMPLATES`, or a Markdown file), how to name
    people, and an IANA time zone for a second column of times ("" for none)."""

    template: str = "stanch"
    names: NameStyle = "role"
    zone: str = ""


STANDARD: Final = Shape()


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What `write_draft` did. `kept`: how many lines of each part a person changed, added or
    deleted; they stay so. `removed`: parts that a person deleted; they stay away."""

    path: Path
    created: bool
    updated: tuple[str, ...] = ()
    kept: Mapping[str, int] = {}
    removed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One sentence that says what was done."""
        if self.created:
            return "a new draft"
        done = f"brought up to date: {', '.join(self.updated)}" if self.updated else "nothing new"
        edits = ", ".join(f"{part} {count}" for part, count in self.kept.items())
        kept = f"; your lines stay: {edits}" if edits else ""
        removed = f"; left out, as you did: {', '.join(self.removed)}" if self.removed else ""
        return f"{done}{kept}{removed}"


def _document(journal: Journal, shape: Shape) -> DraftDocument:
    source = read_source(journal)
    return build(source, shape.template, shape.names, journal.redactor, shape.zone)


def to_markdown(journal: Journal, shape: Shape = STANDARD) -> str:
    """The post-mortem draft. Raises ValueError for an unknown template or zone, JournalError for a
    damaged record."""
    return markdown.render(_document(journal, shape))


def to_jsonl(journal: Journal) -> str:
    """Everything, without loss; `import_jsonl` restores the same record. Raises JournalError when
    an entry contains a text that was named for redaction later: this format can leave nothing out.
    """
    held = [
        entry.seq
        for entry in journal.entries(pending=False)
        if journal.redactor.finds_literal(canonical(to_record(entry)))
    ]
    if held:
        raise JournalError(
            f"entry {held[0]} holds a text that is to be redacted; purge it first: "
            f"stanch timeline purge {held[0]}"
        )
    return "".join(
        line + "\n" for line in jsonl.lines_of(read_source(journal), journal.meta["created_at"])
    )


def to_json(journal: Journal) -> str:
    return _redacted(journal, json_document.document(read_source(journal)))


def to_otlp(journal: Journal) -> str:
    """The entries as OTLP-JSON logs, redacted again."""
    return _redacted(journal, otlp.document(read_source(journal)))


def _redacted(journal: Journal, document: Mapping[str, Any]) -> str:
    value = clean_value(document, lambda text: journal.redactor.text(text)[0])
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def to_csv(journal: Journal, shape: Shape = STANDARD) -> str:
    return csv_table.render(read_source(journal), shape.names, journal.redactor)


def to_html(journal: Journal, shape: Shape = STANDARD) -> str:
    return html_page.render(_document(journal, shape))


def export(journal: Journal, form: str, shape: Shape = STANDARD) -> str:
    """The export in one of FORMATS as text. Raises ValueError for another."""
    match form:
        case "markdown":
            return to_markdown(journal, shape)
        case "html":
            return to_html(journal, shape)
        case "csv":
            return to_csv(journal, shape)
        case "json":
            return to_json(journal)
        case "jsonl":
            return to_jsonl(journal)
        case "otlp":
            return to_otlp(journal)
    raise ValueError(f"there is no format {form!r}; use one of {', '.join(FORMATS)}")


def write_draft(journal: Journal, path: Path, shape: Shape = STANDARD) -> Written:
    """Write the Markdown draft, or bring an existing one up to date: line by line, so that what a
    person changed stays. Raises OSError, JournalError for a file that is no draft."""
    document = _document(journal, shape)
    if not path.exists():
        write_atomic(path, markdown.render(document))
        return Written(path=path, created=True)
    existing = path.read_bytes().decode(errors="surrogateescape")
    regions = [markdown.region(section) for section in document.sections]
    merged = merge(existing, regions, markdown.rendered_sections(document))
    if merged is None:
        raise JournalError(f"{path} is no draft and stays as it is; name another file with --to")
    if merged.text != existing:
        write_atomic(path, merged.text)
    return Written(
        path=path,
        created=False,
        updated=merged.updated + merged.added,
        kept=merged.kept,
        removed=merged.removed,
    )


def find_anchor(text: str) -> tuple[int, str]:
    """seq and hash of the head in a Markdown, HTML, JSON or JSON Lines export. Raises ValueError
    when there is none."""
    for candidate in (text, text.rstrip().rpartition("\n")[2]):
        try:
            record = json.loads(candidate)
            if record.get("type") == "end":
                return int(record["entries"]), str(record["head"])
            return int(record["head"]["seq"]), str(record["head"]["hash"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    found = _WRITTEN.findall(text)
    if found:
        return int(found[-1][0]), found[-1][
            1
        ]  # The last one, because earlier entries may quote another.
    raise ValueError(
        "this export names no head of a chain; give a Markdown, HTML, JSON or JSON Lines export"
    )


def write_atomic(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, mode 0600, or the mode it had). After a crash the old or the
    new file is there. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)

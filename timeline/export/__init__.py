"""Exports of a record: Markdown draft, JSON Lines (without loss), JSON, CSV, HTML. All in the order
(occurred_at, seq)."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from timeline.entry import canonical, to_record
from timeline.export import csv_table, html_page, json_document, jsonl, markdown
from timeline.export.jsonl import import_jsonl, merge_jsonl
from timeline.export.people import Names
from timeline.export.regions import merge
from timeline.export.source import read_source
from timeline.export.templates import TEMPLATES, build
from timeline.journal.journal import Journal
from timeline.journal.storage import JournalError, sync_directory
from timeline.redaction.clean import clean_value

__all__ = [
    "FORMATS",
    "TEMPLATES",
    "Names",
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
    "write_atomic",
    "write_draft",
]

_WRITTEN: Final = re.compile(r"Head of the chain: seq (\d+), sha256 ([0-9a-f]{64})")
FORMATS: Final = ("markdown", "jsonl", "json", "csv", "html")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What `write_draft` did. `conflict` is the file with the new text when people changed
    generated parts (`kept`) or the file was not a draft; `removed` parts stay away because a person
    deleted them.
    """

    path: Path
    created: bool
    updated: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    conflict: Path | None = None


def to_markdown(journal: Journal, *, template: str = "stanch", names: Names = "role") -> str:
    """The post-mortem draft. Raises ValueError for an unknown template, JournalError for a damaged
    record."""
    return markdown.render(build(read_source(journal), template, names, journal.redactor))


def to_jsonl(journal: Journal) -> str:
    """Everything, without loss; `import_jsonl` makes the same record of it. Raises JournalError
    when an entry holds a text that is to be redacted since: this form can leave nothing out."""
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
    document = clean_value(
        json_document.document(read_source(journal)), lambda text: journal.redactor.text(text)[0]
    )
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def to_csv(journal: Journal, *, names: Names = "role") -> str:
    return csv_table.render(read_source(journal), names, journal.redactor)


def to_html(journal: Journal, *, template: str = "stanch", names: Names = "role") -> str:
    return html_page.render(build(read_source(journal), template, names, journal.redactor))


def export(journal: Journal, form: str, *, template: str = "stanch", names: Names = "role") -> str:
    """The export in one of FORMATS as text. Raises ValueError for another."""
    if form == "markdown":
        return to_markdown(journal, template=template, names=names)
    if form == "jsonl":
        return to_jsonl(journal)
    if form == "json":
        return to_json(journal)
    if form == "csv":
        return to_csv(journal, names=names)
    if form == "html":
        return to_html(journal, template=template, names=names)
    raise ValueError(f"there is no format {form!r}; use one of {', '.join(FORMATS)}")


def write_draft(
    journal: Journal, path: Path, *, template: str = "stanch", names: Names = "role"
) -> Written:
    """Write the Markdown draft, or bring an existing one up to date without losing what people
    wrote. Raises OSError.

    Generated parts without changes by hand are replaced. Where a person changed one, it stays and
    the whole new draft is written to ``<name>.new`` beside it; the same for a file that is no draft
    of ours.
    """
    document = build(read_source(journal), template, names, journal.redactor)
    fresh = markdown.render(document)
    if not path.exists():
        write_atomic(path, fresh)
        return Written(path=path, created=True)
    existing = path.read_bytes().decode(errors="surrogateescape")
    generated = [section for section in document.sections if section.blocks]
    merged = merge(
        existing,
        [markdown.region(section) for section in generated],
        {s.id: markdown.render_section(s) for s in generated},
    )
    beside = path.with_name(path.name + ".new")
    if merged is None:
        write_atomic(beside, fresh)
        return Written(path=path, created=False, conflict=beside)
    if merged.text != existing:
        write_atomic(path, merged.text)
    if merged.kept:
        write_atomic(beside, fresh)
    return Written(
        path=path,
        created=False,
        updated=merged.updated + merged.added,
        kept=merged.kept,
        removed=merged.removed,
        conflict=beside if merged.kept else None,
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
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    found = _WRITTEN.findall(text)
    if found:
        return int(found[-1][0]), found[-1][1]  # the last one: entries further up may quote another
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

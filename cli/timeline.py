"""`stanch timeline`: the record from the command line: list, show, note, export, import, verify, salvage, handoff."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli import exits
from cli.connection import options_of
from cli.exits import Refusal
from incident.options import Options
from timeline import index
from timeline.entry import Entry, to_record
from timeline.journal import Journal
from timeline.storage import JournalError


def run(arguments: argparse.Namespace) -> int:
    verbs: dict[str, Callable[[Options, argparse.Namespace], int]] = {
        "list": list_incidents,
        "show": show,
        "note": note,
        "export": export,
        "import": import_file,
        "verify": verify,
        "salvage": salvage,
        "handoff": handoff,
    }
    try:
        return verbs[arguments.verb](options_of(arguments), arguments)
    except JournalError as error:
        raise Refusal(str(error)) from error


def directory(options: Options) -> Path:
    return options.state / "incidents"


def find(options: Options, arguments: argparse.Namespace) -> index.Incident:
    """The incident that was named (also one of a drill), or the newest one. Raises `JournalError` or `Refusal`."""
    name = (arguments.argument[0] if arguments.argument else "") or options.incident
    if name.endswith(".db") and Path(name).is_file():
        return index.find_incident(Path(name).parent, Path(name).stem)
    incidents = index.list_incidents(directory(options))
    if not name:
        if not incidents:
            raise Refusal("there is no incident yet; `stanch` or `stanch timeline note TEXT` begins one")
        return incidents[0]
    return index.find_incident(directory(options), name)


def list_incidents(options: Options, arguments: argparse.Namespace) -> int:
    found = index.list_incidents(directory(options))
    if arguments.output == "json":
        rows = [
            {
                "id": each.id,
                "title": each.title,
                "context": each.context,
                "state": each.state,
                "entries": each.entries,
                "path": str(each.path),
            }
            | {"opened": _time(each.opened_at), "last": _time(each.last_at), "problem": each.problem}
            for each in found
        ]
        _print_json({"schema": "stanch.incidents/1", "incidents": rows})
    else:
        for each in found:
            last = f"{each.last_at:%Y-%m-%d %H:%M} UTC" if each.last_at else "?"
            print(
                f"{each.id:<16} {each.state:<9} {each.entries:>5} entries  last {last}  {each.title}{'  ' + each.problem if each.problem else ''}"
            )
        if not found:
            print(f"no incidents in {directory(options)}")
    return exits.ANSWERED


def show(options: Options, arguments: argparse.Namespace) -> int:
    with Journal.open_read_only(find(options, arguments).path) as journal:
        entries = journal.entries()
        if arguments.output == "json":
            _print_json(
                {
                    "schema": "stanch.timeline/1",
                    "incident": journal.id,
                    "head": journal.head[1],
                    "entries": [to_record(each) for each in entries],
                }
            )
        else:
            print_entries(entries)
    return exits.ANSWERED


def print_entries(entries: Sequence[Entry]) -> None:
    """One line an entry: when it happened, what kind, what; when it was recorded only if that differs by more than a minute."""
    for entry in entries:
        late = (entry.recorded_at - entry.occurred_at).total_seconds() > 60
        recorded = f"  (recorded {entry.recorded_at:%H:%M:%S})" if late else ""
        first, *rest = entry.text.splitlines() or [""]
        print(f"{entry.seq:>5}  {entry.occurred_at:%Y-%m-%d %H:%M:%S} UTC  {entry.kind:<16} {first}{recorded}")
        for line in rest[:10]:
            print(f"{'':>49}{line}")


def note(options: Options, arguments: argparse.Namespace) -> int:
    """Works without a cluster: the note goes into the newest open incident, or into a new one."""
    from dataclasses import replace

    from incident.record import begin_record
    from timeline.note import parse_note

    text = " ".join(arguments.argument)
    if text == "-":
        text = sys.stdin.read()
    try:
        draft = parse_note(text, datetime.now(UTC)).draft()
    except ValueError as error:
        raise Refusal(str(error)) from error
    record = begin_record(replace(options, record=True), options.context, "", lambda: datetime.now(UTC))
    if record.journal is None:
        raise Refusal(f"the note was not written: {record.view().reason}")
    try:
        entry = record.append(draft)
        print(f"noted as {entry.seq} in {record.journal.id} for {entry.occurred_at:%Y-%m-%d %H:%M:%S} UTC")
    finally:
        record.close()
    return exits.ANSWERED


def export(options: Options, arguments: argparse.Namespace) -> int:
    """Markdown goes beside the record (edits in it are kept), every other form to standard output, unless --to names a file."""
    from timeline import export as exports

    form = arguments.format or "markdown"
    with Journal.open_read_only(find(options, arguments).path) as journal:
        if form == "markdown" and not (arguments.target_path and str(arguments.target_path) == "-"):
            path = arguments.target_path or journal.path.with_suffix(".md")
            try:
                written = exports.write_draft(journal, path)
            except OSError as error:
                raise Refusal(f"{path} cannot be written: {error.strerror or error}; name another file with --to") from error
            print(written.path)
            if written.conflict:
                print(f"stanch: parts that were edited by hand stay as they are; the new draft is {written.conflict}", file=sys.stderr)
            return exits.ANSWERED
        text = exports.export(journal, form)
    if arguments.target_path and str(arguments.target_path) != "-":
        try:
            exports.write_atomic(arguments.target_path, text)
        except OSError as error:
            raise Refusal(f"{arguments.target_path} cannot be written: {error.strerror or error}; name another file") from error
        print(arguments.target_path)
    else:
        sys.stdout.write(text)
    return exits.ANSWERED


def import_file(options: Options, arguments: argparse.Namespace) -> int:
    from timeline.export import import_jsonl

    if len(arguments.argument) != 1:
        raise Refusal("name one JSON Lines export: stanch timeline import FILE")
    source = Path(arguments.argument[0])
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{source} cannot be read: {error}") from error
    target = arguments.target_path or directory(options) / f"{_incident_name(lines, source)}.db"
    with import_jsonl(lines, target) as journal:
        print(f"{journal.id}: {len(journal.entries())} entries in {target}")
    return exits.ANSWERED


def _incident_name(lines: Sequence[str], source: Path) -> str:
    try:
        name = str(json.loads(lines[0])["incident"])
    except (IndexError, KeyError, ValueError, TypeError) as error:
        raise Refusal(f"{source} is no export of a record: its first line names no incident") from error
    return "".join(character for character in name if character.isalnum() or character in "-_") or "imported"


def verify(options: Options, arguments: argparse.Namespace) -> int:
    with Journal.open_read_only(find(options, arguments).path) as journal:
        outcome = journal.verify()
        if arguments.output == "json":
            problems = [{"seq": each.seq, "what": each.what} for each in outcome.problems]
            _print_json(
                {"schema": "stanch.verify/1", "ok": outcome.ok, "entries": outcome.entries, "head": outcome.head[1], "problems": problems}
            )
        else:
            for problem in outcome.problems:
                print(f"entry {problem.seq}: {problem.what}" if problem.seq is not None else problem.what)
            print(f"{journal.id}: {outcome.entries} entries, {'chain whole' if outcome.ok else 'NOT WHOLE'}, head {outcome.head[1][:16]}")
    return exits.ANSWERED if outcome.ok else exits.CRITICAL


def salvage(options: Options, arguments: argparse.Namespace) -> int:
    from timeline.salvage import salvage as save

    saved = save(find(options, arguments).path, arguments.target_path)
    print(f"{saved.entries} entries and {saved.evidence} pieces of evidence saved to {saved.path}")
    print(f"lost: {len(saved.lost)} entries, {saved.evidence_lost} pieces of evidence; read but changed: {len(saved.changed)} entries")
    return exits.ANSWERED if not saved.lost and not saved.evidence_lost else exits.PARTIAL


def handoff(options: Options, arguments: argparse.Namespace) -> int:
    from timeline.handoff import handoff as brief

    with Journal.open_read_only(find(options, arguments).path) as journal:
        print(brief(journal, datetime.now(UTC)))
    return exits.ANSWERED


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    print()

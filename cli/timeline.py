"""`stanch timeline`: the record from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli import exits
from cli.connection import options_of
from cli.documents import time_text
from cli.exits import Refusal
from cli.printing import print_document, print_lines
from cluster.kube.text import clean_line
from incident.offline import archive
from incident.options import Options
from incident.saved_views import views
from text.timeline import log_lines, selected
from text.words import plural
from timeline.entry import RevisionAction, to_record


def run(arguments: argparse.Namespace) -> int:
    verbs: dict[str, Callable[[Options, argparse.Namespace], int]] = {
        "list": list_incidents,
        "show": show,
        "note": note,
        **dict.fromkeys(CHANGES, change),
        "export": export,
        "import": import_file,
        "copy": copy,
        "verify": verify,
        "salvage": salvage,
        **dict.fromkeys(REVISIONS, revise),
        "purge": purge,
        "prune": prune,
        "handoff": handoff,
        "redact": redact,
    }
    try:
        return verbs[arguments.verb](options_of(arguments), arguments)
    except archive.Error as error:
        raise Refusal(str(error)) from error


def named(options: Options, arguments: argparse.Namespace) -> str:
    """The incident that was asked for; "" means the newest."""
    return (arguments.argument[0] if arguments.argument else "") or options.incident


def list_incidents(options: Options, arguments: argparse.Namespace) -> int:
    found = archive.incidents(options)
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
            | {
                "opened": time_text(each.opened_at),
                "last": time_text(each.last_at),
                "problem": each.problem,
            }
            for each in found
        ]
        print_document({"schema": "stanch.incidents/1", "incidents": rows})
        return exits.ANSWERED
    width = max((len(each.id) for each in found), default=0)
    for each in found:
        last = f"{each.last_at:%Y-%m-%d %H:%M} UTC" if each.last_at else "?"
        head = f"{each.id:<{width}} {each.state:<9} {each.entries:>5} entries  last {last}"
        print(clean_line(f"{head}  {each.title}  {each.problem}").rstrip())
    if not found:
        print(f"no incidents in {archive.directory(options)}, and none of drills")
    return exits.ANSWERED


def show(options: Options, arguments: argparse.Namespace) -> int:
    reading = archive.read(options, named(options, arguments))
    words = views(options.state).get(arguments.words, arguments.words)
    if arguments.output == "json":
        rows = [to_record(each) for each in selected(reading.entries, words)]
        print_document(
            {
                "schema": "stanch.timeline/1",
                "incident": reading.incident,
                "head": reading.head,
                "entries": rows,
            }
        )
    else:
        print_lines(log_lines(reading.entries, words))
    return exits.ANSWERED


def note(options: Options, arguments: argparse.Namespace) -> int:
    """Works without a cluster: the note goes into the newest open incident, or into a new one."""
    text = " ".join(arguments.argument)
    if text == "-":
        text = sys.stdin.read()
    try:
        incident, entry = archive.note(options, text)
    except ValueError as error:
        raise Refusal(str(error)) from error
    except archive.NotRecorded as error:
        raise Refusal(f"{error}: {text}", exits.PARTIAL) from error
    where = f"as {entry.seq}" if entry.seq else "beside the record, which refuses entries,"
    print(f"noted {where} in {incident} ({entry.occurred_at:%Y-%m-%d %H:%M:%S} UTC): {entry.text}")
    if entry.reason:
        print(entry.reason)
    return exits.ANSWERED


CHANGES = {
    "new": "begun",
    "close": "closed",
    "reopen": "open again",
    "rename": "renamed",
    "severity": "rated",
}


def change(options: Options, arguments: argparse.Namespace) -> int:
    """A new incident, or another state, title or severity of one that --incident names."""
    try:
        incident = archive.change(options, arguments.verb, " ".join(arguments.argument))
    except ValueError as error:
        raise Refusal(str(error)) from error
    except archive.NotRecorded as error:
        raise Refusal(str(error), exits.PARTIAL) from error
    print(f"{incident}: {CHANGES[arguments.verb]}")
    return exits.ANSWERED


def export(options: Options, arguments: argparse.Namespace) -> int:
    """Markdown goes beside the record (edits in it are kept), every other form to standard output,
    unless --to names a file."""
    form = arguments.format or "markdown"
    target: Path | None = arguments.target_path
    printed = str(target) == "-"
    shape = archive.Shape(
        template=arguments.template, names=arguments.names, zone=arguments.time_zone
    )
    try:
        if form == "markdown" and not printed:
            written = archive.write_draft(options, named(options, arguments), target, shape)
            print(written.path)
            print(f"stanch: {written.text}", file=sys.stderr)
            return _whole(options, arguments)
        text = archive.export(options, named(options, arguments), form, shape)
        if target is None or printed:
            sys.stdout.write(text)
        else:
            archive.write_file(target, text)
            print(target)
    except ValueError as error:
        raise Refusal(str(error)) from error
    except OSError as error:
        raise Refusal(
            f"{target or 'the draft'} cannot be written: {error.strerror or error}; name another "
            "file with --to"
        ) from error
    return _whole(options, arguments)


def _whole(options: Options, arguments: argparse.Namespace) -> int:
    """The exit code of an export: a changed record is exported, with a warning."""
    incident, outcome = archive.verify(options, named(options, arguments))
    if outcome.ok:
        return exits.ANSWERED
    more = f" and {len(outcome.problems) - 1} more" if len(outcome.problems) > 1 else ""
    print(
        f"stanch: the record {incident} was changed after it was written: "
        f"{outcome.problems[0].what}{more}; see `stanch timeline verify`",
        file=sys.stderr,
    )
    return exits.PARTIAL


def import_file(options: Options, arguments: argparse.Namespace) -> int:
    if len(arguments.argument) != 1:
        raise Refusal("name one JSON Lines export: stanch timeline import FILE")
    source = Path(arguments.argument[0])
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(f"{source} cannot be read: {error}") from error
    if options.incident and options.incident != "new":
        incident, added, known = archive.merge_file(options, lines, options.incident)
        print(f"{incident}: {added} entries added, {known} were there already")
        return exits.ANSWERED
    incident, count, path = archive.import_file(options, lines, arguments.target_path)
    print(f"{incident}: {count} entries in {path}")
    return exits.ANSWERED


def verify(options: Options, arguments: argparse.Namespace) -> int:
    try:
        incident, outcome = archive.verify(options, named(options, arguments), arguments.anchor)
    except OSError as error:
        raise Refusal(
            f"{arguments.anchor} cannot be read: {error.strerror or error}; give an export or at "
            "least 8 hex digits of a hash"
        ) from error
    if arguments.output == "json":
        problems = [{"seq": each.seq, "what": each.what} for each in outcome.problems]
        print_document(
            {
                "schema": "stanch.verify/1",
                "ok": outcome.ok,
                "end_known": outcome.end_known,
                "entries": outcome.entries,
                "head": outcome.head[1],
                "problems": problems,
            }
        )
    else:
        for problem in outcome.problems:
            print(
                f"entry {problem.seq}: {problem.what}" if problem.seq is not None else problem.what
            )
        whole = "chain whole" if outcome.ok else "NOT WHOLE"
        print(f"{incident}: {outcome.entries} entries, {whole}, head {outcome.head[1][:16]}")
        if outcome.ok and not outcome.end_known:
            print(
                f"{incident}.head is not beside the file: entries missing at the end would not "
                "show; compare with an export: --anchor FILE|HASH"
            )
    if not outcome.ok:
        return exits.CRITICAL
    return exits.ANSWERED if outcome.end_known else exits.PARTIAL


def salvage(options: Options, arguments: argparse.Namespace) -> int:
    saved = archive.save_what_is_left(options, named(options, arguments), arguments.target_path)
    print(f"{saved.entries} entries and {saved.evidence} pieces of evidence saved to {saved.path}")
    print(
        f"lost: {len(saved.lost)} entries, {saved.evidence_lost} pieces of evidence; read but "
        f"changed: {len(saved.changed)} entries"
    )
    return exits.ANSWERED if not saved.lost and not saved.evidence_lost else exits.PARTIAL


REVISIONS: Mapping[str, RevisionAction] = {
    "edit": "edit",
    "hide": "hide",
    "unhide": "unhide",
    "pin": "pin",
    "unpin": "unpin",
}


def revise(options: Options, arguments: argparse.Namespace) -> int:
    """Another text for an entry, or its place in the draft; what was recorded stays in the log."""
    if not arguments.argument:
        raise Refusal(f"name an entry by its number: stanch timeline {arguments.verb} SEQ [WORDS]")
    what, *words = arguments.argument
    try:
        incident = archive.revise(options, REVISIONS[arguments.verb], what, " ".join(words))
    except ValueError as error:
        raise Refusal(str(error)) from error
    print(f"{incident}: entry {what}: {arguments.verb}")
    return exits.ANSWERED


def purge(options: Options, arguments: argparse.Namespace) -> int:
    """Removes words or evidence for good; the chain stays valid."""
    if not arguments.argument:
        raise Refusal("name an entry by its number: stanch timeline purge SEQ [WHY]")
    what, *reason = arguments.argument
    try:
        incident, gone = archive.purge(options, what, " ".join(reason))
    except ValueError as error:
        raise Refusal(str(error)) from error
    print(f"{incident}: purged {gone}; exports and copies made before still hold it")
    return exits.ANSWERED


def prune(options: Options, arguments: argparse.Namespace) -> int:
    """Says which incidents that are over would be removed, and which files of killed processes;
    removes them with --yes."""
    days = arguments.argument[0] if arguments.argument else "90"
    if not days.isdecimal():
        raise Refusal(f"{days!r} is not a number of days: stanch timeline prune [DAYS] [--yes]")
    now = datetime.now(UTC)
    found, left = (
        archive.prunable(options, timedelta(days=int(days)), now),
        archive.abandoned(options, now),
    )
    for each in found:
        last = f"{each.incident.last_at:%Y-%m-%d}"
        what = f"{len(each.files)} files, {each.size / 1024:,.0f} KiB"
        print(f"{each.incident.id}  {each.incident.state}  last {last}  {what}")
    for path in left:
        print(f"{path.name}  left by a process that was killed before it recorded anything")
    what = plural(len(found), "incident")
    what += f" and {plural(len(left), 'file')} of killed processes" if left else ""
    if not found:
        print(f"no finished incident was last written to more than {days} days ago")
    if (found or left) and arguments.yes:
        archive.remove([*(path for each in found for path in each.files), *left])
        print(f"removed: {what}")
    elif found or left:
        print(f"nothing is removed yet: {what} would be, with --yes")
    return exits.ANSWERED


def copy(options: Options, arguments: argparse.Namespace) -> int:
    """One file with the whole record, for another machine or person."""
    target: Path | None = arguments.target_path
    if target is None:
        raise Refusal("name the file of the copy: stanch timeline copy [ID] --to FILE.db")
    try:
        incident, waiting = archive.copy(options, named(options, arguments), target)
    except OSError as error:
        raise Refusal(f"{target} cannot be written: {error.strerror or error}") from error
    print(f"{incident}: copied to {target}; `stanch timeline show {target}` reads it")
    if waiting:
        print(
            f"stanch: {waiting} entries wait beside the record and are not in it", file=sys.stderr
        )
    return exits.PARTIAL if waiting else exits.ANSWERED


def redact(options: Options, arguments: argparse.Namespace) -> int:
    """What the record would store of a text; stores nothing."""
    given = " ".join(arguments.argument)
    if given in ("", "-"):
        given = sys.stdin.read()
    elif len(arguments.argument) == 1 and Path(given).is_file():
        given = Path(given).read_text("utf-8", "replace")
    text, found = archive.redacted(options, given)
    if arguments.output == "json":
        print_document({"schema": "stanch.redaction/1", "text": text, "redactions": found})
        return exits.ANSWERED
    print(text)
    told = ", ".join(f"{rule} {count}" for rule, count in found.items()) or "nothing"
    print(f"stanch: redacted: {told}; nothing was stored", file=sys.stderr)
    return exits.ANSWERED


def handoff(options: Options, arguments: argparse.Namespace) -> int:
    print(archive.brief(options, named(options, arguments)))
    return exits.ANSWERED

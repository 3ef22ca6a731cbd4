"""`stanch runbooks`: list, show, lint, path."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from cli import exits
from cli.exits import Refusal
from incident.options import runbook_folders
from runbooks.loader import OWN, Library


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "lint":
        return lint_all(arguments)
    library = Library(runbook_folders(tuple(arguments.runbook_folders)))
    for problem in library.problems:
        print(f"stanch: {problem}", file=sys.stderr)
    if arguments.verb == "path":
        for folder in library.folders:
            print(folder)
    elif arguments.verb == "show":
        return show(library, arguments)
    else:
        rows = [{"id": book.id, "title": book.title, "severity": book.severity, "origin": book.origin} for book in library.runbooks]
        if arguments.output == "json":
            json.dump({"schema": "stanch.runbooks/1", "runbooks": rows}, sys.stdout, indent=2, ensure_ascii=False)
            print()
        else:
            width = max((len(row["id"]) for row in rows), default=0)
            for row in rows:
                print(f"{row['id']:<{width}}  {row['title']}")
    return exits.ANSWERED


def show(library: Library, arguments: argparse.Namespace) -> int:
    if len(arguments.argument) != 1:
        raise Refusal("name one runbook: stanch runbooks show ID")
    book = library.get(arguments.argument[0])
    if book is None:
        from rapidfuzz import process

        near = [name for name, _, _ in process.extract(arguments.argument[0], [each.id for each in library.runbooks], limit=3)]
        raise Refusal(f"there is no runbook {arguments.argument[0]!r}; nearest: {', '.join(near)}")
    print(book.text)
    return exits.ANSWERED


def lint_all(arguments: argparse.Namespace) -> int:
    """Check the named files, or our own library and the team's folders; 0 when nothing is wrong."""
    from drills import catalogue
    from runbooks.lint import lint

    given = [Path(name) for name in arguments.argument]
    missing = [path for path in given if not path.exists()]
    if missing:
        raise Refusal(f"{missing[0]} does not exist; name a runbook file or a folder")
    library = Library(given, own=None) if given else Library(runbook_folders(tuple(arguments.runbook_folders)), own=OWN)
    drills = frozenset(catalogue.ids())
    problems = lint(library, probes=probe_names(), actions=action_names(), drills=drills)
    for problem in problems:
        print(problem)
    print(f"{len(library)} runbooks, {len(problems)} problems", file=sys.stderr)
    return exits.ANSWERED if not problems else exits.CRITICAL


def probe_names() -> frozenset[str]:
    from probes import catalogue

    return frozenset(catalogue.names())


def action_names() -> frozenset[str]:
    from actions import catalogue

    return frozenset(catalogue.names())

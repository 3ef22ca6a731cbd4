"""`stanch runbooks`: list, show, lint, path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cli import exits
from cli.exits import Refusal
from cli.printing import print_document
from incident.offline import runbooks as books
from text.words import plural


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "lint":
        return lint(arguments)
    library = books.load(arguments.runbook_folders)
    for problem in library.problems:
        print(f"stanch: {problem}", file=sys.stderr)
    if arguments.verb == "path":
        for folder in library.folders:
            print(folder)
        return exits.ANSWERED
    if arguments.verb == "show":
        if len(arguments.argument) != 1:
            raise Refusal("name one runbook: stanch runbooks show ID")
        book = books.find(library, arguments.argument[0])
        if book is None:
            raise Refusal(
                f"there is no runbook {arguments.argument[0]!r}; nearest: "
                f"{', '.join(books.nearest(library, arguments.argument[0]))}"
            )
        print(book.text)
        return exits.ANSWERED
    rows = [
        {"id": book.id, "title": book.title, "severity": book.severity, "origin": book.origin}
        for book in library.runbooks
    ]
    if arguments.output == "json":
        print_document({"schema": "stanch.runbooks/1", "runbooks": rows})
    else:
        width = max((len(row["id"]) for row in rows), default=0)
        for row in rows:
            print(f"{row['id']:<{width}}  {row['title']}")
    return exits.ANSWERED


def lint(arguments: argparse.Namespace) -> int:
    """Check the named files, or our own library and the team's folders; 0 when nothing is wrong."""
    from drills.scenario import catalogue

    given = [Path(name) for name in arguments.argument]
    missing = [path for path in given if not path.exists()]
    if missing:
        raise Refusal(f"{missing[0]} does not exist; name a runbook file or a folder")
    count, problems = books.check(
        given, arguments.runbook_folders, frozenset(catalogue.ids() + catalogue.guide_ids())
    )
    for problem in problems:
        print(problem)
    said = f"{plural(count, 'runbook')}, {plural(len(problems), 'problem')}"
    print(said, file=sys.stderr)
    return exits.ANSWERED if not problems else exits.CRITICAL

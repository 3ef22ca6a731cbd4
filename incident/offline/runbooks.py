"""Ranks, lists, shows and checks runbooks without a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from actions import catalogue as actions
from incident.options import runbook_folders
from probes import catalogue as probes
from runbooks.identity import find_page
from runbooks.loader import Library
from runbooks.match import Match
from runbooks.matcher import Matcher
from runbooks.model import Problem, Runbook

Rank = Callable[[str], Sequence[Match]]


def load(folders: Sequence[Path] = ()) -> Library:
    """The bundled runbooks and the team's; `problems` lists faults in files."""
    return Library(runbook_folders(tuple(folders)))


def rank_words(library: Library) -> Rank:
    """Ranks runbooks for words alone."""
    return Matcher(library).match_words


def check(
    files: Sequence[Path], folders: Sequence[Path], drills: frozenset[str]
) -> tuple[int, Sequence[Problem]]:
    """(number of runbooks, faults) of the given files or folders, else of the bundled library and
    the team's."""
    from runbooks.lint import KnownNames, lint

    whole = Library(runbook_folders(tuple(folders)))
    library = Library(list(files), own=()) if files else whole
    found = lint(
        library,
        KnownNames(
            probes=frozenset(probes.names()),
            actions=frozenset(actions.names()),
            drills=drills,
            runbooks=frozenset(runbook.id for runbook in whole.runbooks),
        ),
    )
    return len(library), found


def find(library: Library, name: str) -> Runbook | None:
    """The runbook with that id, file name or title, in upper or lower case."""
    return find_page(library.runbooks, name)


def nearest(library: Library, name: str) -> Sequence[str]:
    """The three ids that are most similar to `name`."""
    from rapidfuzz import process

    return [
        found
        for found, _, _ in process.extract(name, [book.id for book in library.runbooks], limit=3)
    ]

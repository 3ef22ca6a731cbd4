"""`stanch completion SHELL`: a script that completes every command and option, and the names of
contexts, namespaces, incidents, runbooks, drills, probes and actions.

shtab reads the grammar. At each Tab the script calls `stanch completion names KIND`, so that the
names are current.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import shtab

from cli import exits
from cli.arguments import parser
from cli.connection import options_of
from cli.exits import Refusal

NAMES = {
    "context": "contexts",
    "namespaces": "namespaces",
    "incident": "incidents",
    "run.runbook": "runbooks",
    "runbooks.argument": "runbooks",
    "drill.id": "drills",
    "probe.name": "probes",
    "act.name": "actions",
}
"""Destination of an argument, or command and destination -> the kind of its names."""
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@+=-]*")
"""Names that are safe to offer. Others write the names of contexts and runbooks, and bash expands
the words that it completes (`compgen -W`): a context `$(reboot)` would run at the next Tab."""
PATHS = {"kubeconfig": shtab.FILE, "runbook_folders": shtab.DIRECTORY}


def run(arguments: argparse.Namespace) -> int:
    if arguments.shell == "names":
        for name in filter(WORD.fullmatch, _names(arguments)):
            print(name)
    else:
        print(script(arguments.shell))
    return exits.ANSWERED


def script(shell: str) -> str:
    """The completion script of a shell: bash, zsh or fish."""
    grammar = parser()
    for command, action in _actions(grammar):
        kind = NAMES.get(f"{command}.{action.dest}") or NAMES.get(action.dest)
        complete = PATHS.get(action.dest)
        if kind is not None:
            complete = shtab.cmd(f"stanch completion names {kind} 2>/dev/null")
        if complete is not None:
            action.complete = complete  # type: ignore[attr-defined]  # the field that shtab reads
    return shtab.complete(grammar, shell)


def _actions(
    grammar: argparse.ArgumentParser, command: str = ""
) -> Iterator[tuple[str, argparse.Action]]:
    """(command, action) of the whole grammar."""
    for action in grammar._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _actions(inner, name)
        else:
            yield command, action


def _names(arguments: argparse.Namespace) -> Iterator[str]:
    from incident.offline import names

    if arguments.kind == "drills":
        from drills.scenario import catalogue

        yield from (*catalogue.ids(), *catalogue.guide_ids())
    elif arguments.kind in names.KINDS:
        yield from names.names(arguments.kind, options_of(arguments, record=False))
    else:
        known = ", ".join(sorted((*names.KINDS, "drills")))
        raise Refusal(f"there are no names of {arguments.kind!r}; there are {known}")

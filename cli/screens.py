"""`stanch` without a command: the screens, or the triage as text where no screen can be drawn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cli.connection import on_terminal, options_of
from cli.exits import Refusal
from incident.options import Options
from incident.process import for_screens

if TYPE_CHECKING:
    from incident.api import Investigation


def run(arguments: argparse.Namespace) -> int:
    if not on_terminal():
        if arguments.pick:
            names = f"`stanch completion names {arguments.pick}s`"
            raise Refusal(f"--pick needs a terminal; {names} prints what there is")
        from cli.triage import exit_code, print_answer, read

        print(
            "stanch: no terminal for the screens here (TERM is dumb, or input or output is "
            "redirected); this is the triage",
            file=sys.stderr,
        )
        answer = read(options_of(arguments, record=False), 20.0)
        print_answer(answer, "text")
        return exit_code(answer.view)
    if arguments.pick:
        idle = replace(options_of(arguments), idle=True, record=False)
        return open_screens(idle, f"{arguments.pick}s")
    return open_screens(options_of(arguments))


def open_screens(
    options: Options, first: str = "", follow: Callable[[Investigation], None] | None = None
) -> int:
    """`first`: the action that opens with the screens. `follow` gets the investigation before it
    starts."""
    for_screens()
    from incident.config import load_config, place
    from incident.session import LiveInvestigation
    from tui.keys import ACTIONS, remapped
    from tui.run import run as run_screens

    config = load_config(options.config)
    actions = remapped(config.keys, partial(place, options.config)) if config.keys else ACTIONS
    investigation = LiveInvestigation(options)
    if follow is not None:
        follow(investigation)
    return run_screens(investigation, config=config, first=first, actions=actions)

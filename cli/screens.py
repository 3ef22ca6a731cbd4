"""`stanch` without a command: the screens, or the triage as text where no screen can be drawn."""

from __future__ import annotations

import argparse
import sys

from cli.connection import on_terminal, options_of
from incident.options import Options
from incident.process import for_screens


def run(arguments: argparse.Namespace) -> int:
    if not on_terminal():
        from cli.triage import exit_code, print_view, read

        print(
            "stanch: no terminal for the screens here (TERM is dumb, or input or output is "
            "redirected); this is the triage",
            file=sys.stderr,
        )
        view = read(options_of(arguments, record=False), 20.0)
        print_view(view, "text")
        return exit_code(view)
    return open_screens(options_of(arguments))


def open_screens(options: Options) -> int:
    """The requests go out while the screens are imported."""
    for_screens()
    from incident.config import load_config
    from incident.session import LiveInvestigation
    from tui.run import run as run_screens

    return run_screens(LiveInvestigation(options), config=load_config(options.config))

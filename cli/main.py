"""Entry point of `stanch` (and of `kubectl stanch`): parses, runs one command, turns its outcome
into an exit code."""

from __future__ import annotations

import argparse
import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cli import exits
from cli.arguments import parse, parser

# Each command is a module with `run(arguments) -> int`, imported on demand, so that --help and
# errors stay fast.
_COMMANDS = {
    None: "cli.screens",
    "triage": "cli.triage",
    "match": "cli.match",
    "probe": "cli.probe",
    "act": "cli.act",
    "timeline": "cli.timeline",
    "runbooks": "cli.runbooks",
    "run": "cli.run",
    "drill": "cli.drill",
    "config": "cli.doctor",
    "doctor": "cli.doctor",
    "completion": "cli.completion",
}

THRESHOLDS = (50_000, 20, 50)
"""Of the garbage collector (Python: 700, 10, 10): modules and what is read from a cluster stay, so
that early collections free nothing. The screens set their own (`incident.process`)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` without the program's name (default: of this process). Returns
    the exit code."""
    program = "kubectl stanch" if Path(sys.argv[0]).name.startswith("kubectl-") else "stanch"
    parsed = parse(parser(program), arguments)
    if parsed.version:
        from cluster.version import VERSION

        print(f"stanch {VERSION}")
        return exits.ANSWERED
    try:
        return _run(parsed)
    except exits.Refusal as refusal:
        from cluster.kube.text import clean_uncut

        print(f"stanch: {clean_uncut(str(refusal))}", file=sys.stderr)
        return refusal.code
    except ValueError as error:
        from incident.config import ConfigError

        if not isinstance(error, ConfigError):
            raise
        print(f"stanch: {error}", file=sys.stderr)
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader is gone (`stanch triage | head`), which is no error. Python would report one at
        # exit, when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.ANSWERED


def _run(parsed: argparse.Namespace) -> int:
    module = importlib.import_module(_COMMANDS[parsed.command])
    code: int = module.run(parsed)
    return code


def _never_fail_at_a_character() -> None:
    """Prints in ASCII what the encoding of a stream lacks, such as `─` in Latin-1."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        if encoding not in ("utf-8", "utf8") and isinstance(stream, io.TextIOWrapper):
            from text.ascii import ERRORS

            stream.reconfigure(errors=ERRORS)


def process() -> NoReturn:
    """As `main`, then ends the process at once: the interpreter would flush a failed stream once
    more and change the exit code."""
    gc.set_threshold(*THRESHOLDS)
    try:
        _never_fail_at_a_character()
        code = main()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed by the parent process
                stream.flush()
    except BrokenPipeError:
        code = exits.ANSWERED  # As above; the rest was small enough to be written now.
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.write(
            2,
            b"stanch: the answer could not be written, there is no space left on the device; "
            b"write it somewhere else\n",
        )
        code = exits.PARTIAL
    os._exit(code)


if __name__ == "__main__":
    process()

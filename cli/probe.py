"""`stanch probe`: measures from the command line. Prints its plan, asks before it creates anything,
cleans up in any case."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from cli import exits
from cli.arguments import settings
from cli.connection import opened, options_of, require_cluster, require_kinds
from cli.exits import Refusal
from cli.printing import print_document, print_lines, width
from incident.session import LiveInvestigation
from probes.result import ProbePlan, ProbeResult
from text.probe import plan_lines, result_lines


def run(arguments: argparse.Namespace) -> int:
    from probes import catalogue

    if arguments.name == "list":
        for name in sorted(catalogue.names()):
            print(f"{name:<18} {catalogue.describe(name)}")
        return exits.ANSWERED
    if arguments.name != "sweep" and arguments.name not in catalogue.names():
        raise Refusal(f"there is no probe {arguments.name!r}; `stanch probe list` names them all")
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    given = probe_arguments(arguments)
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with opened(options_of(arguments)) as investigation:
            require_cluster(investigation.view)
            if arguments.name == "sweep":
                return await sweep(investigation, arguments.output)
            plan = await investigation.plan_probe(arguments.name, given)
            if not agreed(plan, arguments):
                if not plan.refused:
                    return exits.ANSWERED
                require_kinds(investigation.view)
                return exits.USAGE
            try:
                result = await investigation.run_probe(plan, tell)
            except asyncio.CancelledError:
                tell("stanch: interrupted; what was created is being removed")
                raise
    except asyncio.CancelledError:
        return exits.INTERRUPTED
    print_result(result, arguments.output)
    return exits.ANSWERED if result.complete and not result.left_behind else exits.PARTIAL


def tell(line: str) -> None:
    """Prints one line on standard error. A closed terminal must not stop the clean-up."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def probe_arguments(arguments: argparse.Namespace) -> dict[str, str]:
    """The probe's own arguments. Raises `Refusal` for a setting without a value."""
    given: dict[str, str] = {}
    for name, values in (("from", arguments.source), ("to", arguments.target)):
        if values:
            given[name] = ",".join(values)
    if arguments.port:
        given["port"] = str(arguments.port)
    if arguments.image:
        given["image"] = arguments.image
    words = (*arguments.words, *arguments.settings)
    return given | settings(words, "after the name of the probe, or --set NAME=VALUE")


def agreed(plan: ProbePlan, arguments: argparse.Namespace) -> bool:
    """Show the plan and ask whether to run it."""
    print_lines(plan_lines(plan), sys.stderr)
    if plan.refused or arguments.plan:
        return False
    if not plan.needs_agreement or arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise Refusal(
            "this probe creates something in the cluster, and no terminal to ask; agree to "
            "its plan with --yes"
        )
    while True:
        print("run this? yes or no: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line or line.strip().lower() in ("yes", "y", "no", "n", ""):
            return line.strip().lower().startswith("y")


async def sweep(investigation: LiveInvestigation, output: str) -> int:
    report = await investigation.sweep()
    if output == "json":
        document = {"schema": "stanch.sweep/1", "clean": report.clean}
        print_document({**document, "sentence": report.sentence})
    else:
        print(report.sentence)
    return exits.ANSWERED if report.clean else exits.PARTIAL


def print_result(result: ProbeResult, output: str) -> None:
    if output == "json":
        print_document(result.document)
    else:
        print_lines(result_lines(result, width()))

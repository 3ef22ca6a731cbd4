"""`stanch act NAME KEY=VALUE…`: one change through the gate from the command line.

Prints the plan and asks for the exact word. `--yes` answers for actions that affect no running pod,
and never in production. The first Ctrl-C stops between two objects, the second at once. `stanch act
list KIND/NAMESPACE/NAME` lists the actions that fit an object; `stanch act undo` lists the changes
that can be undone; `stanch act settle` lists changes with an unknown outcome, and records the
outcome of one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping, Sequence
from shlex import quote

from actions import catalogue
from actions.parameters import target
from actions.plan import ActionPlan, ActionResult, Outcome
from cli import exits
from cli.arguments import settings
from cli.connection import opened, options_of, require_cluster, require_kinds
from cli.exits import Refusal
from cli.printing import print_document, print_lines
from cli.prompt import Prompt
from incident.offers import UNDO, Offer
from incident.offline import archive
from incident.session import LiveInvestigation
from text.action_plan import READ_ONLY, plan_lines, result_lines

SCHEMA = "stanch.act/1"
_CODES = {
    Outcome.DONE: exits.ANSWERED,
    Outcome.DECLINED: exits.ANSWERED,
    Outcome.REFUSED: exits.USAGE,
}


def run(arguments: argparse.Namespace) -> int:
    if arguments.name == "settle":
        return settle(arguments)
    if arguments.name == "list" and arguments.words:
        return asyncio.run(_list_for(arguments))
    if arguments.name == "list":
        for name, action in catalogue.ACTIONS.items():
            print(f"{name:<26} {action.summary}")
            for each in action.parameters:
                optional = "" if each.required else " (optional)"
                print(f"{'':<26}   {each.name}=  {each.meaning}{optional}")
        return exits.ANSWERED
    if arguments.name not in catalogue.names():
        raise Refusal(f"there is no action {arguments.name!r}; `stanch act list` names them all")
    return asyncio.run(_run(arguments))


def settle(arguments: argparse.Namespace) -> int:
    """`stanch act settle`: changes with an unknown outcome from before a crash; with an id and
    words, what a person found out about one."""
    options = options_of(arguments)
    try:
        if not arguments.words:
            incident, unknown = archive.unknown_changes(options)
            for entry in unknown:
                print(f"{entry.intent_id}  {entry.occurred_at:%Y-%m-%d %H:%M:%S} UTC  {entry.text}")
            print(f"{incident}: {len(unknown)} changes whose outcome is not known", file=sys.stderr)
            return exits.ANSWERED
        intent, *seen = arguments.words
        if not seen:
            raise Refusal(f"what was the outcome? stanch act settle {intent} WHAT YOU SAW")
        incident = archive.settle(options, intent, " ".join(seen))
    except (archive.Error, ValueError) as error:
        raise Refusal(str(error)) from error
    except archive.NotRecorded as error:
        raise Refusal(str(error), exits.PARTIAL) from error
    print(f"{incident}: settled {intent}")
    return exits.ANSWERED


async def _list_for(arguments: argparse.Namespace) -> int:
    """The actions that fit an object, the most likely first, each as a command."""
    try:
        ref = target(arguments.words[0])
    except ValueError as error:
        raise Refusal(f"{arguments.words[0]!r} is not an object: {error}") from error
    async with opened(options_of(arguments, record=False)) as investigation:
        require_cluster(investigation.view)
        found = investigation.offers(ref)
    for each in found:
        given = [quote(f"{name}={value}") for name, value in each.arguments.items()]
        asked = [f"{parameter.name}=…" for parameter in each.asks]
        why = f"   # {each.why}" if each.why else ""
        print(f"stanch act {' '.join((each.action, *given, *asked))}{why}")
    if not found:
        raise Refusal(f"nothing that can be done fits {ref}, or it does not exist")
    return exits.ANSWERED


async def _run(arguments: argparse.Namespace) -> int:
    given = settings(arguments.words, "after the name of the action")
    try:
        async with opened(options_of(arguments)) as investigation:
            require_cluster(investigation.view)
            if arguments.name == UNDO and not given:
                return _print_undoable(investigation.undoable())
            return await act(investigation, arguments, given)
    except asyncio.CancelledError:
        print("stanch: interrupted; what was sent is in the timeline", file=sys.stderr)
        return exits.INTERRUPTED


def _print_undoable(changes: Sequence[Offer]) -> int:
    """Each change that the record can undo, as a command."""
    for each in changes:
        (change,) = each.arguments.values()
        print(f"stanch act undo change={change}   # {each.why}: {each.summary}")
    if not changes:
        raise Refusal("the record of this incident holds no change that can be undone")
    return exits.ANSWERED


async def act(
    investigation: LiveInvestigation, arguments: argparse.Namespace, given: Mapping[str, str]
) -> int:
    """Plan, confirm, run. Shows the plan again after the state changed."""
    plan = await investigation.plan_action(arguments.name, given)
    while True:
        print_lines(plan_lines(plan), sys.stderr)
        if plan.refused or arguments.plan:
            _print_document(plan, None, arguments.output)
            if not plan.refused:
                return exits.ANSWERED
            require_kinds(investigation.view)
            return exits.USAGE
        if not investigation.view.write:
            raise Refusal(investigation.read_only_reason or READ_ONLY)
        typed = await _confirmed(plan, yes=arguments.yes)
        with Stop() as stop:
            result = await investigation.run_action(plan, typed, _tell, lambda: stop.asked)
        print_lines(result_lines(result), sys.stderr)
        if result.again is None or result.again.refused or arguments.yes:
            _print_document(plan, result, arguments.output)
            return _CODES.get(result.outcome, exits.PARTIAL)
        plan = result.again


async def _confirmed(plan: ActionPlan, *, yes: bool) -> str:
    """The typed word. Raises `Refusal` when `--yes` is not enough or there is no terminal."""
    if yes and catalogue.ACTIONS[plan.action].harmless and plan.is_simple:
        return plan.confirmation
    if yes or not sys.stdin.isatty():
        raise Refusal(
            f"{plan.action} can hurt, so its confirmation must be typed on a terminal; --yes is "
            "only for actions that affect no running pod, outside of production, and while the "
            "record is in its file"
        )
    asked = f"to do it, type exactly  {plan.confirmation}  ({plan.confirmation_reason}): "
    ask = Prompt()
    with contextlib.suppress(EOFError):
        while typed := (await ask(asked)).strip():
            if typed == plan.confirmation:
                return typed
            asked = f"“{typed}” does not match; type  {plan.confirmation}  or nothing to cancel: "
    return ""


class Stop:
    """The first SIGINT or SIGTERM asks to stop between two objects, the next cancels the task."""

    def __init__(self) -> None:
        self.asked = False
        self._task = asyncio.current_task()

    def __enter__(self) -> Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _signalled(self) -> None:
        if self.asked and self._task is not None:
            self._task.cancel()
        self.asked = True
        _tell("stopping after the current object; ctrl-c again stops at once")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_document(plan: ActionPlan, result: ActionResult | None, output: str) -> None:
    if output != "json":
        return
    document = {
        "schema": SCHEMA,
        "plan": plan.document,
        "result": result.document if result else None,
    }
    print_document(document, None)

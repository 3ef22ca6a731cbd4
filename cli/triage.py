"""`stanch triage`: what the first screen shows, as text or JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import NamedTuple

from msgspec.structs import replace

from cli import exits
from cli.connection import LATE, opened, options_of
from cli.documents import triage_document
from cli.printing import print_document, print_lines
from incident.api import Investigation
from incident.options import Options
from incident.view import Connection, RecordView, View, nothing_readable
from text.symptoms.headline import nothing_read
from text.symptoms.triage import NOTHING_FIRST, First, triage_lines
from triage.facts.finding import Severity


class Answer(NamedTuple):
    """A triage, and what to do first about its symptoms."""

    view: View
    first: First = NOTHING_FIRST


def run(arguments: argparse.Namespace) -> int:
    options = options_of(arguments, record=bool(arguments.incident))
    answer = read(options, arguments.wait, first=arguments.output == "text")
    print_answer(answer, arguments.output, whole=arguments.whole)
    return exit_code(answer.view)


def read(options: Options, wait: float, *, first: bool = True) -> Answer:
    """One reading of the cluster and its triage, of at most `wait` seconds. `first`: with what to
    do first."""
    answers: list[Answer] = []

    async def keep() -> None:
        answers.append(await triage(options, wait, first=first))

    # The task returns nothing: `asyncio.run` formats its main task with its result when it removes
    # the signal handler, and formatting a view of 20,000 pods takes 0.5 s.
    asyncio.run(keep())
    if options.record and (why := not_recorded(answers[0].view.record)):
        print(f"stanch: this answer is not recorded: {why}", file=sys.stderr)
    return answers[0]


async def triage(options: Options, wait: float, *, first: bool = False) -> Answer:
    """One reading of the cluster and its triage; the connection is closed before it returns."""
    async with opened(replace(options, once=True), wait) as investigation:
        lost = nothing_read(investigation.view)
        if lost:
            await investigation.answer_now(LATE)  # the runbook of a lost API server
        view = await investigation.keep_answer()
        do = first_to_do(investigation, view) if first else NOTHING_FIRST
        if not lost:
            return Answer(view, do)
        from incident.offline import archive

        picture = await asyncio.to_thread(archive.last_picture, options, view.context)
        return Answer(replace(view, record=replace(view.record, picture=picture)), do)


def first_to_do(investigation: Investigation, view: View) -> First:
    """What to do first about each symptom that a runbook fits."""
    sure = [each for each in view.symptoms if each.matches and each.matches[0].confident]
    if not sure:
        return NOTHING_FIRST
    from text.runbook import first_lines

    found = {}
    for item in sure:
        run = investigation.walkthrough.preview(item.matches[0].id, item.symptom.id)
        found[item.symptom.id] = first_lines(run, item.symptom.id) if run is not None else []
    return found


def not_recorded(record: RecordView) -> str:
    """Why the record lacks something of the answer, "" when all of it is on disk."""
    if record.state == "none" or record.refused:
        return record.reason.removeprefix("NOT RECORDED (").removesuffix(")")
    return "the disk did not take it in time" if record.waiting else ""


def print_answer(answer: Answer, output: str, *, whole: bool = False) -> None:
    """Prints the triage; as text only what fits on a screen, unless it is to be `whole`."""
    if output == "json":
        print_document(triage_document(answer.view))
    else:
        print_lines(triage_lines(answer.view, whole=whole, first=answer.first))


def exit_code(view: View) -> int:
    """A critical symptom decides also when the answer has gaps."""
    unread = all(kind.heard is None for kind in view.kinds) and not nothing_readable(view.kinds)
    if (
        view.problem
        or view.report is None
        or (view.kinds and unread)
        or (view.api.reach is Connection.LOST and not view.symptoms)
    ):
        return exits.UNREACHED
    if any(symptom.symptom.severity is Severity.CRITICAL for symptom in view.symptoms):
        return exits.CRITICAL
    return exits.ANSWERED if view.report.complete else exits.PARTIAL

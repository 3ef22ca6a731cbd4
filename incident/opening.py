"""Decides which incident a session continues, and when it begins a new one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from cluster.kube import durations
from cluster.kube.text import clean_uncut
from incident.options import Options
from timeline.entry import Entry
from timeline.journal import index
from timeline.journal.storage import JournalError
from timeline.summary import ClusterId

RESUME_WITHIN = timedelta(hours=12)
"""An open incident of the same cluster is continued when its last entry is younger than this."""


class IncidentChoice(msgspec.Struct, frozen=True):
    """`path` is the incident to continue, None for a new one. `problem` says why the newest one
    cannot be continued."""

    path: Path | None
    problem: str = ""


def choose(
    options: Options, cluster: ClusterId, now: datetime, *, for_note: bool
) -> IncidentChoice:
    """The incident that the options name, or the newest open one of this cluster, or a new one.

    `for_note`: a single note may also go to a resolved incident, and does not begin a new one
    beside a record that cannot be read. Raises JournalError.
    """
    directory = options.state / "incidents"
    if options.incident == "new":
        return IncidentChoice(None)
    if options.incident:
        return IncidentChoice(
            index.find_incident(directory, options.incident, clean=clean_uncut).path
        )
    unreadable = index.find_unreadable(directory, clean=clean_uncut, now=now, within=RESUME_WITHIN)
    problem = f"{unreadable.id} cannot be continued: {unreadable.problem}" if unreadable else ""
    if problem and for_note:
        raise JournalError(f"{problem}; name another with --incident, or --incident new")
    found = index.find_resumable(
        directory,
        clean=clean_uncut,
        now=now,
        cluster=cluster,
        states=("open", "resolved") if for_note else ("open",),
        within=RESUME_WITHIN,
    )
    return IncidentChoice(found.path if found is not None else None, problem)


def going_on(incident: str, entries: Sequence[Entry], now: datetime) -> str:
    """One sentence for a session that continues an incident: its age and its current step. The
    screens replace `{.new_incident}` by its key."""
    opened = next((entry for entry in entries if entry.kind == "incident-opened"), None)
    age = f", {durations.words(now - opened.occurred_at)} old" if opened is not None else ""
    step = next((entry for entry in reversed(entries) if entry.step_id), None)
    at = ""
    if step is not None:
        runbooks = {
            entry.run_id: str(entry.data.get("runbook", ""))
            for entry in entries
            if entry.kind == "run-started"
        }
        at = f", step {step.step_id} of {runbooks.get(step.run_id, '')}".removesuffix(" of ")
    return f"Continuing {incident}{age}{at}; {{.new_incident}} begins a new one"

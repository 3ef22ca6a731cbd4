"""Opens an investigation from the command's options, and reads enough for one answer."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

from cli.exits import UNREACHED, Refusal
from cluster.live.freshness import WatchState
from incident.config import ConfigError, load_config
from incident.options import Options, config_directory
from incident.own_time import late
from incident.session import LiveInvestigation
from incident.view import Connection, View

PATIENCE = 4.0
"""Seconds in which failing kinds may recover before the answer leaves them out."""


def options_of(arguments: argparse.Namespace, *, record: bool = True) -> Options:
    """The options of one command; raises `Refusal` for a runbook folder that does not exist."""
    folders = tuple(arguments.runbook_folders)
    if absent := [folder for folder in folders if not folder.exists()]:
        missing = f"runbook folder {absent[0]} does not exist; give an existing one to --runbooks"
        raise Refusal(missing)
    try:
        load_config(config_directory())
    except ConfigError as error:
        raise Refusal(str(error)) from error
    return Options(
        kubeconfig=arguments.kubeconfig,
        context=arguments.context,
        namespaces=tuple(arguments.namespaces),
        write=arguments.write,
        runbook_folders=folders,
        incident=arguments.incident,
        record=record,
    )


def on_terminal() -> bool:
    """Whether screens can be drawn: both ends are a terminal (screens use standard error) that is
    not dumb."""
    return all(
        stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)
    ) and os.environ.get("TERM", "") not in ("dumb", "")


@contextlib.asynccontextmanager
async def opened(options: Options, wait: float = 20.0) -> AsyncIterator[LiveInvestigation]:
    """An investigation that has read the cluster once, or waited for `wait` seconds."""
    investigation = LiveInvestigation(options)
    await investigation.start()
    try:
        await read_once(investigation, wait)
        yield investigation
    finally:
        await investigation.stop()


def require_cluster(view: View) -> None:
    """Raises `Refusal` when the cluster was not read."""
    if view.problem or view.report is None:
        raise Refusal(why_unread(view), UNREACHED)


def require_kinds(view: View) -> None:
    """Raises `Refusal` when kinds were not read in time: what was refused for an object that does
    not exist may have been refused for that."""
    late = [kind.kind for kind in view.kinds if kind.state in UNREAD]
    if late:
        some = ", ".join(late[:5]) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
        raise Refusal(
            f"refused before everything was read: {some} did not come in time; try again",
            UNREACHED,
        )


def why_unread(view: View) -> str:
    return view.problem or view.api.reason or "the cluster was not read"


UNREAD = frozenset({WatchState.WAITING, WatchState.LOADING})
LATE = 10.0
"""Longest time in seconds for a report of what was read in time."""


async def read_once(investigation: LiveInvestigation, wait: float) -> View:
    """Wait until every kind was read, refused or found absent, or the server is known not to
    answer; at most `wait` seconds in which this process runs. Kinds that fail with a reason get
    `PATIENCE` seconds to recover."""
    settled, stuck = asyncio.Event(), asyncio.Event()

    def look(view: View) -> None:
        if is_settled(view):
            settled.set()
        if is_stuck(view):
            stuck.set()
        else:
            stuck.clear()

    async def give_up() -> None:
        while True:
            await stuck.wait()
            await asyncio.sleep(PATIENCE)
            if stuck.is_set():
                settled.set()
                return

    unsubscribe = investigation.subscribe(look)
    loop = asyncio.get_running_loop()
    patience, settling = loop.create_task(give_up()), loop.create_task(settled.wait())
    try:
        look(investigation.view)
        if await late([settling], wait) and any(kind.count for kind in investigation.view.kinds):
            await investigation.answer_now(LATE)  # The answer says what is missing.
    finally:
        settling.cancel()
        patience.cancel()
        unsubscribe()
    return investigation.view


def is_stuck(view: View) -> bool:
    """Whether the server is lost, or everything that is still to be read has failed with a reason.
    A busy moment looks the same."""
    if view.api.reach is Connection.LOST:
        return True
    waiting = [
        kind for kind in view.kinds if kind.state in (WatchState.WAITING, WatchState.LOADING)
    ]
    return bool(waiting) and all(kind.reason for kind in waiting)


def is_settled(view: View) -> bool:
    """Whether more waiting would not make the answer more complete."""
    if view.problem or view.api.reach is Connection.OFFLINE:
        return True
    if view.api.reach is Connection.LOST:
        # The failing hop is known a moment after the loss. A hop after the first two may only be
        # slow and gets a few seconds.
        return any(hop.ok is False and hop.name in ("dns", "tcp") for hop in view.api.hops)
    if (
        view.report is None
        or not view.ranked
        or not view.settled
        or not view.kinds
        or any(kind.state in UNREAD for kind in view.kinds)
    ):
        return False
    # The report may be older than the kinds. A report without a live kind is about to be made
    # again.
    live = {kind.kind for kind in view.kinds if kind.state is WatchState.LIVE}
    return not any(gap.what in live for gap in view.report.unavailable)

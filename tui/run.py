"""Opens the screens on an investigation, and ends both cleanly."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from incident.config import Config
from text.ascii import charset
from tui.app import StanchApp
from tui.key_parser import install
from tui.keys import ACTIONS, KeyBinding
from tui.navigation import Reopen
from tui.safe_stderr import SafeStderr, until_gone

if TYPE_CHECKING:
    from incident.api import Investigation

PATIENCE = 12.0
"""Seconds that the end of an investigation may take: its own limit is 10."""

LOST = 4
"""Exit code when entries could not be recorded."""

Clock = Callable[[], datetime]
DEFAULTS = Config()


def run(
    investigation: Investigation,
    clock: Clock = lambda: datetime.now(UTC),
    config: Config = DEFAULTS,
    first: str = "",
    actions: Sequence[KeyBinding] = ACTIONS,
) -> int:
    """Shows the screens until they are left; returns the exit code. Starts and stops the
    investigation. `first`: the action that opens with the screens. `actions`: with the
    keys of the settings."""
    return asyncio.run(show(investigation, clock, config, first, actions))


async def show(
    investigation: Investigation,
    clock: Clock = lambda: datetime.now(UTC),
    config: Config = DEFAULTS,
    first: str = "",
    actions: Sequence[KeyBinding] = ACTIONS,
) -> int:
    """As `run`, on the running event loop. 0 when left by a key, 128 + n when ended by signal n.

    Another context or incident is another investigation with its own screens. It begins at once;
    the previous one stops in the background, because its server may not answer.
    """
    install()
    loop = asyncio.get_running_loop()
    ended_by = 0
    app: StanchApp | None = None
    code: int | Reopen | None = None
    left: list[tuple[Investigation, asyncio.Future[None]]] = []

    def end(number: int) -> None:
        nonlocal ended_by
        ended_by = ended_by or number
        if app is not None:
            app.exit(128 + number)

    def gone() -> None:
        loop.call_soon_threadsafe(end, signal.SIGHUP)

    terminal = sys.__stderr__  # where Textual draws
    shown = charset(os.environ, (terminal or sys.stderr).encoding)
    screen = SafeStderr(terminal or sys.stderr, gone, shown)
    screen.stays = lambda: app is not None and isinstance(app.return_value, Reopen)
    sys.__stderr__ = cast("Any", screen)  # type: ignore[misc]  # final for type checkers only
    signals = (signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, end, number)
    watching = asyncio.ensure_future(until_gone(terminal or sys.stderr))
    watching.add_done_callback(lambda task: None if task.cancelled() else end(signal.SIGHUP))
    try:
        while not ended_by:
            app = StanchApp(investigation, clock, config=config, first=first, actions=actions)
            code = await app.run_async()
            if code is None or isinstance(code, int):
                break
            left.append((investigation, asyncio.ensure_future(investigation.stop())))
            investigation, first = investigation.another(code.context, code.incident), ""
    finally:
        watching.cancel()
        screen.leave()
        sys.__stderr__ = terminal  # type: ignore[misc]  # as above
        left.append((investigation, asyncio.ensure_future(investigation.stop())))
        await _stopped([stopping for _, stopping in left])
        lost = [_tell_lost(each) for each, _ in left]
        for number in signals:
            loop.remove_signal_handler(number)
    if ended_by:
        return 128 + ended_by
    if any(lost):
        return LOST
    return code if isinstance(code, int) else (app.return_code if app is not None else None) or 0


async def _stopped(stopping: Sequence[asyncio.Future[None]]) -> None:
    """Waits for the investigations that stop, after the terminal was given back; says so when that
    takes a moment."""
    done, rest = await asyncio.wait(stopping, timeout=0.7)
    if rest:
        _say("Removing what was created in the cluster and closing the record, up to 10 s …")
        done, rest = await asyncio.wait(stopping, timeout=PATIENCE)
    for each in rest:
        each.cancel()
    if rest:
        _say(
            "The cluster did not answer in time. What is left there ends at its deadline, and the "
            "next start removes it."
        )
    for each in done:
        if (error := each.exception()) is not None:
            _say(f"The investigation did not end cleanly: {error}")


def _tell_lost(investigation: Investigation) -> bool:
    """Prints every entry that is lost with the process. Returns whether there was one."""
    lost = investigation.unrecorded()
    for entry in lost:
        _say(f"NOT RECORDED: {entry.occurred_at:%Y-%m-%d %H:%M:%S} UTC  {entry.kind}  {entry.text}")
    return bool(lost)


def _say(text: str) -> None:
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except OSError:
        pass  # the terminal is gone (SIGHUP)

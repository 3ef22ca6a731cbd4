"""Runs the screens on the fake investigation, and reads what they show."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot, WaitForScreenTimeout

from tests.tui.fake import FakeInvestigation
from tui.app import StanchApp

WIDE, NARROW, TINY = (140, 45), (80, 24), (40, 10)


@asynccontextmanager
async def screens(
    scene: str = "story",
    size: tuple[int, int] = NARROW,
    write: bool = False,
    double_press: float = 0.0,
) -> AsyncIterator[tuple[StanchApp, FakeInvestigation, Pilot[Any]]]:
    fake = FakeInvestigation(scene, write)
    app = StanchApp(fake, fake.clock, {})
    app.key_order.double_press = double_press  # tests press faster than people decide
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "session" in shown(app) or bool(shown(app).strip()))
        yield app, fake, pilot


PAUSE_S = 2.0
"""The longest wait for the widgets between two looks: Textual waits 30 s for a widget that is being
removed, which would use up the whole patience of `until` while the screen is right already."""


async def until(pilot: Pilot[Any], holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, with a deadline, and for what is painted together with it."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"did not happen in {seconds} s; on screen:\n{shown(pilot.app)}")
        await rest(pilot, 0.01)
    if pilot.app.is_running:
        await rest(pilot)


async def rest(pilot: Pilot[Any], delay: float | None = None) -> None:
    """Lets the widgets work off what they have received; on a busy machine for `PAUSE_S` at most."""
    with contextlib.suppress(WaitForScreenTimeout, TimeoutError):
        async with asyncio.timeout(PAUSE_S):
            await pilot.pause(delay)


def shown(app: Any) -> str:
    """The screen as text."""
    strips = app.screen._compositor.render_strips() if app.screen._compositor else []
    return "\n".join(strip.text.rstrip() for strip in strips)

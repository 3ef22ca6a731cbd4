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


async def until(pilot: Pilot[Any], holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, with a deadline, and for what is painted together with it."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"did not happen in {seconds} s; on screen:\n{shown(pilot.app)}")
        with contextlib.suppress(WaitForScreenTimeout):  # a busy machine: `seconds` decides
            await pilot.pause(0.01)
    if pilot.app.is_running:
        with contextlib.suppress(WaitForScreenTimeout):
            await pilot.pause()


def shown(app: Any) -> str:
    """The screen as text."""
    strips = app.screen._compositor.render_strips() if app.screen._compositor else []
    return "\n".join(strip.text.rstrip() for strip in strips)

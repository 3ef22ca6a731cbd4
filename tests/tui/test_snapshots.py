"""The screens that matter, compared with their text in tests/tui/shown."""

from __future__ import annotations

import pytest

from tests.tui.pilot import NARROW, WIDE, screens, shown, until
from tests.tui.snapshots import FOLDER, SCREENS, SIZES, snapshot


@pytest.mark.parametrize("title", SIZES)
@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen_is_as_it_was(name: str, title: str) -> None:
    """After a change that is meant: `python -m tests.tui.snapshots`, and read the difference."""
    expected = (FOLDER / f"{name}-{title}.txt").read_text("utf-8")
    assert await snapshot(name, SIZES[title], expected) == expected


async def test_a_storm_of_resizes_ends_with_the_same_screen() -> None:
    expected = (FOLDER / "now-80x24.txt").read_text("utf-8")
    async with screens(size=WIDE, write=True) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        for width, height in ((20, 5), (80, 24), (3, 2), (200, 60), (40, 10)) * 3:
            await pilot.resize_terminal(width, height)
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: shown(app) + "\n" == expected)


async def test_everything_is_repainted_when_the_size_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        repainted: list[tuple[int, ...]] = []
        monkeypatch.setattr(app, "_repaint", lambda: repainted.append(tuple(app.screen.size)))
        for size in (NARROW, (3, 2), (100, 30)):
            await pilot.resize_terminal(*size)
        await until(pilot, lambda: (100, 30) in repainted)


async def test_a_repaint_that_is_due_after_the_end_is_nothing() -> None:
    async with screens(size=WIDE) as (app, _, _):
        pass
    app._repaint()

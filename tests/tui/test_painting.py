"""When the screens paint, and what is repainted."""

from __future__ import annotations

import asyncio
import contextvars
import math
import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from textual.geometry import Size

from cluster.live.freshness import WatchState
from tests.tui import story
from tests.tui.pilot import WIDE, screens, shown, until
from tui.keys import MODES
from tui.screens import frame
from tui.screens.frame import Frame


async def test_views_made_in_quick_succession_are_all_painted() -> None:
    """They are made on a task that knows nothing of the application."""
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))

        async def make() -> None:
            for scene in ("story", "story", "lost"):
                fake.scene = scene
                fake.publish()

        await asyncio.get_running_loop().create_task(make(), context=contextvars.Context())
        await until(pilot, lambda: "Shown is what was at" in " ".join(shown(app).split()))


@pytest.mark.parametrize("mode", MODES)
async def test_a_view_that_comes_while_a_screen_is_composed_waits_for_its_panes(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[str] = []
    mount = Frame.mount_composed_widgets

    async def mount_late(screen: Frame, widgets: list[Any]) -> None:
        screen.paint()
        painted.append(screen.SCOPE)
        await mount(screen, widgets)
        await asyncio.sleep(0)
        screen.paint()

    monkeypatch.setattr(Frame, "mount_composed_widgets", mount_late)
    monkeypatch.setattr(Frame, "size", Size(*WIDE))
    async with screens(size=WIDE) as (app, _, pilot):
        app.action_go(mode)
        await until(pilot, lambda: app.current_mode == mode and app.screen.is_mounted)
        assert mode in painted


async def test_only_changed_rows_are_repainted() -> None:
    """A screen that was just opened may still be laid out, which draws all rows: one change of
    several that come later repaints one row."""
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen: Any = app.screen
        await until(pilot, lambda: screen._table.has_focus)
        drawn: list[int] = []
        repaint = screen._table._repaint
        screen._table._repaint = lambda row: (drawn.append(row), repaint(row))
        for restarts in range(21, 26):
            drawn.clear()
            fake.change(
                "Pod",
                story.pod(
                    "marketplace",
                    "catalog-7c9d5b6f4-3abcd",
                    "node-2",
                    "catalog-7c9d5b6f4",
                    ready=False,
                    restarts=restarts,
                    minutes=10,
                ),
            )
            row = f" {restarts} 10m"
            await until(pilot, partial(lambda text: text in shown(app), row))
            if len(drawn) == 1:
                return
        raise AssertionError(f"no change repainted one row; the last one {drawn}")


async def test_a_hidden_screen_follows_nothing() -> None:
    async with screens() as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: len(fake._change_listeners) == 1)
        app.action_go("now")
        await until(pilot, lambda: len(fake._change_listeners) == 0)


async def test_views_are_painted_at_most_ten_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, _):
        painted = []
        original = app._paint
        monkeypatch.setattr(app, "_paint", lambda: (painted.append(1), original())[1])
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() - start < 0.5:
            fake.publish()
            await asyncio.sleep(0.002)
        assert len(painted) <= 10 * (loop.time() - start) + 2


async def test_paints_are_rare_while_kinds_are_read_and_the_end_of_reading_is_painted_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await until(pilot, lambda: app._next_paint is None)
        first, *rest = app.view.kinds
        read = app.view
        reading = replace(read, kinds=(replace(first, state=WatchState.LOADING), *rest))
        monkeypatch.setattr(app, "_cadence", replace(app._cadence, reading_paint=60.0))
        painted: list[object] = []
        monkeypatch.setattr(app, "_paint", lambda: painted.append(app.view))
        for view in (reading, reading, reading):
            app._arrived(view)
        await until(pilot, lambda: bool(painted))
        assert painted == [reading]
        app._arrived(read)
        assert painted == [reading, read]


async def test_panes_are_drawn_only_when_an_age_on_the_screen_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten minutes while nothing changes, five seconds at a time."""
    monkeypatch.setattr(frame, "REDRAWN", math.inf)
    async with screens() as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        screen: Any = app.screen
        passed, drawn = timedelta(), list[timedelta]()
        monkeypatch.setattr(app, "clock", lambda: story.NOW + passed)
        draw = screen.draw
        monkeypatch.setattr(screen, "draw", lambda: (drawn.append(passed), draw()))

        def text() -> list[str]:
            return [*screen._head.texts(), *screen._symptoms.texts(), *screen._why.texts()]

        app._paint()  # what was on its way
        changes = 0
        for step in range(1, 120):
            passed, before = timedelta(seconds=5 * step), text()
            app._paint()
            painted = text()
            draw()
            assert text() == painted, "no age that is shown is old"
            changes += painted != before
        assert changes == len([at for at in drawn if at]), "nothing else is drawn"
        assert 8 <= changes <= 60


async def test_typing_delays_the_screen_below_but_not_a_server_that_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        painted: list[str] = []
        original = app._paint
        monkeypatch.setattr(
            app, "_paint", lambda: (painted.append(app.view.api.reach.name), original())
        )
        await pilot.press("n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))

        typing, typed_over = 0.0, app._cadence.typed_over
        monkeypatch.setattr(app, "since_key", lambda: typing)  # as if a key had just been pressed
        monkeypatch.setattr(app, "_cadence", replace(app._cadence, typed_over=math.inf))

        async def publish(times: int) -> None:
            for _ in range(times):
                fake.publish()
                await asyncio.sleep(0.01)

        await publish(30)  # what was on its way before the first key
        painted.clear()
        await publish(100)
        assert painted == []
        fake.scene = "lost"
        fake.publish()
        await until(pilot, lambda: bool(painted))
        assert painted == ["LOST"]
        await publish(3)
        assert painted == ["LOST"]
        typing = typed_over
        await until(
            pilot, lambda: len(painted) > 1
        )  # the last view is painted when the keys have ended


async def test_a_key_pauses_background_work() -> None:
    async with screens() as (_, fake, pilot):
        for key in ("n", "x"):
            before = len(fake.calls)
            await pilot.press(key)
            assert ("give_way", None) in fake.calls[before:]


async def test_rows_that_only_look_different_wait_for_the_keys_that_move_the_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "catalog-7c9d5b6f4-3abcd" in shown(app))
        screen: Any = app.screen
        touched: list[int] = []
        original = screen._table.touched
        monkeypatch.setattr(
            screen._table, "touched", lambda keys: (touched.append(len(keys)), original(keys))
        )
        fake.cadence = replace(fake.cadence, moved=60.0)
        monkeypatch.setattr(app, "since_key", lambda: 0.0)
        screen._repainted = time.monotonic()
        for restarts in range(4, 9):
            pod = story.pod(
                "marketplace",
                "catalog-7c9d5b6f4-3abcd",
                "node-2",
                "catalog-7c9d5b6f4",
                ready=True,
                restarts=restarts,
                minutes=10,
            )
            fake.change("Pod", pod)
            await pilot.pause(0.12)
        assert touched == []
        monkeypatch.setattr(app, "since_key", lambda: 1.0)
        await until(pilot, lambda: touched == [1])


async def test_an_unchanged_view_repaints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        screen: Any = app.screen
        drawn: list[str] = []
        painted: list[int] = []
        paint = app._paint
        monkeypatch.setattr(app, "_paint", lambda: (paint(), painted.append(1)))
        for pane in (screen._symptoms, screen._why, screen._status_pane, screen._keys_pane):
            original = pane.render_line
            pane.render_line = lambda y, original=original, pane=pane: (
                drawn.append(f"{pane} {y}"),
                original(y),
            )[1]
        for _ in range(10):  # the first layout may still be on its way
            drawn.clear()
            painted.clear()
            fake.publish()
            await until(pilot, lambda: bool(painted))
            await pilot.pause(0.1)
            if not drawn:
                return
        raise AssertionError(drawn)

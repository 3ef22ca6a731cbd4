"""A pane of lines follows its content: offset and scroll bar, without a layout of the screen."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from textual.app import App, ComposeResult
from textual.screen import Screen

from tests.tui.pilot import until
from text.lines import Line, line
from tui.line_pane import LOOKS, LinePane
from tui.range_pane import RangePane


class PaneScreen(Screen[None]):
    COMPONENT_CLASSES: ClassVar[set[str]] = LOOKS

    def compose(self) -> ComposeResult:
        yield LinePane()


class PaneApp(App[None]):
    CSS = "LinePane { height: 1fr; overflow: hidden auto; scrollbar-gutter: stable; }"

    def get_default_screen(self) -> Screen[None]:
        return PaneScreen()


def lines(count: int, said: str) -> list[Line]:
    return [line(f"{said} {number}") for number in range(count)]


def drawn(pane: LinePane, y: int) -> str:
    return pane.render_line(y).text.rstrip()


async def test_offset_and_scroll_bar_follow_a_content_that_shrinks() -> None:
    async with PaneApp().run_test(size=(40, 10)) as pilot:
        pane = pilot.app.screen.query_one(LinePane)
        pane.show(lambda width: lines(100, "old"))
        await pilot.pause()
        pane.scroll_end(animate=False, immediate=True)
        await pilot.pause()
        assert drawn(pane, 9) == "old 99"

        pane.show(lambda width: lines(60, "new"))
        await pilot.pause()
        assert (pane.scroll_offset.y, drawn(pane, 9)) == (50, "new 59")
        assert pane.vertical_scrollbar.window_virtual_size == 60

        pane.show(lambda width: lines(3, "few"))
        await pilot.pause()
        assert not pane.show_vertical_scrollbar
        assert [drawn(pane, y) for y in range(4)] == ["few 0", "few 1", "few 2", ""]

        pane.show(lambda width: lines(20, "more"))
        await pilot.pause()
        assert pane.show_vertical_scrollbar
        assert (pane.max_scroll_y, drawn(pane, 0)) == (10, "more 0")


async def test_the_key_for_the_end_shows_it_when_the_cursor_is_there_already() -> None:
    async with PaneApp().run_test(size=(40, 10)) as pilot:
        pane = pilot.app.screen.query_one(LinePane)
        pane.show(lambda width: [line(f"entry {n}", target=str(n)) for n in range(60)])
        await pilot.pause()
        pane.action_edge(1)
        await pilot.pause()
        pane.scroll_home(animate=False, immediate=True)
        await pilot.pause()
        assert (pane.target, pane.scroll_offset.y) == ("59", 0)
        pane.action_edge(1)
        await pilot.pause()
        assert pane.scroll_offset.y == 50


@pytest.mark.parametrize(("by", "reached"), [(1, "new 0"), (-1, "new 10")])
async def test_a_key_moves_a_cursor_that_new_lines_pushed_out_of_sight(
    by: int, reached: str
) -> None:
    async with PaneApp().run_test(size=(40, 10)) as pilot:
        pane = pilot.app.screen.query_one(LinePane)
        old = [line(f"old {number}", target=f"old {number}") for number in range(3)]
        new = [line(f"new {number}", target=f"new {number}") for number in range(60)]
        pane.show(lambda width: old)
        await pilot.pause()
        pane.move_to("old 2")
        pane.show(lambda width: [*new, *old])
        await pilot.pause()
        assert (pane.target, pane.scroll_offset.y) == ("old 2", 0)
        pane.action_move(by)
        await pilot.pause()
        assert pane.target == reached


async def test_a_longer_explanation_lays_out_no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    async with PaneApp().run_test(size=(40, 10)) as pilot:
        pane = pilot.app.screen.query_one(LinePane)
        laid_out: list[Screen[None]] = []
        lay_out = PaneScreen._refresh_layout

        def counted(screen: PaneScreen, *given: Any, **named: Any) -> None:
            laid_out.append(screen)
            lay_out(screen, *given, **named)

        monkeypatch.setattr(PaneScreen, "_refresh_layout", counted)
        pane.show(lambda width: lines(20, "short"))
        await until(pilot, lambda: bool(laid_out) and pane.show_vertical_scrollbar)
        while laid_out:
            laid_out.clear()
            await pilot.pause(0.1)
        pane.show(lambda width: lines(30, "long"))
        await pilot.pause()
        assert not laid_out
        assert drawn(pane, 0) == "long 0"


async def test_a_range_stays_where_it_began_while_lines_are_added() -> None:
    def numbered(count: int) -> list[Line]:
        return [line(f"line {number}", target=str(number)) for number in range(count)]

    async with PaneApp().run_test(size=(40, 10)) as pilot:
        pane = RangePane(follow=True)
        await pilot.app.screen.mount(pane)
        pane.show(lambda width: numbered(40))
        await until(pilot, lambda: pane.target == "39")
        pane.action_begin()
        pane.show(lambda width: numbered(120))
        await pilot.pause()
        assert (pane.target, pane.range_length) == ("39", 1)
        pane.end_range()
        pane.action_edge(1)
        pane.show(lambda width: numbered(130))
        await until(pilot, lambda: pane.target == "129")

"""Themes: text that can be read, and severities that differ also with few colours or none."""

from __future__ import annotations

import re

import pytest
from textual.color import Color

from incident.config import Config, Theme
from tests.tui.fake import FakeInvestigation
from tests.tui.pilot import WIDE, shown, until
from tests.tui.test_terminal import Terminal
from text.lines import STYLES
from tui.app import StanchApp
from tui.line_pane import LinePane
from tui.themes import CONTRAST, contrast, fixed_theme

COLOURED: tuple[Theme, ...] = ("dark", "light", "high contrast")


@pytest.mark.parametrize("theme", COLOURED)
async def test_text_of_each_look_can_be_read(theme: Theme) -> None:
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {}, config=Config(theme=theme))
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: "CRIT" in shown(app))
        pane = app.screen.query(LinePane).first()
        background = Color.parse(app.get_css_variables()["background"])
        for name in set(STYLES) - {"plain", "cursor"}:
            colour = pane.look(name).color
            assert colour is not None
            assert contrast(Color.from_rich_color(colour), background) >= CONTRAST - 0.1, name


def test_few_colours_are_the_terminals_own() -> None:
    assert fixed_theme({"NO_COLOR": "1", "TERM": "xterm-256color"}) == "NO_COLOR is set"
    assert "16 colours" in fixed_theme({"TERM": "linux"})
    assert "16 colours" in fixed_theme({"TERM": "screen"})
    for many in ({"TERM": "xterm-256color"}, {"TERM": "foot", "COLORTERM": "truecolor"}, {}):
        assert fixed_theme(many) == ""


@pytest.mark.parametrize("colour", ["", "1"], ids=["colours", "NO_COLOR"])
@pytest.mark.parametrize("term", ["linux", "xterm-16color", "screen", "tmux-256color"])
def test_severities_differ_on_each_terminal(term: str, colour: str) -> None:
    few = {"TERM": term, "COLORTERM": ""}
    terminal = Terminal(size=WIDE, environment=few | ({"NO_COLOR": colour} if colour else {}))
    try:
        for word in ("CRIT", "WARN", "INFO"):
            terminal.until(word)
        terminal.press("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    looks: dict[bytes, set[bytes]] = {}
    for shown_word in (b"CRIT", b"WARN", b"INFO"):
        codes = re.search(rb"\x1b\[([\d;]+)m" + shown_word, terminal.seen)
        assert codes is not None, shown_word
        looks[shown_word] = {b"1", b"7"} & set(codes[1].split(b";"))  # bold, reverse
    assert looks == {b"CRIT": {b"1", b"7"}, b"WARN": {b"1"}, b"INFO": set()}
    assert b"\x1b[?1049l" in terminal.seen
    assert b"\x1b[?25h" in terminal.seen
    if term != "tmux-256color" and not colour:
        assert re.search(rb"\x1b\[1;7;31;49mCRIT", terminal.seen)  # red, as the terminal shows it

"""Themes: text that can be read, and severities that differ also with few colours or none."""

from __future__ import annotations

import pytest
from textual.color import Color

from incident.config import Config, Theme
from tests.tui.fake import FakeInvestigation
from tests.tui.pilot import WIDE, shown, until
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

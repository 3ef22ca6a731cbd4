"""Bursts of keys: whatever comes while a screen opens, closes or has gone, the screens stay."""

from __future__ import annotations

import random

import pytest
from textual import events

from tests.tui.pilot import NARROW, TINY, WIDE, screens, shown, until

KEYS = (
    *("1", "2", "3", "t", "m", "n", "I", "C", "L", "5", "colon", "question_mark", "a", "W", "N"),
    *("enter", "escape", "up", "down", "left", "right", "tab", "z", "p", "l", "o", "s", "e", "f"),
    *("y", "h", "u", "b", "i", "v", "c", "d", "slash", "ctrl+p", "ctrl+t", "G", "r", "x"),
)
"""Every key that opens, closes or moves something, but for those that leave the program."""
SHOWN = {"colon": ":", "question_mark": "?", "slash": "/"}


@pytest.mark.parametrize(
    ("seed", "scene", "size"),
    [
        (1, "story", NARROW),
        (2, "story", WIDE),
        (3, "lost-at-start", NARROW),
        (4, "loading", TINY),
        (5, "hostile", WIDE),
    ],
)
async def test_no_burst_of_keys_ends_the_screens(
    seed: int, scene: str, size: tuple[int, int]
) -> None:
    """All keys of a burst are there before the first is handled, and views come between them."""
    dice = random.Random(seed)  # which keys
    async with screens(scene, size=size, write=True) as (app, fake, pilot):
        for _ in range(8):
            for key in dice.choices(KEYS, k=12):
                character = SHOWN.get(key, key if len(key) == 1 else None)
                app.post_message(events.Key(key, character))
                if dice.random() < 0.4:
                    fake.publish()
            await pilot.pause()
        if app.return_value is None:  # a burst may have chosen another context
            app.go("now")
            await until(pilot, lambda: len(app.screen_stack) == 1 and bool(shown(app).strip()))

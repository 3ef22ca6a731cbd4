"""Writes the screens that matter, as text, to tests/tui/shown: `python -m tests.tui.snapshots`.

They come from the fake investigation, whose clock stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.tui.pilot import NARROW, WIDE, screens, shown, until

FOLDER = Path(__file__).with_name("shown")
SIZES = {"140x45": WIDE, "80x24": NARROW}
SCREENS: Mapping[str, tuple[str, Sequence[str], str]] = {
    "now": ("story", (), "CRIT"),
    "lost": ("lost", (), "does NOT answer"),
    "healthy": ("healthy", (), "━━ now"),
    "runbook": ("story", ("enter",), "Stop"),
    "confirmation": ("story", ("a", *"delete", "enter"), "type exactly"),
    "objects": ("story", ("3", "f", *"!ready", "enter", "space"), "1 marked"),
    "node": ("story", ("colon", *"node", "enter", "enter"), "[summary]"),
    "logs": ("story", ("l",), "ended  120 lines"),
    "timeline": ("story", ("t",), "paged by"),
}
"""Scene, keys, and what is shown when the screen is there."""


async def snapshot(name: str, size: tuple[int, int], expected: str = "") -> str:
    """The text of a screen, once it is as expected."""
    scene, keys, words = SCREENS[name]
    async with screens(scene, size, write=True) as (app, _, pilot):
        first = SCREENS["now"][2] if keys else "prod-eu1"  # a key acts on the chosen symptom
        await until(pilot, lambda: first in shown(app))
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: words in shown(app))
        if expected:
            await until(pilot, lambda: shown(app) + "\n" == expected)
        else:
            await pilot.pause(0.5)  # what comes later, such as the draft
        return shown(app) + "\n"


async def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in SCREENS:
        for title, size in SIZES.items():
            (FOLDER / f"{name}-{title}.txt").write_text(await snapshot(name, size), "utf-8")


if __name__ == "__main__":
    asyncio.run(main())

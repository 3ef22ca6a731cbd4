"""Makes the pictures and the recorded tour of the docs from a drill: `python -m bench.pictures`.

The clock stands still, so that the same code makes the same files. A picture is drawn when the
screen shows what it is of and has come to rest.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from textual.pilot import Pilot

from drills.server.run import serve_in_thread
from incident.options import Options
from incident.session import LiveInvestigation
from tui.app import StanchApp

OUT = Path(__file__).parents[1] / "docs" / "pictures"
DRILL = "network-policy-cni-version-skew"
BEGIN = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
WIDE, NARROW = (140, 45), (80, 24)
PORT = 16443
"""Stands in the status line, so it does not change."""
KEYS = {" ": "space", "=": "equals_sign", "-": "minus"}
"""Names of typed characters."""
LIMIT = 90.0
"""Longest wait for a screen, in seconds."""
REST = 0.5
"""Seconds without a change after which a screen is at rest."""
READING = 1.7
"""How much longer a reader takes than the script says."""
TYPING = 0.09
"""Seconds between two typed letters in the tour."""


class StillClock:
    """Stands still until the tour moves it."""

    def __init__(self) -> None:
        self.now = BEGIN

    def __call__(self) -> datetime:
        return self.now


class Stage:
    """An application on a drill, and what it shows."""

    def __init__(self, app: StanchApp, pilot: Pilot[Any], clock: StillClock) -> None:
        self.app, self.pilot, self.clock = app, pilot, clock

    def update(self) -> Any:
        compositor = self.app.screen._compositor  # as `App.export_screenshot` does
        return compositor.render_update(full=True, screen_stack=self.app._background_screens)

    def text(self) -> str:
        rows = ("".join(strip.text for strip in row) for row in self.update().strips)
        return "\n".join(row.rstrip() for row in rows)

    async def shows(self, *words: str) -> None:
        """Waits until all words are shown and the screen is at rest."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LIMIT
        before, since = "", loop.time()
        while True:
            text = self.text()
            if text != before:
                before, since = text, loop.time()
            if all(word in text for word in words) and loop.time() - since > REST:
                return
            if loop.time() > end:
                raise SystemExit(f"{words} did not appear:\n{text}")
            await self.pilot.pause(0.05)

    def svg(self, title: str) -> str:
        """The screen as SVG that loads nothing."""
        width, height = self.app.size
        console = Console(
            width=width,
            height=height,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            record=True,
            legacy_windows=False,
        )
        console.print(self.update())
        plain = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
        plain = re.sub(r"\s*<!--.*?-->", "", plain)
        return console.export_svg(title=title, code_format=plain, unique_id="stanch") + "\n"


class Tour:
    """Records an asciicast (version 2): rows that changed, at the times that the script says."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self._at = 0.0
        self._rows: list[str] = []
        width, height = on.app.size
        self._console = Console(
            width=width, force_terminal=True, color_system="256", file=io.StringIO()
        )
        head = {"version": 2, "width": width, "height": height, "title": "stanch in two minutes"}
        self.events = [json.dumps(head)]

    def _draw(self) -> None:
        rows = [
            "".join(strip.render(self._console) for strip in row)
            for row in self._on.update().strips
        ]
        before = self._rows or [""] * len(rows)
        changed = "".join(
            f"\x1b[{y};1H{row}"
            for y, (row, old) in enumerate(zip(rows, before, strict=True), 1)
            if row != old
        )
        self._rows = rows
        if changed:
            self.events.append(json.dumps([round(self._at, 2), "o", changed], ensure_ascii=False))

    def wait(self, seconds: float) -> None:
        self._at += seconds
        self._on.clock.now += timedelta(seconds=seconds)

    async def see(self, seconds: float, *words: str) -> None:
        """Draws the screen when it shows the words, and leaves time to read it."""
        await self._on.shows(*words)
        self._draw()
        self.wait(seconds * READING)

    async def type(self, text: str) -> None:
        for letter in text:
            await self._on.pilot.press(KEYS.get(letter, letter))
            self._draw()
            self.wait(TYPING)


async def tour() -> None:
    """From the first screen to the draft."""
    async with stage((100, 30)) as on:
        it = Tour(on)
        await it.see(12, "WARN", "why network-policy")
        await on.pilot.press("enter")
        await it.see(12, "Stop the bleeding")
        await on.pilot.press("1", "p")
        await it.see(8, "run the probe")
        await on.pilot.press("y")
        await it.see(12, "abnormal")
        await on.pilot.press("3")
        await it.see(4, "pods")
        await it.type("fnode=node-b2 -n marketplace")
        await it.see(5, "filter  node=node-b2 -n marketplace", " of ")
        await on.pilot.press("enter", "enter")
        await it.see(8, "[summary]")
        await on.pilot.press("1", "n")
        await it.see(2, "enter")
        await it.type("support confirms errors in the shop")
        it.wait(1)
        await on.pilot.press("enter", "t")
        await it.see(15, "support confirms")
        (OUT / "tour.cast").write_text("\n".join(it.events) + "\n", "utf-8")


@asynccontextmanager
async def stage(size: tuple[int, int], drill: str = DRILL) -> AsyncIterator[Stage]:
    clock = StillClock()
    with (
        tempfile.TemporaryDirectory(prefix="stanch-pictures-") as folder,
        serve_in_thread(drill, port=PORT, clock=clock) as server,
    ):
        kubeconfig = Path(folder) / "kubeconfig"
        server.write_kubeconfig(kubeconfig)
        options = Options(
            kubeconfig=str(kubeconfig),
            incident="new",
            state=Path(folder) / "state",
            config=Path(folder) / "config",
            drill=drill,
        )
        investigation = LiveInvestigation(options, clock=clock)
        app = StanchApp(investigation, clock, {})
        app.key_order.double_press = 0.0
        try:
            async with app.run_test(size=size) as pilot:
                yield Stage(app, pilot, clock)
        finally:
            await investigation.stop()


async def pictures() -> None:
    """The four pictures of the README."""
    async with stage(WIDE) as on:

        async def taken(name: str, title: str, *words: str) -> None:
            await on.shows(*words)
            (OUT / f"{name}.svg").write_text(on.svg(title), "utf-8")

        await taken("now", "stanch: now", "WARN", "why network-policy")
        await on.pilot.press("enter")
        await taken("runbook", "stanch: runbook", "Stop the bleeding")
        await on.pilot.press("1", "p")
        await on.shows("run the probe")
        await on.pilot.press("y")
        await taken("matrix", "stanch: the matrix of a probe", "abnormal")
        await on.pilot.press("t")
        await taken("draft", "stanch: log and draft", "Impact")


async def main() -> None:
    os.environ["LOGNAME"] = "on-call"  # the author of notes
    OUT.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[1:] or ["pictures", "tour"]
    if "pictures" in wanted:
        await pictures()
    if "tour" in wanted:
        await tour()


if __name__ == "__main__":
    asyncio.run(main())

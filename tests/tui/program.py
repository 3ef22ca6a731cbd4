"""Shows the screens on the fake investigation: `python -m tests.tui.program [SCENE]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from pathlib import Path

from tests.tui import story
from tests.tui.fake import SCENES, FakeInvestigation


async def flood(fake: FakeInvestigation, rate: int) -> None:
    """Change `rate` pods a second, in batches of a tenth of a second."""
    number = 0
    names = list(fake.store.rows("Pod"))
    while True:
        await asyncio.sleep(0.1)
        changed = []
        for _ in range(rate // 10):
            number += 1
            namespace, name = names[number % len(names)]
            changed.append(story.pod(namespace, name, "node-3", "catalog", restarts=number % 50))
        fake.change("Pod", *changed)
        fake.publish()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", nargs="?", default="story", choices=SCENES)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--log", default="", help="file for what was asked of the investigation")
    parser.add_argument("--rate", type=int, default=0, help="changed pods a second")
    given = parser.parse_args()
    from tui.run import show

    asked: list[str] = []

    async def opened() -> int:
        fake = FakeInvestigation(given.scene, given.write, moving_clock=True)
        flooding = asyncio.create_task(flood(fake, given.rate)) if given.rate else None
        try:
            return await show(fake, fake.clock)
        finally:
            asked.extend(f"{name} {what}" for name, what in fake.calls)
            if flooding is not None:
                flooding.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await flooding

    code = asyncio.run(opened())
    if given.log:
        Path(given.log).write_text("\n".join(asked), "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())

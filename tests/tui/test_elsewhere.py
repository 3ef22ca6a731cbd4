"""Other contexts and other incidents: chosen from disk, opened without waiting for the one before."""

from __future__ import annotations

import asyncio

import pytest

from tests.tui.fake import FakeInvestigation
from tests.tui.pilot import screens, shown, until
from tui import run as opening
from tui.navigation import Reopen


@pytest.mark.parametrize("scene", ["story", "lost-at-start", "offline"])
@pytest.mark.parametrize(
    ("key", "listed", "words", "answer"),
    [
        ("C", "read-only by the settings", "stag", Reopen("staging-eu1")),
        ("L", "checkout slow", "slow", Reopen("staging-eu1", "2026-11-20-b")),
    ],
)
async def test_another_one_is_chosen_by_keys_alone(
    scene: str, key: str, listed: str, words: str, answer: Reopen
) -> None:
    async with screens(scene) as (app, _, pilot):
        await pilot.press(key)
        await until(pilot, lambda: listed in shown(app))
        await pilot.press(*words, "enter")
        await until(pilot, lambda: app.return_value == answer)


async def test_what_is_open_already_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screens() as (app, _, pilot):
        told: list[str] = []
        monkeypatch.setattr(app, "tell", lambda text, level="information": told.append(text))
        await pilot.press("C")
        await until(pilot, lambda: "staging-eu1" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: told == ["The context prod-eu1 is open already."])
        assert app.return_value is None


async def test_a_kubeconfig_that_cannot_be_read_is_said_in_the_dialog() -> None:
    async with screens("offline") as (app, fake, pilot):

        async def broken() -> None:
            raise OSError("the disk is gone")

        fake.contexts = broken  # type: ignore[assignment,method-assign]  # replaced for this test
        await pilot.press("C")
        await until(pilot, lambda: "could not be read: the disk is gone" in shown(app))
        await pilot.press("x", "enter", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_the_next_one_begins_before_the_last_one_has_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that does not answer holds up the end of its investigation, and nothing else."""
    order: list[str] = []
    stopped = asyncio.Event()
    first, second = FakeInvestigation(), FakeInvestigation()
    monkeypatch.setattr(first, "another", lambda *_: second)

    async def stop_slowly() -> None:
        await stopped.wait()
        order.append("first has stopped")

    monkeypatch.setattr(first, "stop", stop_slowly)

    class App:
        def __init__(self, investigation: object, *_: object, **more: object) -> None:
            self.is_first = investigation is first

        async def run_async(self) -> object:
            await asyncio.sleep(0)
            order.append("first" if self.is_first else "second")
            if not self.is_first:
                stopped.set()
            return Reopen("staging-eu1") if self.is_first else 0

    monkeypatch.setattr(opening, "StanchApp", App)
    assert await opening.show(first, first.clock) == 0
    assert order == ["first", "second", "first has stopped"]
    assert ("stop", None) in second.calls

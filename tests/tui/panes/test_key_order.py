"""Keys that come in one read, and keys that are pressed twice: each has exactly one effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from textual import events
from textual.screen import ModalScreen

from cluster.kube.objects import Ref
from incident.walkthrough.run import StepState
from tests.tui.fake import FakeInvestigation
from tests.tui.fake_engine import Actions, Probes
from tests.tui.pilot import WIDE, screens, shown, until
from tui.app import StanchApp
from tui.key_order import DOUBLE_PRESS
from tui.screens.offers import act_on
from tui.text_input import TypedLine

RUNBOOK = ("network-policy-cni-version-skew", "refused-marketplace")
NAMES = {" ": "space", "-": "minus", "/": "slash"}


def send(app: StanchApp, *keys: str, at: float | None = None) -> None:
    """Puts keys into the application's queue, as one read does; `at` is when they were pressed."""
    for key in keys:
        event = events.Key(NAMES.get(key, key), key if len(key) == 1 else None)
        if at is not None:
            event.time = at
        app.post_message(event)


async def test_a_hundred_notes_of_one_burst_arrive_whole() -> None:
    async with screens() as (app, fake, pilot):
        for number in range(100):
            send(app, "n", *f"no note {number}", "enter")
        await until(pilot, lambda: sum(e.kind == "note" for e in fake.entries()) >= 101, 240.0)
        texts = [entry.text for entry in fake.entries() if entry.kind == "note"][-100:]
        assert texts == [f"no note {number}" for number in range(100)]


async def test_a_paste_and_enter_in_one_read_are_one_note() -> None:
    async with screens() as (app, fake, pilot):
        send(app, "n")
        app.post_message(events.Paste("first line\nsecond line"))
        send(app, "enter")
        await until(pilot, lambda: fake.entries()[-1].text == "first line (and 1 more line)")


async def test_escape_and_a_key_in_one_read_are_two_keys() -> None:
    async with screens() as (app, _, pilot):
        send(app, "n")
        await until(pilot, lambda: isinstance(app.focused, TypedLine))
        app.post_message(events.Key("alt+t", "t"))
        await until(pilot, lambda: app.current_mode == "timeline")


async def test_keys_of_one_burst_reach_the_screen_that_the_first_opens() -> None:
    async with screens() as (app, _, pilot):
        send(app, "t", "m", *"refused policy")
        await until(pilot, lambda: isinstance(app.focused, TypedLine))
        assert isinstance(app.focused, TypedLine)
        assert app.focused.value == "refused policy"
        assert app.current_mode == "timeline"


Opener = Callable[[StanchApp], Any]
DIALOGS: dict[str, tuple[Opener, tuple[str, ...], str]] = {
    "note": (lambda app: app.action_note(), (*"went away", "enter"), "enter"),
    "note, empty": (lambda app: app.action_note(), ("enter",), "enter"),
    "skip": (lambda app: top(app).action_skip_step(), (*"not now", "enter"), "enter"),
    "parameters": (lambda app: top(app).action_parameters(), ("enter",), "enter"),
    "answers": (lambda app: run_step(app, "move"), ("enter",), "enter"),
    "probe": (lambda app: run_step(app, "matrix"), ("y",), "y"),
    "gate": (lambda app: run_step(app, "cordon"), (*"node-2", "enter"), "enter"),
    "gate, empty": (lambda app: run_step(app, "cordon"), ("enter",), "enter"),
    "choose": (lambda app: app.action_choose_runbook(), ("enter",), "enter"),
    "new incident": (lambda app: app.action_new_incident(), ("y",), "y"),
}


def top(app: StanchApp) -> Any:
    return app.screen


def says(app: StanchApp, words: str) -> bool:
    return words in shown(app)


def asks(app: StanchApp) -> bool:
    return isinstance(app.screen, ModalScreen)


def calm(app: StanchApp) -> bool:
    return not asks(app) and not app.open_run.running


def run_step(app: StanchApp, step_id: str) -> None:
    run = app.open_run.run
    assert run is not None
    step = run.runbook.step(step_id)
    assert step is not None
    app.open_run.do(step)


def effects(app: StanchApp, fake: FakeInvestigation) -> tuple[int, int]:
    """What keys can bring about: entries, and what was asked for (give_way is asked by each key)."""
    return len(fake.entries()), sum(name != "give_way" for name, _ in fake.calls)


APART = (0.0, 0.06, 0.12)
"""Seconds between the two presses of a doubled key."""


async def left_by(name: str, apart: float | None) -> tuple[int, int]:
    """What answering a dialog leaves behind; the last key comes again `apart` seconds later, or not
    at all."""
    opener, keys, again = DIALOGS[name]
    async with screens(write=True, double_press=DOUBLE_PRESS) as (app, fake, pilot):
        app.open_runbook(*RUNBOOK)
        await until(pilot, lambda: app.open_run.run is not None)
        before = effects(app, fake)
        opener(app)
        await until(pilot, partial(asks, app))
        await top(app).keys_ready.wait()
        press = events.Key("enter", None).time
        send(app, *keys, at=press)
        if apart is not None:
            if apart:
                await pilot.pause(0.01)  # the first has closed the dialog, or not yet
            send(app, again, at=press + apart)
        await until(pilot, partial(calm, app))
        await pilot.pause(0.1)
        assert calm(app)
        after = effects(app, fake)
        return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize("name", DIALOGS)
async def test_a_doubled_key_has_one_effect(name: str) -> None:
    """The same dialog answered by one press and by two, however far apart; each time the same is
    left behind."""
    once = await left_by(name, None)
    assert {apart: await left_by(name, apart) for apart in APART} == dict.fromkeys(APART, once)


@pytest.mark.parametrize("step", ["cordon", "matrix", ""])
async def test_letters_that_come_before_the_dialog_of_a_plan_do_nothing_below(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The word of the gate, typed while the plan is made, must not quit or open another action."""
    made = asyncio.Event()

    def slowly(plan: Callable[..., Any]) -> Callable[..., Any]:
        async def wait_and_plan(*given: Any, **more: Any) -> Any:
            await made.wait()
            return await plan(*given, **more)

        return wait_and_plan

    for runner in (Actions, Probes):
        monkeypatch.setattr(runner, "plan", slowly(runner.plan))
    async with screens(size=WIDE, write=True) as (app, _, pilot):
        app.open_runbook(*RUNBOOK)
        await until(pilot, partial(says, app, "Stop the bleeding"))
        if step:
            run_step(app, step)
        else:
            app.run_worker(act_on(app, [Ref("Node", "", "node-2")]))
            await until(pilot, partial(asks, app))
            await top(app).keys_ready.wait()
            await pilot.press(*"cordon node-2", "enter")
        await until(pilot, lambda: bool(app.planned) and not asks(app))
        if step:
            await until(pilot, partial(says, app, "the plan is being made; nothing is"))
        await pilot.press(*"anq2", "enter")
        assert app.is_running
        assert app.current_mode == "runbook"
        assert not asks(app)
        assert any("plan is still being made" in each.message for each in app._notifications)
        made.set()
        await until(pilot, partial(asks, app))
        assert not app.planned
        assert not any("plan is still being made" in each.message for each in app._notifications)
        await pilot.press("escape")
        await until(pilot, partial(calm, app))
        await pilot.press("n")
        await until(pilot, partial(asks, app))


async def test_a_slow_second_press_is_meant_for_the_screen_below() -> None:
    async with screens(size=WIDE, double_press=DOUBLE_PRESS) as (app, _, pilot):
        app.open_runbook(*RUNBOOK)
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        app.open_run.go_to("drift")
        await until(pilot, lambda: top(app)._steps.target == "drift")
        app.action_note()
        await until(pilot, lambda: isinstance(app.focused, TypedLine))
        press = events.Key("enter", None).time
        send(app, *"seen", "enter", at=press)
        send(app, "enter", at=press + 2 * DOUBLE_PRESS)
        await until(
            pilot,
            lambda: (
                app.open_run.run is not None
                and app.open_run.run.outcomes["drift"].state is StepState.FAILED
            ),
        )


async def test_an_export_that_fails_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screens() as (app, fake, pilot):
        told: list[str] = []
        monkeypatch.setattr(app, "tell", lambda text, level="information": told.append(text))

        async def refuse() -> str:
            raise LookupError("no record is kept")

        monkeypatch.setattr(fake, "export", refuse)
        app.action_go("timeline")
        await pilot.press("x")
        await until(pilot, lambda: any("no record is kept" in text for text in told))
        assert app.is_running


async def test_a_plan_that_is_being_made_is_stopped_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(Actions, "plan", never)
    async with screens(size=WIDE, write=True) as (app, _, pilot):
        app.open_runbook(*RUNBOOK)
        await until(pilot, partial(says, app, "Stop the bleeding"))
        run_step(app, "cordon")
        await until(pilot, lambda: bool(app.planned and app.open_run.running) and not asks(app))
        await pilot.press("x")
        await until(pilot, lambda: not app.open_run.running)
        told = [each.message for each in app._notifications]
        assert any(text.startswith("Stopped, nothing was changed: ") for text in told)
        assert not app.planned

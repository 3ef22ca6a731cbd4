"""The screen `runbook`: steps, answers, probes and changes behind their gates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from incident.walkthrough.run import StepOutcome, StepState
from tests.tui.pilot import WIDE, screens, shown, until
from tui.dialogs.dialog import TextPrompt

AT = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)


async def test_enter_opens_the_runbook_and_runs_its_check() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        assert "kubectl cordon node-2" in shown(app)
        app.open_run.go_to("drift")
        await until(
            pilot,
            lambda: (
                "Does the network agent run the same image" in shown(app)
                and cast("Any", app.screen)._steps.target == "drift"
            ),
        )
        await pilot.press("enter")
        await until(pilot, lambda: "sha256:9fb2c7d0 on node-2" in shown(app))
        assert ("do", "drift") in fake.calls
        assert app.open_run.run is not None
        assert app.open_run.run.outcomes["drift"].state is StepState.FAILED
        assert "means    node-2 runs another version" in shown(app)


async def test_enter_is_the_key_of_the_screen_in_the_pane_without_a_cursor() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        app.open_run.go_to("drift")
        screen = cast("Any", app.screen)
        await until(pilot, lambda: screen._steps.target == "drift")
        screen._step.focus()
        await pilot.press("enter")
        await until(pilot, lambda: ("do", "drift") in fake.calls)


async def test_a_probe_runs_only_after_its_plan_was_agreed_to() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("p")
        await until(pilot, lambda: "plan of the probe connectivity" in shown(app))
        assert "stanch-probe-node-3" in shown(app)
        await pilot.press("enter")  # the default is no
        await until(pilot, lambda: not app.open_run.running)
        assert not any(entry.kind == "step-result" for entry in fake.entries())
        await pilot.press("enter")
        await until(pilot, lambda: "plan of the probe connectivity" in shown(app))
        await pilot.press("y")
        await until(
            pilot, lambda: "node-2 rejects connections that every policy allows" in shown(app)
        )
        assert "rejected 5 of 5 !" in shown(app)


async def test_the_gate_wants_the_word_and_says_no_by_default() -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        for keys in (["escape"], ["enter"]):
            await pilot.press("enter")
            await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
            await pilot.press(*keys)
            await until(pilot, lambda: not app.open_run.running)
        assert [call for call in fake.calls if call[0] == "cordon"] == []
        assert len([call for call in fake.calls if call[0] == "declined"]) == 2
        await pilot.press("enter")
        await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
        await pilot.press(*"node-3", "enter")
        await until(pilot, lambda: "does not match" in shown(app))
        await pilot.press(*"node-2", "enter")  # in place of the wrong word, which is selected
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls)


async def test_a_change_is_taken_back_through_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        told: list[str] = []
        monkeypatch.setattr(app, "tell", lambda text, level="information": told.append(text))
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
        await pilot.press(*"node-2", "enter")
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls and not app.open_run.running)
        cast("Any", app.screen)._steps.move_to("cordon")
        await until(pilot, lambda: "kubectl uncordon node-2  u takes it back" in shown(app))
        await pilot.press("enter")
        await until(
            pilot,
            lambda: any("Enter again plans it once more; e first" in each for each in told),
        )
        assert not app.open_run.running
        await pilot.press("enter")  # now it is meant
        await until(pilot, lambda: "type node-2" in shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: not app.open_run.running)
        await pilot.press("u")
        await until(
            pilot,
            lambda: (
                "spec.unschedulable: true -> false" in shown(app) and "type node-2" in shown(app)
            ),
        )
        await pilot.press("escape")
        await until(pilot, lambda: not app.open_run.running)
        assert ("uncordon", "node-2") not in fake.calls
        await pilot.press("u")
        await until(pilot, lambda: "type node-2" in shown(app))
        await pilot.press(*"node-2", "enter")
        await until(pilot, lambda: "node-2 is uncordoned" in shown(app))
        assert ("uncordon", "node-2") in fake.calls


async def test_each_change_that_was_made_is_asked_about_before_it_is_planned_again() -> None:
    """A result has no number of the record until it is on disk: two changes had the same."""
    async with screens(size=WIDE, write=True) as (app, _, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        screen, run = cast("Any", app.screen), app.open_run.run
        assert run is not None
        step = run.runbook.step("cordon")
        for minute in (1, 2):
            made = StepOutcome(StepState.DONE, at=AT + timedelta(minutes=minute), entry=-1)
            run = replace(run, outcomes={"cordon": made})
            assert screen._asks_again(run, step)
            assert not screen._asks_again(run, step), "the second enter is meant"


async def test_read_only_shows_the_change_and_refuses_it() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "This session is read-only" in shown(app))
        await pilot.press("enter", "escape")
        await until(pilot, lambda: not app.open_run.running)
        assert not any(name == "cordon" for name, _ in fake.calls)


async def test_asking_skipping_and_parameters() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "node, now from: 7 of 7 failing objects share it" in shown(app))
        await pilot.press(*"node-3", "enter")  # what was there is selected, typing replaces it
        await until(pilot, lambda: "node = node-3" in shown(app))
        await pilot.press("s")
        await until(pilot, lambda: "Why is it skipped?" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Type something" in shown(app))
        await pilot.press(*"done", "enter")
        await until(
            pilot,
            lambda: (
                app.open_run.run is not None
                and app.open_run.run.outcomes["cordon"].state is StepState.SKIPPED
            ),
        )
        await until(pilot, lambda: cast("Any", app.screen)._steps.target == "move")
        await pilot.press("enter")
        await until(pilot, lambda: "your answer" in shown(app))
        await pilot.press("down", "enter")
        await until(
            pilot,
            lambda: (
                app.open_run.run is not None and app.open_run.run.outcomes["move"].answer == "no"
            ),
        )


async def test_open_runbooks_stay_reachable() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        app.open_run.skip("cordon", "not now")
        app.open_run.run = None  # as after a restart: the record alone knows
        app.action_go("now")
        await pilot.press("2")
        await until(pilot, lambda: "1 of 5 steps" in shown(app))
        await pilot.press("c")
        await until(pilot, lambda: "open, 1 of 5" in shown(app))


async def test_several_open_runbooks_are_a_list_with_their_last_step() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        app.open_run.skip("cordon", "not now")
        app.open_runbook("coredns-oom")
        app.action_go("now")
        await pilot.press("2")
        await until(pilot, lambda: "2 runbooks open in this incident" in shown(app))
        assert "last: Keep new pods off node-2? skipped" in shown(app)
        assert "connections refused to marketplace" in shown(app)
        await pilot.press("u", "down", "enter")
        await until(pilot, lambda: "1 of 5 steps" in shown(app) and "step move" in shown(app))
        await pilot.press("2")
        await until(pilot, lambda: "2 runbooks open in this incident" in shown(app))


async def test_a_value_that_several_fit_is_chosen_from_a_list_with_reasons() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        choices = [("node-2", "7 of 7 failing objects share it"), ("node-3", "has a note")]
        answers: list[str | None] = []
        app.push_screen(
            TextPrompt("run it with", ["Which node?"], "node", choices=choices), answers.append
        )
        await until(pilot, lambda: "has a note" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Choose one with ↑ ↓ or type, or leave with" in shown(app))
        await pilot.press("down", "down")
        await until(pilot, lambda: "enter take it" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: answers == ["node-3"])
        app.push_screen(
            TextPrompt("run it with", ["Which node?"], "node", choices=choices), answers.append
        )
        await until(pilot, lambda: "has a note" in shown(app))
        await pilot.press(*"node-9", "enter")
        await until(pilot, lambda: answers[1:] == ["node-9"])


async def test_without_a_next_step_or_a_change_the_keys_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        told: list[str] = []
        monkeypatch.setattr(app, "tell", lambda text, level="information": told.append(text))
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("right")
        await until(pilot, lambda: told == ["This is the step to do now."])
        told.clear()
        await pilot.press("u")
        await until(pilot, lambda: told == ["This step has changed nothing that could be undone."])
        assert app.open_run.run is not None
        app.open_run.run = app.investigation.walkthrough.answer(
            app.open_run.run.id, "wait", "reached"
        )
        await pilot.press("right")
        await until(pilot, lambda: told[1:] == ["No step is next: the runbook is done."])


async def test_a_change_that_was_made_by_hand_counts_as_one() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: "What did you do?" in shown(app))
        await pilot.press("enter")
        await until(
            pilot,
            lambda: any("done by hand: kubectl cordon node-2" in e.text for e in fake.entries()),
        )
        await pilot.press("y")
        await until(pilot, lambda: bool(app.clipboard))

"""The screens of a change: it is whole at 80 x 24, it can be stopped and left while it is made, and it
is taken back from the same list of what can be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from textual.pilot import Pilot
from textual.worker import Worker

from actions import catalogue
from actions.plan import ActionPlan, ActionResult, Outcome
from cluster.kube.objects import Ref
from incident.offers import Offer, undo_offers
from incident.view import View
from tests.actions.dialogs import Dialogs, Styled
from tests.actions.fake import FakeApi
from tests.actions.scenarios import SCENARIOS
from tests.tui.pilot import shown, until
from text.action_plan import effect_lines, fitting_lines
from text.lines import layout, plain_text
from timeline.entry import Entry
from tui.dialogs.choice import Choice
from tui.dialogs.plans import ChangeDialog, GateDialog
from tui.screens.offers import act_on
from tui.text_input import TypedLine

if TYPE_CHECKING:
    from tui.navigation import Navigation

NODE = Ref("Node", "", "node-2")
NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
PROHIBITIONS = (
    "Do not restart the pods on the other nodes.",
    "Do not delete the NetworkPolicies: they are not at fault.",
    "Do not scale the workload up before the node is cordoned.",
)


async def planned(name: str, **more: Any) -> ActionPlan:
    api = FakeApi(SCENARIOS[name].objects)
    arguments = {k: v for k, v in SCENARIOS[name].arguments.items() if v != "FILE"}
    return await catalogue.plan(name, api.context(**more), arguments)


class Slow:
    """An investigation whose changes wait until they are let go, stopped or cancelled."""

    def __init__(self, plan: ActionPlan) -> None:
        self.plan = plan
        self.go = asyncio.Event()
        self.typed: list[str] = []
        self.told: Callable[[str], None] = lambda _: None
        self.stopped: Callable[[], bool] = lambda: False

    def offers(self, ref: Ref) -> Sequence[Offer]:
        return (Offer(self.plan.action, "It.", "It.", ref, {}, ()),)

    async def plan_action(self, name: str, arguments: object) -> ActionPlan:
        return self.plan

    async def run_action(
        self,
        plan: ActionPlan,
        typed: str,
        progress: Callable[[str], None] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> ActionResult:
        self.typed.append(typed)
        if not typed:
            return ActionResult(plan, Outcome.DECLINED, "Declined.", NOW)
        self.told, self.stopped = progress, stopped
        await self.go.wait()
        return ActionResult(plan, Outcome.DONE, "Done: it is there.", NOW, undo=plan.undo)


@asynccontextmanager
async def confirmed(slow: Slow) -> AsyncIterator[tuple[Dialogs, Pilot[Any], Worker[None]]]:
    """A change that was confirmed by keys and is under way."""
    app = Dialogs(slow)
    async with app.run_test(size=(80, 24)) as pilot:
        work = app.run_worker(act_on(cast("Navigation", app), [NODE]), exit_on_error=False)
        await until(pilot, lambda: isinstance(app.screen, Choice) and app.screen.is_mounted)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GateDialog) and app.screen.is_mounted)
        await pilot.press(*slow.plan.confirmation, "enter")
        await until(pilot, lambda: isinstance(app.screen, ChangeDialog) and app.screen.is_mounted)
        yield app, pilot, work


async def test_progress_and_result_are_shown_until_they_are_closed() -> None:
    slow = Slow(await planned("cordon"))
    async with confirmed(slow) as (app, pilot, work):
        slow.told("1 of 2: it is half done")
        await until(pilot, lambda: "half done" in shown(app))
        await pilot.press("enter")
        assert isinstance(app.screen, ChangeDialog), "enter closes only what has ended"
        slow.go.set()
        await until(pilot, lambda: work.is_finished)
        await until(pilot, lambda: "done  it is there." in shown(app))
        assert "kubectl uncordon node-2" in shown(app)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: not isinstance(app.screen, ChangeDialog))
    assert slow.typed == ["node-2"]
    assert app.told == []


async def test_what_is_left_running_tells_its_end() -> None:
    slow = Slow(await planned("cordon"))
    async with confirmed(slow) as (app, pilot, work):
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ChangeDialog))
        slow.told("1 of 2")
        slow.go.set()
        await until(pilot, lambda: work.is_finished)
    assert app.told == ["done: Done: it is there."]


async def test_x_stops_before_the_next_object_and_at_the_second_time_at_once() -> None:
    slow = Slow(await planned("cordon"))
    async with confirmed(slow) as (app, pilot, work):
        assert not slow.stopped()
        await pilot.press("x")
        await until(pilot, lambda: "same key again stops" in " ".join(shown(app).split()))
        assert slow.stopped()
        assert work.is_running
        await pilot.press("x")
        await until(pilot, lambda: work.is_finished)
        assert work.is_cancelled
        await until(pilot, lambda: "Stopped at once" in shown(app))


async def test_no_is_recorded_and_changes_nothing() -> None:
    slow = Slow(await planned("cordon"))
    app = Dialogs(slow)
    async with app.run_test(size=(80, 24)) as pilot:
        work = app.run_worker(act_on(cast("Navigation", app), [NODE]), exit_on_error=False)
        await until(pilot, lambda: isinstance(app.screen, Choice) and app.screen.is_mounted)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GateDialog) and app.screen.is_mounted)
        await pilot.press("escape")
        await until(pilot, lambda: work.is_finished)
    assert slow.typed == [""]


async def test_the_word_after_a_wrong_one_replaces_it() -> None:
    slow = Slow(await planned("cordon"))
    app = Dialogs(slow)
    async with app.run_test(size=(80, 24)) as pilot:
        work = app.run_worker(act_on(cast("Navigation", app), [NODE]), exit_on_error=False)
        await until(pilot, lambda: isinstance(app.screen, Choice) and app.screen.is_mounted)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, GateDialog) and app.screen.is_mounted)
        await pilot.press(*"node-3", "enter")
        await until(pilot, lambda: "does not match; nothing was changed" in shown(app))
        await pilot.press(*slow.plan.confirmation, "enter")
        await until(pilot, lambda: isinstance(app.screen, ChangeDialog) and app.screen.is_mounted)
        slow.go.set()
        await until(pilot, lambda: work.is_finished)
    assert slow.typed == ["node-2"]


# ---- whole at 80 x 24


@pytest.mark.parametrize("name", [each for each in SCENARIOS if each != "restore-secret-keys"])
@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_a_confirmation_is_whole_without_scrolling(name: str, size: tuple[int, int]) -> None:
    plan = await planned(name, prohibitions=PROHIBITIONS)
    app = Styled(SimpleNamespace())
    async with app.run_test(size=size) as pilot:
        gate = GateDialog(plan, cast("View", SimpleNamespace(write=True)))
        app.push_screen(gate)
        await until(pilot, lambda: gate.is_mounted and plan.confirmation in shown(app))
        body = gate._body
        assert body.virtual_size.height <= body.size.height, shown(app)
        text = " ".join(shown(app).split())
        assert "esc no, change nothing" in text
        assert text.count("Do not") == 3
        assert "by hand" in text
        assert gate.query_one(TypedLine).has_focus


async def test_why_a_dry_run_has_no_answer_is_said_once() -> None:
    plan = await planned("cordon")
    why = "PATCH /api/v1/nodes/node-2: the server does not answer within 5 s"
    plan = replace(plan, dry_run=why, dry_run_ok=None, warnings=(f"allowed by reviews: {why}",))
    text = "\n".join(map(plain_text, effect_lines(plan)))
    assert text.count(why) == 1
    assert "dry run   not known  the warning says why" in text


async def test_what_speaks_for_a_change_is_counted_when_there_is_no_room() -> None:
    plan = await planned("drain", prohibitions=PROHIBITIONS)
    whole = [plain_text(each) for each in layout(fitting_lines(plan, 70, 99), 70)]
    brief = [plain_text(each) for each in layout(fitting_lines(plan, 70, 10), 70)]
    assert len(brief) < len(whole)
    assert any("2 of 2 checks hold; the server would accept it" in each for each in brief)
    assert " ".join(brief).count("Do not") == 3
    refused = replace(plan.preconditions[0], held=False)
    shut = replace(plan, preconditions=(refused, *plan.preconditions[1:]))
    brief = [plain_text(each) for each in layout(fitting_lines(shut, 70, 10), 70)]
    assert any("does NOT hold" in each for each in brief), "what speaks against it stays"


# ---- taken back from the list


def entry(kind: str, number: int, text: str = "", **data: Any) -> Entry:
    return Entry(
        seq=number,
        id=str(number),
        mono_ns=0,
        kind=kind,
        text=text,
        recorded_at=NOW,
        occurred_at=NOW,
        data={"intent_id": "one", **data},
    )


MADE: dict[str, Any] = {
    "action": "scale",
    "undo_action": "undo",
    "object": {"kind": "Deployment", "namespace": "shop", "name": "web"},
    "targets": [],
}
WEB_REF = Ref("Deployment", "shop", "web")


@pytest.mark.parametrize("outcome", ["done", "done in part", "unknown", "sent, not seen"])
def test_a_change_that_was_made_is_offered_to_be_taken_back(outcome: str) -> None:
    entries = [entry("action-intent", 1, "scale web", **MADE)]
    (open_one,) = undo_offers(entries, WEB_REF)
    (offer,) = undo_offers([*entries, entry("action-result", 2, outcome=outcome)], WEB_REF)
    assert open_one == offer
    assert offer.arguments == {"change": "one"}
    assert "Take back: scale web" in offer.summary
    assert offer.why == "made at 03:00:00 UTC"
    assert undo_offers(entries, NODE) == ()


def test_what_was_refused_undone_or_has_no_way_back_is_not_offered() -> None:
    intent = entry("action-intent", 1, **MADE)
    assert undo_offers([intent, entry("action-result", 2, outcome="failed")]) == ()
    done = [intent, entry("action-result", 2, outcome="done")]
    undone: dict[str, Any] = {"action": "undo", "arguments": {"change": "one"}, "intent_id": "two"}
    ended = entry("action-result", 4, outcome="done", intent_id="two")
    assert undo_offers([*done, entry("action-intent", 3, **undone), ended]) == ()
    assert undo_offers([entry("action-intent", 1, **{**MADE, "undo_action": ""})]) == ()

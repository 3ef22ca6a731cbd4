"""The screens on the fake: what is shown, what keys do, and that no state looks like health that is
not."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from msgspec.structs import replace
from textual import events
from textual.pilot import Pilot

from cluster.kube.objects import Ref
from incident.config import Config, ContextConfig
from incident.walkthrough.run import StepState
from tests.tui import story
from tests.tui.fake import SCENES, FakeInvestigation
from text.status import banner_lines
from tui.app import StanchApp
from tui.text_input import TypedLine

WIDE, NARROW, TINY = (140, 45), (80, 24), (40, 10)


@asynccontextmanager
async def screens(
    scene: str = "story",
    size: tuple[int, int] = NARROW,
    write: bool = False,
    double_press: float = 0.0,
) -> AsyncIterator[tuple[StanchApp, FakeInvestigation, Pilot[Any]]]:
    fake = FakeInvestigation(scene, write)
    app = StanchApp(fake, fake.clock, {})
    app.key_order.double_press = double_press  # tests press faster than people decide
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "session" in shown(app) or bool(shown(app).strip()))
        yield app, fake, pilot


async def until(pilot: Pilot[Any], holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for a condition, with a deadline, and for what is painted together with it."""
    end = asyncio.get_running_loop().time() + seconds
    while not holds():
        if asyncio.get_running_loop().time() > end:
            raise AssertionError(f"did not happen in {seconds} s; on screen:\n{shown(pilot.app)}")
        await pilot.pause(0.01)
    if pilot.app.is_running:
        await pilot.pause()


def shown(app: Any) -> str:
    """The screen as text."""
    strips = app.screen._compositor.render_strips() if app.screen._compositor else []
    return "\n".join(strip.text.rstrip() for strip in strips)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_now_says_what_since_when_what_is_shared_and_which_runbook(
    size: tuple[int, int],
) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        text = shown(app)
        for words in (
            "CRIT connections refused to marketplace",
            "8 min",
            "network-policy-cni-version-skew 0.91",
            "on node-2",
            "read-only",
            "prod-eu1",
            "rec 4 ok",
            "for      kube-router on node-2 runs another image",
            "missing  refused or rejected on the way?",
            "02:58 Node node-2",
            "03:02:12 UTC",
        ):
            assert words in text, f"{words!r} is not on screen:\n{text}"


@pytest.mark.parametrize(
    ("scene", "said", "never"),
    [
        ("healthy", "No findings in", "Not known"),
        ("loading", "Not known yet: 3,500 objects", "No findings"),
        ("lost", "The API server does NOT answer", "No findings"),
        ("lost-at-start", "TCP     FAILS", "No findings"),
        ("offline", "No kubeconfig was found", "No findings"),
        ("forbidden", "not looked at: secrets", "No findings"),
        ("nothing-readable", "these credentials may read nothing here", "No findings"),
        ("nothing-readable", "ask for the right to view", "That was then"),
        ("refused", "Not known: nothing could be read yet", "asking the API server"),
    ],
)
async def test_each_state_of_knowing_reads_differently(scene: str, said: str, never: str) -> None:
    async with screens(scene) as (app, _, pilot):
        await until(pilot, lambda: said in shown(app))
        assert never not in shown(app)


async def test_a_reason_that_is_cut_is_seen_to_be_cut_and_the_age_is_not() -> None:
    async with screens("refused") as (app, _, pilot):
        await until(pilot, lambda: "answers slowly or in part" in shown(app))
        assert [row for row in shown(app).split("\n") if row.endswith(" …") and len(row) <= 80]
    async with screens("lost") as (app, _, pilot):
        await until(pilot, lambda: "Shown is what was at" in " ".join(shown(app).split()))


async def test_views_made_in_quick_succession_are_all_painted() -> None:
    """They are made on a task that knows nothing of the application."""
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))

        async def make() -> None:
            for scene in ("story", "story", "lost"):
                fake.scene = scene
                fake.publish()

        await asyncio.get_running_loop().create_task(make(), context=contextvars.Context())
        await until(pilot, lambda: "Shown is what was at" in " ".join(shown(app).split()))


def test_what_broke_is_said_on_every_screen() -> None:
    view = replace(
        FakeInvestigation().view, problem="The part 'ranking' broke; start stanch again."
    )
    assert "Something broke: The part 'ranking' broke" in " ".join(
        row.text for row in banner_lines(view, view.as_of)
    )


@pytest.mark.parametrize("size", [TINY, (20, 5)])
async def test_a_tiny_terminal_gets_one_sentence(size: tuple[int, int]) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "3 symptoms" in shown(app))


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("size", [WIDE, NARROW, TINY])
async def test_every_screen_opens_in_every_state(scene: str, size: tuple[int, int]) -> None:
    """Whatever the state and the size: each screen can be gone to and left, and shows something."""
    async with screens(scene, size) as (app, _, pilot):
        for mode in ("objects", "timeline", "runbook", "now"):
            app.action_go(mode)
            await pilot.pause()
            assert len(shown(app).strip()) > 20, mode
        for action in (
            app.action_symptom,
            app.action_note,
            app.action_connection,
            app.action_help,
            app.action_palette,
            app.action_choose_runbook,
        ):
            action()
            await pilot.pause()
            assert shown(app).strip()
            app.pop_screen()
        app.open_object(story.CATALOG[0])
        await pilot.pause()
        for part in ("events", "yaml", "related"):
            app.screen.action_part(part)  # type: ignore[attr-defined]  # ObjectScreen
            await pilot.pause()
        assert "catalog" in shown(app) or size == TINY


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
        await until(pilot, lambda: "That is not it" in shown(app))
        await pilot.press(*["backspace"] * 1, "2", "enter")
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls)


async def test_a_change_is_taken_back_through_the_gate() -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
        await pilot.press(*"node-2", "enter")
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls and not app.open_run.running)
        cast("Any", app.screen)._steps.move_to("cordon")
        await until(pilot, lambda: "kubectl uncordon node-2  u takes it back" in shown(app))
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


async def test_read_only_shows_the_change_and_refuses_it() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "This session is read-only" in shown(app))
        await pilot.press("enter", "escape")
        await until(pilot, lambda: not app.open_run.running)
        assert not any(name == "cordon" for name, _ in fake.calls)


@pytest.mark.parametrize("scene", ["story", "offline", "lost"])
async def test_a_note_is_taken_from_anywhere_also_without_a_cluster(scene: str) -> None:
    async with screens(scene) as (app, fake, pilot):
        app.action_go("timeline")
        await pilot.press("n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))
        await pilot.press(*"@99 x", "enter")
        await until(pilot, lambda: "is no time" in shown(app))
        await pilot.press(*["backspace"] * 5, *"restarted", "enter")
        await until(pilot, lambda: any(entry.text == "restarted" for entry in fake.entries()))
        await until(pilot, lambda: "note        restarted" in shown(app))


async def test_a_note_that_the_disk_refuses_goes_back_into_the_dialog_and_quitting_names_it() -> (
    None
):
    async with screens(size=WIDE) as (app, fake, pilot):
        fake.refusal = "NOT RECORDED (no space left for 2026-11-21-a.db)"
        await pilot.press("n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))
        await pilot.press(*"restarted", "enter")
        await until(pilot, lambda: isinstance(app.focused, TypedLine) and bool(app.refused_note[0]))
        assert isinstance(app.focused, TypedLine)
        assert app.focused.value == "restarted"
        await until(pilot, lambda: "NOT RECORDED (no space left" in shown(app))
        told = [notification.message for notification in app._notifications]
        assert not [message for message in told if message.startswith("Noted")]
        taken = len(fake.entries())
        await pilot.press("enter")  # it waits in memory already
        assert len(fake.entries()) == taken
        await pilot.press("escape")
        await until(pilot, lambda: "1 NOT RECORDED" in shown(app))
        await pilot.press("q")
        await until(pilot, lambda: "Quit and lose 1 entry?" in shown(app))
        assert "NOT RECORDED: restarted" in shown(app)
        await pilot.press("escape")
        fake.taken.set()
        await until(pilot, lambda: app.refused_note == ("", ""))
        told = [notification.message for notification in app._notifications]
        assert "Noted now: restarted" in told


async def test_a_new_incident_is_begun_by_a_key_after_a_question() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app._arrived(
            replace(app.view, record=replace(app.view.record, notice="Going on with 2026-11-21-a"))
        )
        await until(pilot, lambda: bool(app._notifications))
        told = [notification.message for notification in app._notifications]
        assert told == ["Going on with 2026-11-21-a"]
        await pilot.press("N")
        await until(pilot, lambda: "Begin a new incident?" in shown(app))
        await pilot.press("escape", "N")
        await until(pilot, lambda: "Begin a new incident?" in shown(app))
        assert ("begin_incident", None) not in fake.calls
        await pilot.press("y")
        await until(pilot, lambda: ("begin_incident", None) in fake.calls)


async def test_keys_that_come_in_one_burst_edit_in_their_order() -> None:
    """As over a slow line: all are there before the first is worked on."""
    async with screens() as (app, _, pilot):
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, TypedLine))
        typed = app.focused
        assert isinstance(typed, TypedLine)
        for key in (
            "a",
            "b",
            "backspace",
            "c",
            "left",
            "x",
            "end",
            "d",
            "ctrl+w",
            "e",
            "backspace",
            "f",
            "g",
        ):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: typed.value.endswith("g"))
        assert typed.value == "fg"


async def test_words_are_ranked_with_each_key_and_enter_opens_the_first() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.action_symptom()
        await until(pilot, lambda: "paste an alert" in shown(app))
        await pilot.press(*"refused policy")
        await until(pilot, lambda: "0.90 Connection refused across namespaces" in shown(app))
        await pilot.press("enter")
        await until(
            pilot, lambda: app.current_mode == "runbook" and "Stop the bleeding" in shown(app)
        )


async def test_the_table_filters_sorts_and_keeps_its_cursor_on_the_object() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen: Any = app.screen
        screen.action_filter()
        await pilot.press(*"restarts>1")
        await until(pilot, lambda: "7 of 63 pods" in shown(app))
        screen._filter_line.value = "restarts>1 foo>3"
        await until(pilot, lambda: "There is no column “foo”" in shown(app))
        assert "catalog-7c9d5b6f4-0abcd" in shown(app)
        screen._filter_line.value = "restarts>1"  # what is wrong was taken back
        await until(
            pilot, lambda: "There is no column" not in shown(app) and "7 of 63 pods" in shown(app)
        )
        await pilot.press("escape")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen._table.select(("marketplace", "catalog-7c9d5b6f4-3abcd"))
        before = screen._table.key
        fake.change(
            "Pod",
            story.pod("aaa", "first", "node-1"),
            story.pod("marketplace", "catalog-7c9d5b6f4-1aaaa", "node-1"),
        )
        fake.publish()
        await until(pilot, lambda: "65 pods" in shown(app))
        assert screen._table.key == before
        assert any(
            "›marketplace" in row and "catalog-7c9d5b6f4-3abcd" in row
            for row in shown(app).split("\n")
        )


@pytest.mark.parametrize(
    ("scene", "kind", "said"),
    [
        ("loading", "Pod", "pods: loading"),
        ("forbidden", "Secret", "secrets: forbidden"),
        ("lost", "Pod", "STALE, as of 03:08:42 UTC"),
        ("story", "PodDisruptionBudget", "This server does not offer disruption budgets."),
        ("story", "Job", "There are no jobs as of"),
        ("lost-at-start", "Pod", "Not read yet: pods."),
    ],
)
async def test_an_empty_table_says_why(scene: str, kind: str, said: str) -> None:
    async with screens(scene, WIDE) as (app, _, pilot):
        app.action_go("objects")
        await until(pilot, lambda: hasattr(app.screen, "show_kind"))
        app.screen.show_kind(kind)  # type: ignore[attr-defined]  # ObjectsScreen
        await until(pilot, lambda: said in shown(app))


async def test_only_changed_rows_are_repainted() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "63 pods" in shown(app))
        screen: Any = app.screen
        drawn: list[int] = []
        original = screen._table.render_line
        screen._table.render_line = lambda y: (drawn.append(y), original(y))[1]
        fake.change(
            "Pod",
            story.pod(
                "marketplace",
                "catalog-7c9d5b6f4-3abcd",
                "node-2",
                "catalog-7c9d5b6f4",
                ready=False,
                restarts=9,
                minutes=10,
            ),
        )
        await until(pilot, lambda: bool(drawn))
        await pilot.pause(0.05)
        assert len(set(drawn)) == 1, drawn


async def test_a_hidden_screen_follows_nothing() -> None:
    async with screens() as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: len(fake._change_listeners) == 1)
        app.action_go("now")
        await until(pilot, lambda: len(fake._change_listeners) == 0)


async def test_views_are_painted_at_most_ten_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, _):
        painted = []
        original = app._paint
        monkeypatch.setattr(app, "_paint", lambda: (painted.append(1), original())[1])
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() - start < 0.5:
            fake.publish()
            await asyncio.sleep(0.002)
        assert len(painted) <= 10 * (loop.time() - start) + 2


async def test_while_somebody_types_the_screen_below_waits_but_not_for_a_server_that_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        painted: list[str] = []
        original = app._paint
        monkeypatch.setattr(
            app, "_paint", lambda: (painted.append(app.view.api.reach.name), original())
        )
        await pilot.press("n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))

        async def publish(seconds: float) -> None:
            loop = asyncio.get_running_loop()
            until_then = loop.time() + seconds
            while loop.time() < until_then:
                app._key = time.monotonic()  # as if a key had just been pressed
                fake.publish()
                await asyncio.sleep(0.01)

        await publish(0.3)  # what was on its way before the first key
        painted.clear()
        await publish(1.0)
        assert painted == []
        fake.scene = "lost"
        await publish(0.1)
        assert painted == ["LOST"]
        await until(
            pilot, lambda: len(painted) > 1
        )  # the last view is painted when the keys have ended


async def test_keys_ask_for_the_way() -> None:
    async with screens() as (_, fake, pilot):
        for key in ("n", "x"):
            before = len(fake.calls)
            await pilot.press(key)
            assert ("give_way", None) in fake.calls[before:]


async def test_rows_that_only_look_different_wait_for_the_keys_that_move_the_cursor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens() as (app, fake, pilot):
        app.action_go("objects")
        await until(pilot, lambda: "catalog-7c9d5b6f4-3abcd" in shown(app))
        screen: Any = app.screen
        touched: list[int] = []
        original = screen._table.touched
        monkeypatch.setattr(
            screen._table, "touched", lambda keys: (touched.append(len(keys)), original(keys))
        )
        fake.cadence = replace(fake.cadence, moved=60.0)
        monkeypatch.setattr(app, "since_key", lambda: 0.0)
        screen._repainted = time.monotonic()
        for restarts in range(4, 9):
            pod = story.pod(
                "marketplace",
                "catalog-7c9d5b6f4-3abcd",
                "node-2",
                "catalog-7c9d5b6f4",
                ready=True,
                restarts=restarts,
                minutes=10,
            )
            fake.change("Pod", pod)
            await pilot.pause(0.12)
        assert touched == []
        monkeypatch.setattr(app, "since_key", lambda: 1.0)
        await until(pilot, lambda: touched == [1])


async def test_owners_and_dependants_lead_on() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        app.open_object(Ref("Pod", "marketplace", "catalog-7c9d5b6f4-0abcd"), "related")
        await until(pilot, lambda: "›Deployment marketplace/catalog" in shown(app))
        assert "   ReplicaSet marketplace/catalog-7c9d5b6f4" in shown(app)
        assert "runs on   Node node-2" in shown(app)
        await pilot.press("down", "enter")
        await until(
            pilot,
            lambda: (
                "ReplicaSet marketplace/catalog-7c9d5b6f4" in shown(app)
                and "[summary]" in shown(app)
            ),
        )


async def test_quit_asks_only_while_something_runs() -> None:
    async with screens() as (app, _, pilot):
        app.open_run.running = "a probe"
        await pilot.press("q")
        await until(pilot, lambda: "Quit while something runs?" in shown(app))
        await pilot.press("enter")
        assert app.is_running
        app.open_run.running = ""
        await pilot.press("q")
        await until(pilot, lambda: app._exit)


async def test_no_color_uses_the_terminals_own_palette() -> None:
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {"NO_COLOR": "1"})
    async with app.run_test(size=NARROW):
        assert app.theme == "ansi-dark"


async def test_the_palette_finds_runbooks_and_objects_and_never_more_than_fifty() -> None:
    from tui.palette import LIMIT, Everything

    async with screens() as (app, fake, _):
        fake.store.replace("Pod", [story.pod("shop", f"web-{i}", "node-1") for i in range(500)])
        provider = Everything(app.screen)
        hits = [hit async for hit in provider.search("web")]
        assert 0 < len(hits) <= LIMIT
        names = [str(hit.text) async for hit in provider.search("connection refused")]
        assert any("network-policy-cni-version-skew" in name for name in names)


async def test_an_unchanged_view_repaints_nothing() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.pause(0.3)
        screen: Any = app.screen
        drawn: list[str] = []
        for pane in (screen._symptoms, screen._why, screen._status_pane, screen._keys_pane):
            original = pane.render_line
            pane.render_line = lambda y, original=original, pane=pane: (
                drawn.append(f"{pane} {y}"),
                original(y),
            )[1]
        fake.publish()
        await pilot.pause(0.3)
        assert drawn == []


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
        await until(pilot, lambda: "what do you see?" in shown(app))
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


async def test_without_a_next_step_or_a_change_the_keys_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        told: list[str] = []
        monkeypatch.setattr(app, "tell", lambda text, level="information": told.append(text))
        app.open_runbook("network-policy-cni-version-skew", "refused-marketplace")
        await until(pilot, lambda: "Stop the bleeding" in shown(app))
        await pilot.press("u")
        await until(pilot, lambda: told == ["This step has changed nothing that could be undone."])
        assert app.open_run.run is not None
        app.open_run.run = app.investigation.walkthrough.answer(
            app.open_run.run.id, "wait", "reached"
        )
        await pilot.press("right")
        await until(pilot, lambda: told[1:] == ["No step is next: the runbook is done."])


async def test_logs_of_a_symptom_and_the_object_of_a_finding() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("l")
        await until(
            pilot,
            lambda: (
                "logs of Pod marketplace/catalog-7c9d5b6f4-0abcd" in shown(app)
                and "502 upstream connect error" in shown(app)
            ),
        )
        await pilot.press("v")
        await until(
            pilot,
            lambda: "before the last restart" in shown(app) and "  5 lines" in shown(app),
        )
        await pilot.press("escape", "z", "tab", "down", "enter")
        await until(pilot, lambda: "[summary]" in shown(app))


async def test_a_log_is_searched_narrowed_paused_and_kept() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("l")
        await until(pilot, lambda: "120 lines" in shown(app))
        await pilot.press("slash", *"/117", "enter")
        await until(pilot, lambda: "/catalog/117" in shown(app))
        await pilot.press("escape", "f", "f", "f")
        await until(pilot, lambda: "errors" in shown(app) and "108 hidden by level" in shown(app))
        await pilot.press("p")
        await until(pilot, lambda: "paused" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "kept from the" in str(fake.entries()))
        kept = next(entry for entry in fake.entries() if "kept from the" in entry.text)
        assert kept.text == (
            "kept from the logs of Pod marketplace/catalog-7c9d5b6f4-0abcd (and 12 more lines)"
        )


async def test_a_search_that_finds_nothing_says_so_and_escape_closes_it() -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        told: list[str] = []
        app.tell = lambda text, level="information": told.append(text)  # type: ignore[method-assign]
        await until(pilot, lambda: "CRIT" in shown(app))
        app.open_object(story.CATALOG[0])
        await pilot.pause()
        await pilot.press("slash", *"xyzzy", "enter")
        await until(pilot, lambda: told == ["“xyzzy” is nowhere in what is shown."])
        await pilot.press("escape")
        await pilot.pause()
        assert "summary" in shown(app)


@pytest.mark.parametrize(
    ("words", "kind"), [("svc", "services"), ("pvc", "volume claims"), ("sts", "stateful sets")]
)
async def test_a_colon_opens_a_kind_by_its_short_name(words: str, kind: str) -> None:
    async with screens(size=WIDE) as (app, _, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("colon", *words, "enter")
        await until(pilot, lambda: f"── {kind}" in shown(app))


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_now_opens_with_what_decides_and_the_first_thing_to_do(size: tuple[int, int]) -> None:
    async with screens(size=size) as (app, _, pilot):
        await until(pilot, lambda: "stop the bleeding: Keep new pods off node-2?" in shown(app))
        text = shown(app)
        assert "do not: delete the NetworkPolicy" in text
        labels = [row.split("│")[-1].split() for row in text.split("\n")]
        first = [words[0] for words in labels if words]
        at = [first.index(label) for label in ("what", "since", "shared", "changed")]
        assert at == sorted(at)
        assert ("── when ──" in text) == (size == WIDE)


async def test_what_can_be_done_is_offered_and_passes_the_gate() -> None:
    async with screens(size=WIDE, write=True) as (app, fake, pilot):
        app.open_object(Ref("Node", "", "node-2"))
        await pilot.press("a")
        await until(pilot, lambda: "what can be done" in shown(app))
        await pilot.press(*"cordon")
        await until(pilot, lambda: "cordon Node node-2" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "spec.unschedulable: false -> true" in shown(app))
        await pilot.press(*"node-2", "enter")
        await until(pilot, lambda: ("cordon", "node-2") in fake.calls)


async def test_changes_are_allowed_after_a_question() -> None:
    async with screens() as (app, fake, pilot):
        await pilot.press("W")
        await until(pilot, lambda: "Allow changes?" in shown(app))
        await pilot.press("enter", "W")
        await until(pilot, lambda: "Allow changes?" in shown(app))
        assert ("write", True) not in fake.calls
        await pilot.press("y")
        await until(pilot, lambda: ("write", True) in fake.calls)


async def test_the_record_is_read_and_edited_by_keys() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("timeline")
        await until(pilot, lambda: "paged by shop-errors" in shown(app))
        await pilot.press("end", "p")
        await until(pilot, lambda: "pinned" in shown(app))
        await pilot.press("e")
        await until(pilot, lambda: "how it read before" in shown(app))
        await pilot.press(*"paged", "enter")
        await until(pilot, lambda: "note        paged  (" in shown(app) and "edited" in shown(app))
        await pilot.press("h")
        await until(pilot, lambda: "note        paged" not in shown(app))
        await pilot.press("z")
        await until(pilot, lambda: "hidden" in shown(app))
        await pilot.press("f", *"runbook leads", "enter")
        await until(pilot, lambda: len(cast("Any", app.screen)._log.lines) == 3)
        assert sum(entry.kind == "revision" for entry in fake.entries()) == 3


async def test_a_note_is_marked_and_the_incident_is_named_by_keys() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await pilot.press("n", "down", "down", *"-5m errors gone", "enter")
        await until(pilot, lambda: any(entry.kind == "milestone" for entry in fake.entries()))
        mark = next(entry for entry in fake.entries() if entry.kind == "milestone")
        assert (mark.data["name"], mark.text) == ("mitigated", "errors gone")
        await pilot.press("I")
        await until(pilot, lambda: "begin a new incident" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "What is it called" in shown(app))
        await pilot.press(*"Shop is down", "enter")
        await until(pilot, lambda: ("rename", "Shop is down") in fake.calls)


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


async def test_a_custom_resource_opens_as_the_table_of_the_server() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        await until(pilot, lambda: "CRIT" in shown(app))
        await pilot.press("colon", "w", "d")
        await until(pilot, lambda: "widgets" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Stuck" in shown(app))
        assert "widgets (example.com/v1)" in shown(app)
        assert ("other_rows", "Widget") in fake.calls


async def test_ctrl_c_says_how_to_quit_and_quits_the_second_time() -> None:
    async with screens() as (app, _, pilot):
        await pilot.press("ctrl+c")
        assert app.is_running
        told = [notification.message for notification in app._notifications]
        assert told == ["q quits, x stops what runs; ctrl-c again quits too."]
        await pilot.press("ctrl+c")
        await until(pilot, lambda: not app.is_running)


async def test_the_theme_follows_the_settings_the_context_and_a_key() -> None:
    config = Config(theme="light", contexts={"prod-eu1": ContextConfig(theme="high contrast")})
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {}, config=config)
    async with app.run_test(size=NARROW) as pilot:
        assert app.theme == "textual-light"
        fake.publish()
        await until(pilot, lambda: app.theme == "stanch-contrast")
        await pilot.press("ctrl+t")
        fake.publish()
        await pilot.pause()
        assert app.theme == "textual-dark"
    assert StanchApp(fake, fake.clock, {"NO_COLOR": "1"}, config=config).theme == "ansi-dark"

"""Keys that work on every screen: opening, finding, themes, and leaving."""

from __future__ import annotations

import msgspec
import pytest
from textual import events

from incident.config import Config, ContextConfig, Notify
from tests.tui import story
from tests.tui.fake import SCENES, FakeInvestigation
from tests.tui.pilot import NARROW, TINY, WIDE, screens, shown, until
from tui.app import StanchApp
from tui.screens.detail import ObjectScreen
from tui.text_input import TypedLine


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
        assert isinstance(app.screen, ObjectScreen)
        for part in ("events", "yaml", "related"):
            app.screen.action_part(part)
            await pilot.pause()
        assert "catalog" in shown(app) or size == TINY


async def test_a_symptom_in_words_begins_with_the_page_and_typing_replaces_it() -> None:
    async with screens() as (app, _, pilot):
        record = app.view.record
        summary = msgspec.structs.replace(record.summary, page="connection refused on node-2")
        record = msgspec.structs.replace(record, summary=summary)
        app._arrived(msgspec.structs.replace(app.view, record=record))
        await pilot.press("m")
        await until(pilot, lambda: "connection refused on node-2" in shown(app))
        await pilot.press("d", "n", "s")
        await until(pilot, lambda: app.searched_symptom == ("dns", ""))


async def test_keys_that_come_in_one_burst_edit_in_their_order() -> None:
    """As over a slow line: all are there before the first is worked on."""
    async with screens() as (app, _, pilot):
        await pilot.press("m")
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


async def test_words_that_come_before_the_runbooks_are_read_are_kept_and_enter_with_them() -> None:
    """What words are ranked with is read when the prompt opens: most sessions never open it."""
    async with screens(size=WIDE) as (app, fake, pilot):
        fake.words_read.clear()
        await pilot.press("m")
        await until(pilot, lambda: ("read_words", None) in fake.calls)
        await pilot.press(*"refused policy")
        await until(pilot, lambda: "reading runbooks" in shown(app))
        await pilot.press("enter")
        fake.words_read.set()
        await until(
            pilot, lambda: app.current_mode == "runbook" and "Stop the bleeding" in shown(app)
        )


async def test_runbooks_that_are_still_read_are_not_told_as_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        fake.words_read.clear()
        books = fake.runbooks()
        monkeypatch.setattr(fake, "runbooks", lambda: books if fake.words_read.is_set() else ())
        app.action_choose_runbook()
        await until(pilot, lambda: "reading runbooks" in shown(app))
        await pilot.press(*"policy")
        fake.words_read.set()
        await until(pilot, lambda: "Connection refused across namespaces" in shown(app))


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


async def test_changes_are_allowed_after_a_question() -> None:
    async with screens() as (app, fake, pilot):
        await pilot.press("W")
        await until(pilot, lambda: "Allow changes?" in shown(app))
        await pilot.press("enter", "W")
        await until(pilot, lambda: "Allow changes?" in shown(app))
        assert ("write", True) not in fake.calls
        await pilot.press("y")
        await until(pilot, lambda: ("write", True) in fake.calls)


async def test_ctrl_c_says_how_to_quit_and_quits_the_second_time() -> None:
    async with screens() as (app, _, pilot):
        await pilot.press("ctrl+c")
        assert app.is_running
        told = [notification.message for notification in app._notifications]
        assert told == ["q quits, x stops what runs; ctrl-c again quits."]
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


@pytest.mark.parametrize(
    ("notify", "tmux", "sent"),
    [
        ("osc9", "", "\x1b]9;stanch: web fails, 2 of 3\a"),
        ("osc777", "", "\x1b]777;notify;stanch;web fails, 2 of 3\a"),
        ("osc9", "/run/tmux,1,0", "\x1bPtmux;\x1b\x1b]9;stanch: web fails, 2 of 3\a\x1b\\"),
        ("off", "", ""),
    ],
)
async def test_a_notification_reaches_the_terminal(
    notify: Notify, tmux: str, sent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {"TMUX": tmux}, config=Config(notify=notify))
    async with app.run_test(size=NARROW):
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        app.notify_outside("web fails; 2 of 3")
        assert "".join(written) == sent


async def test_a_copy_goes_through_tmux(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {"TMUX": "/run/tmux,1,0"})
    async with app.run_test(size=NARROW):
        written: list[str] = []
        monkeypatch.setattr(app._driver, "write", written.append)
        app.copy("kubectl get pods")
        code = "\x1b]52;c;a3ViZWN0bCBnZXQgcG9kcw==\a"
        passed = code.replace("\x1b", "\x1b\x1b")
        assert written == [code, f"\x1bPtmux;{passed}\x1b\\"]


async def test_a_context_that_the_settings_fix_is_said_to_be_read_only_without_a_question() -> None:
    async with screens() as (app, fake, pilot):
        fake.read_only_reason = "The context prod is read-only by the settings."
        await pilot.press("W")
        told = [notification.message for notification in app._notifications]
        assert told == [fake.read_only_reason]
        assert "Allow changes?" not in shown(app)


async def test_a_click_on_the_line_of_keys_presses_the_key() -> None:
    async with screens(size=NARROW) as (app, _, pilot):
        await until(pilot, lambda: "help" in shown(app))
        row = shown(app).split("\n")[-1]
        await pilot.click(".keys", offset=(row.index("? help") + 3, 0))
        await until(pilot, lambda: "how to read" in shown(app))
        row = shown(app).split("\n")[-1]
        await pilot.click(".keys", offset=(row.index("esc back"), 0))
        await until(pilot, lambda: "how to read" not in shown(app))


async def test_the_palette_exports_the_draft_from_every_screen() -> None:
    from tui.palette import Everything

    async with screens() as (app, _, pilot):
        hits = [hit async for hit in Everything(app.screen).search("export")]
        export = next(hit for hit in hits if "Write the draft" in str(hit.text))
        await export.command()
        await until(pilot, lambda: any("Written: " in n.message for n in app._notifications))
        assert app.current_mode == "timeline"

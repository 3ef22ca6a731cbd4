"""Notes, the timeline and the incident by keys."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace
from textual import events

from tests.tui.pilot import NARROW, WIDE, screens, shown, until
from tui.text_input import TypedLine


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


async def test_of_a_pasted_block_the_first_line_is_the_note_and_the_whole_is_evidence() -> None:
    async with screens() as (app, fake, pilot):
        await pilot.press("n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))
        app.post_message(events.Paste("panic: nil map\n\n goroutine 1\n main.go:7\n"))
        await until(pilot, lambda: "with 3 pasted lines as evidence" in shown(app))
        await pilot.press("enter")
        await until(
            pilot,
            lambda: any(e.text == "panic: nil map (and 2 more lines)" for e in fake.entries()),
        )


async def test_a_new_incident_is_begun_by_a_key_after_a_question() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app._arrived(
            replace(app.view, record=replace(app.view.record, notice="Continuing 2026-11-21-a"))
        )
        await until(pilot, lambda: bool(app._notifications))
        told = [notification.message for notification in app._notifications]
        assert told == ["Continuing 2026-11-21-a"]
        await pilot.press("N")
        await until(pilot, lambda: "Begin a new incident?" in shown(app))
        await pilot.press("escape", "N")
        await until(pilot, lambda: "Begin a new incident?" in shown(app))
        assert ("begin_incident", None) not in fake.calls
        await pilot.press("y")
        await until(pilot, lambda: ("begin_incident", None) in fake.calls)


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
        await pilot.press("n", "down", "down", *"again", "enter")
        await until(pilot, lambda: "the first mitigated, of" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: sum(e.kind == "milestone" for e in fake.entries()) == 2)
        await pilot.press("I")
        await until(pilot, lambda: "begin a new incident" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: "What is it called" in shown(app))
        await pilot.press(*"Shop is down", "enter")
        await until(pilot, lambda: ("rename", "Shop is down") in fake.calls)


async def test_the_log_is_seen_around_an_entry_by_views_and_as_a_brief() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.action_go("timeline")
        await until(pilot, lambda: "paged by shop-errors" in shown(app))
        await pilot.press("f", *"in:draft", "enter", "v")
        await until(pilot, lambda: "which view of the log?" in shown(app))
        await pilot.press(*"notes and", "enter")
        await until(pilot, lambda: "by:human" in shown(app))
        await pilot.press("f", "end", *" kind:note", "enter", "v")
        await until(pilot, lambda: "save this one" in shown(app))
        await pilot.press(*"save this", "enter")
        await until(pilot, lambda: "save the view as" in shown(app))
        await pilot.press(*"mine", "enter")
        await until(pilot, lambda: fake.saved_views == {"mine": "by:human kind:note"})
        await pilot.press("escape", "end", "w")
        await until(pilot, lambda: "around:" in shown(app))
        await pilot.press("w", "b")
        await until(pilot, lambda: "the hand-off brief" in shown(app))


async def test_a_mark_is_offered_with_words_and_a_secret_is_shown_as_it_is_kept() -> None:
    async with screens(size=WIDE) as (app, fake, pilot):
        app.offer_mark("mitigated", "Verify passed: all answer")
        await until(pilot, lambda: "Verify passed: all answer" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: any("n marks it" in n.message for n in app._notifications))
        assert not any(e.data.get("name") == "mitigated" for e in fake.entries())
        app.offer_mark("mitigated", "Verify passed: all answer")
        await until(pilot, lambda: "Mark the incident as mitigated?" in shown(app))
        await pilot.press("y")
        await until(pilot, lambda: "users are served again" in shown(app))
        await pilot.press("enter")
        await until(pilot, lambda: any(e.data.get("name") == "mitigated" for e in fake.entries()))
        await pilot.press("n", *"the password was hunter22")
        await until(pilot, lambda: "The record will hold: the password was" in shown(app))


async def test_a_long_complaint_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = "This cannot be taken, for a reason that needs more than one row to be said; try it."
    async with screens() as (app, fake, pilot):

        def refuse(*_: object, **__: object) -> None:
            raise ValueError(problem)

        monkeypatch.setattr(fake, "note", refuse)
        await pilot.press("n", *"users", "enter")
        await until(pilot, lambda: "said; try it." in shown(app))
        assert "This cannot be taken" in shown(app)


@pytest.mark.parametrize("downs", [2, 3])
async def test_a_mark_is_set_without_words(downs: int) -> None:
    async with screens(size=WIDE) as (_, fake, pilot):
        name = ("", "acknowledged", "mitigated", "resolved")[downs]
        await pilot.press("n", *["down"] * downs, "enter")
        await until(pilot, lambda: any(e.data.get("name") == name for e in fake.entries()))


async def test_keys_of_the_log_show_it_first_where_only_the_draft_is_seen() -> None:
    async with screens(size=NARROW) as (app, fake, pilot):
        await pilot.press("t")
        await until(pilot, lambda: "log ─" in shown(app))
        before = len(fake.entries())
        for key in ("p", "h", "f"):
            await pilot.press("d")
            await until(pilot, lambda: "draft of the post-mortem" in shown(app))
            await pilot.press(key)
            await until(pilot, lambda: "log ─" in shown(app))
        await pilot.press(*"kind:note")
        await until(pilot, lambda: "kind:note" in shown(app))
        assert len(fake.entries()) == before

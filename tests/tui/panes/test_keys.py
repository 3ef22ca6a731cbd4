"""One list of keys: bindings, line at the bottom, help and palette all come from it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import msgspec
import pytest

from incident.config import FILE, Config, ConfigError, load_config, place
from tests.tui.fake import FakeInvestigation
from tests.tui.pilot import WIDE, shown, until
from text.keys import ACTION, NO_KEYS, named
from tui.app import StanchApp
from tui.help import help_lines, keys_line
from tui.keys import (
    ACTIONS,
    FIRST,
    MODES,
    KeyBinding,
    actions_for,
    bindings,
    keys_on,
    read,
    remapped,
    written,
)

SCREENS = {
    "now": ("tui.screens.now", "NowScreen"),
    "runbook": ("tui.screens.runbook", "RunbookScreen"),
    "objects": ("tui.screens.objects", "ObjectsScreen"),
    "object": ("tui.screens.detail", "ObjectScreen"),
    "logs": ("tui.screens.logs", "LogsScreen"),
    "other": ("tui.screens.other_objects", "OtherObjectsScreen"),
    "reading": ("tui.screens.reading", "Reading"),
    "timeline": ("tui.screens.timeline", "TimelineScreen"),
    "": ("tui.app", "StanchApp"),
}


def test_no_key_means_two_things_on_one_screen() -> None:
    for scope in SCREENS:
        keys = [key for action in ACTIONS if action.scope == scope for key in action.key.split(",")]
        assert len(keys) == len(set(keys)), scope


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.scope}-{action.id}")
def test_every_action_exists_and_has_help(action: KeyBinding) -> None:
    module, name = SCREENS[action.scope]
    owner = getattr(importlib.import_module(module), name)
    assert callable(getattr(owner, f"action_{action.id.split('(')[0]}"))
    assert action.help.endswith(".")
    assert any(action.help in row.text for row in help_lines(action.scope))


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("scope", list(SCREENS))
def test_the_line_of_keys_fits_and_ends_with_help(scope: str, width: int) -> None:
    row = keys_line(scope, width)
    assert row.width <= width + 3
    assert row.text.rstrip().endswith("? help")


@pytest.mark.parametrize("scope", MODES)
def test_the_line_of_keys_does_not_offer_the_screen_that_is_shown(scope: str) -> None:
    here = next(action for action in actions_for("") if action.id == f"go('{scope}')")
    assert f" {here.label}  " not in f" {keys_line(scope, 400).text}" or not here.label


def test_a_screen_without_keys_of_its_own_has_help() -> None:
    assert help_lines("capacity") == help_lines("")


def test_bindings_cover_the_scope() -> None:
    assert len(bindings("now")) == sum(1 for action in actions_for("now") if action.scope == "now")


def test_every_action_has_a_name_of_its_own() -> None:
    names = [(action.scope, action.name) for action in ACTIONS]
    assert len(names) == len(set(names))


def remap(folder: Path, text: str) -> dict[str, str]:
    """The keys by action after the settings `text`."""
    (folder / FILE).write_text(text, "utf-8")
    changed = remapped(load_config(folder).keys, partial(place, folder))
    return {f"{action.scope}.{action.name}": action.key for action in changed}


def test_keys_are_what_the_settings_say(tmp_path: Path) -> None:
    text = '[keys]\nnote = "ctrl-n"\n[keys.runbook]\nskip_step = "K"\nread = "f5"\n'
    keys = remap(tmp_path, text)
    assert (keys[".note"], keys["runbook.skip_step"], keys["runbook.read"]) == ("ctrl+n", "K", "f5")
    swapped = '[keys]\nnote = "t"\ntimeline = "n"\n'
    assert remap(tmp_path, swapped)[".note"] == "t"
    assert remapped(Config().keys, partial(place, tmp_path)) == ACTIONS


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[keys]\nnot = "ctrl-n"\n', r":2: no action 'not' anywhere; nearest: note"),
        ('theme = "light"\n\n[keys.nowhere]\nnote = "x"\n', r":4: no screen 'nowhere'; there are"),
        ('[keys]\nnote = "t"\n', r":2: the key t is that of timeline anywhere"),
        ('[keys.runbook]\nread = "s"\n', r":2: the key s is that of skip_step on the screen runb"),
        ('[keys]\n# a\nnote = "hyper-x"\n', r":3: 'hyper-x' is no key"),
        ('[keys.now]\nprobe = "j"\n', r":2: the key j moves the cursor"),
    ],
)
def test_a_wrong_key_is_an_error_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"config\.toml{problem}"):
        remap(tmp_path, text)


async def test_another_key_works_and_is_the_one_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('[keys]\nnote = "ctrl-n"\n[keys.now]\nprobe = "P"\n', "utf-8")
    actions = remapped(load_config(tmp_path).keys, partial(place, tmp_path))
    fake = FakeInvestigation()
    app = StanchApp(fake, fake.clock, {}, actions=actions)
    async with app.run_test(size=(140, 45)) as pilot:
        await until(pilot, lambda: "P probe" in shown(app))
        await pilot.press("n", "p")
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+n")
        await until(pilot, lambda: "what you see, do or think" in shown(app))


# -- keys in sentences

ROOT = Path(__file__).parents[3]
A_KEY = re.compile(
    r"(?:^|[ (;,.])(?:press [a-zA-Z0-9]\b|with [b-zB-HJ-Z]\b|(?:[b-zB-HJ-Z?/]|ctrl-[a-z]) (?:again |to )?"
    r"(?:acts?|asks?|begins?|brings?|cancels?|changes?|chooses?|copies|describes?|excludes?|exports?|"
    r"filters?|hides?|keeps?|lists?|marks?|opens?|pins?|quits?|reads?|reopens|retry|runs?|saves?|"
    r"searches|shows?|skips?|stops?|takes?|tries|undoes|why)\b)"
)
"""A key that a sentence names itself: `u undoes it`, `press e`."""


def sentences() -> Iterator[tuple[Path, str]]:
    """The texts in the code of what people see, without docstrings."""
    for folder in ("text", "tui", "incident"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            told = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and id(node) not in told:
                    yield from [(path, node.value)] if isinstance(node.value, str) else []


def test_no_sentence_names_a_key_itself() -> None:
    found = [f"{path.name}: {text}" for path, text in sentences() if A_KEY.search(text)]
    assert found == []


def test_every_action_in_a_sentence_exists() -> None:
    known = {action.binding for action in ACTIONS}
    used = {action for _, text in sentences() for action in ACTION.findall(text)}
    assert len(used) > 20
    assert used <= known


def test_a_sentence_names_the_key_that_works_on_its_screen() -> None:
    assert named("{.objects} lists all", keys_on("now")) == "3 lists all"  # o is its own there
    assert named("{.objects} lists all", keys_on("logs")) == "o lists all"
    assert named("; {.stop} stops it", keys_on("timeline")) == ""  # x exports there
    assert named("; {.stop} stops it", NO_KEYS) == ""
    assert named("Nothing is running.", NO_KEYS) == "Nothing is running."


def elsewhere() -> tuple[KeyBinding, ...]:
    """Every action with a key that it does not have by itself."""
    numbers = count(20)
    return tuple(msgspec.structs.replace(each, key=f"f{next(numbers)}") for each in ACTIONS)


async def test_screens_name_the_keys_of_the_settings() -> None:
    fake, actions = FakeInvestigation(), elsewhere()
    keys = keys_on("", actions)
    app = StanchApp(fake, fake.clock, {}, actions=actions)
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: f"(1 of 2, {keys['now.other_match']} next)" in shown(app))
        await pilot.press(keys["now.open_runbook"])
        await until(pilot, lambda: f"{keys['runbook.copy']} copies it" in shown(app))
        assert f"{keys['runbook.parameters']} changes" in shown(app)
        await pilot.press(keys[".timeline"])
        await until(pilot, lambda: f"{keys['timeline.export']} exports it" in shown(app))
        assert f"{keys['timeline.filter']} filters, {keys['timeline.hide']} hides" in shown(app)
        await pilot.press(keys[".interrupt"])
        quits = f"{keys['.leave']} quits, {keys['.stop']} stops what runs; "
        await until(pilot, lambda: any(quits in each.message for each in app._notifications))


@pytest.mark.parametrize("scope", FIRST)
def test_help_names_the_keys_of_the_settings(scope: str) -> None:
    said = "\n".join(row.text for row in help_lines(scope, elsewhere()))
    assert f"marks of a note: {keys_on(scope, elsewhere())['.note']}" in said
    assert not ACTION.search(said)


@pytest.mark.parametrize(
    ("key", "shown"),
    [("ctrl+n", "ctrl-n"), ("shift+tab", "shift-tab"), ("comma", ","), ("escape", "esc")],
)
def test_a_key_is_shown_as_it_is_written_in_the_settings(key: str, shown: str) -> None:
    assert (written(key), read(shown)) == (shown, key)

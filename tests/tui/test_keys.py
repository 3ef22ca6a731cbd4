"""One list of keys: bindings, line at the bottom, help and palette all come from it."""

from __future__ import annotations

import importlib

import pytest

from tui.help import help_lines, keys_line
from tui.keys import ACTIONS, actions_for, bindings

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
def test_every_action_exists_and_has_help(action) -> None:  # type: ignore[no-untyped-def]  # Action
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


def test_a_screen_without_keys_of_its_own_has_help() -> None:
    assert help_lines("capacity") == help_lines("")


def test_bindings_cover_the_scope() -> None:
    assert len(bindings("now")) == sum(1 for action in actions_for("now") if action.scope == "now")

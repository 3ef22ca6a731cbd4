"""Escape and a key in one read are two keys."""

from __future__ import annotations

import pytest
from textual.events import Key
from textual.message import Message

from tui.key_parser import KeyParser


def keys(given: str) -> list[str]:
    parser = KeyParser()
    read: list[Message] = [*parser.feed(given), *parser.feed("")]
    return [each.key for each in read if isinstance(each, Key)]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b ", ["escape", "space"]),
        ("\x1b\x1b\r", ["escape", "escape", "enter"]),
        ("\x1b/", ["escape", "slash"]),
        ("\x1b?", ["escape", "question_mark"]),
        ("\x1bq", ["alt+q"]),
        ("\x1b[A", ["up"]),
        ("\r", ["enter"]),
    ],
)
def test_escape_is_not_lost_before_another_key(given: str, read: list[str]) -> None:
    assert keys(given) == read

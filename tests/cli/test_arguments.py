"""The grammar of the command line."""

from __future__ import annotations

import pytest

from cli.arguments import parse, parser


@pytest.mark.parametrize(
    "given",
    [
        ("timeline", "note", "users report", "502s", "--incident", "a"),
        ("timeline", "note", "--incident", "a", "users report", "502s"),
        ("timeline", "note", "users report", "--incident", "a", "502s"),
    ],
)
def test_words_may_stand_behind_an_option(given: tuple[str, ...]) -> None:
    parsed = parse(parser(), given)
    assert (parsed.argument, parsed.incident) == (["users report", "502s"], "a")


def test_the_arguments_of_an_action_may_stand_behind_an_option() -> None:
    assert parse(parser(), ("act", "drain", "--write", "node=n1")).words == ["node=n1"]


def test_a_note_with_an_earlier_time_is_no_option() -> None:
    parsed = parse(parser(), ("timeline", "note", "--incident", "a", "-5m users report 502s"))
    assert parsed.argument == ["-5m users report 502s"]


@pytest.mark.parametrize(
    "given",
    [
        ("timeline", "note", "--incident", "a", "--colour", "text"),
        ("triage", "now"),
        ("triage", "--al"),
    ],
)
def test_what_nothing_takes_is_wrong_use(
    given: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(parser(), given)
    assert "unrecognized arguments" in capsys.readouterr().err

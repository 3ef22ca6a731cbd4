"""An offset between the clocks is said, and nowhere when there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from incident.view import View
from tests.tui.fake import FakeInvestigation
from text.connection import connection_lines
from text.status import status_lines
from text.symptoms.triage import triage_lines


@pytest.mark.parametrize(
    ("skew", "short", "said"),
    [
        (timedelta(hours=1), "server clock +60 min", "the server's clock is 60 min ahead of this"),
        (timedelta(seconds=-8), "server clock -8 s", "the server's clock is 8 s behind this"),
    ],
)
def test_an_offset_is_said(skew: timedelta, short: str, said: str) -> None:
    view = shown(skew)
    assert short in "".join(row.text for row in status_lines(view, view.as_of, 200))
    for lines in (connection_lines(view, view.as_of), triage_lines(view)):
        assert any(said in row.text for row in lines)


def test_no_offset_is_not_said() -> None:
    view = shown(timedelta())
    assert "clock" not in "".join(row.text for row in status_lines(view, view.as_of, 200))
    assert not any("clock" in row.text for row in triage_lines(view))


def shown(skew: timedelta) -> View:
    view = FakeInvestigation().view
    return replace(view, api=replace(view.api, skew=skew))


@pytest.mark.parametrize("context", range(5, 40))
def test_the_record_stays_in_the_status_line(context: int) -> None:
    """Beside what fills the room exactly, too."""
    view = shown(timedelta(hours=1))
    record = replace(view.record, incident="2026-11-21-incident")
    view = replace(view, context="c" * context, record=record)
    first = status_lines(view, view.as_of, 80)[0]
    assert "rec " in "".join(text for text, _ in (*first.spans, *first.right))
    assert first.width <= 80

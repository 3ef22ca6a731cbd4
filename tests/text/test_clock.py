"""An offset between the clocks is said, and nowhere when there is none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from incident.view import View
from tests.tui.fake import FakeInvestigation
from text.connection import connection_lines
from text.status import status_lines
from text.symptoms import triage_lines


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

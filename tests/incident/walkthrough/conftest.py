"""What every test of a walkthrough may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from incident.options import Options
from incident.record import Record
from tests.incident.walkthrough.scripted import Scripted
from tests.incident.walkthrough.test_runs import NOW
from timeline.summary import ClusterId


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    record = Record(lambda: NOW)
    record.open(Options(state=tmp_path, config=tmp_path), ClusterId("context", "server"))
    yield Scripted(record)
    record.close()

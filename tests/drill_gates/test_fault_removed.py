"""With the fault taken out of a story its runbook is no longer ranked with confidence, although
stage and decoys stay."""

from __future__ import annotations

import pytest

from drills.scenario.catalogue import load
from drills.scenario.expand import objects
from tests.drill_gates.expected import DRILLS, SILENT
from tests.drill_gates.faultless import faultless
from tests.drill_gates.ground import NOW, judge, rows


@pytest.mark.parametrize(
    "name",
    [name for name in DRILLS if name not in SILENT or name == "load-balancer-backends-flapping"],
)
def test_the_runbook_goes_with_the_fault(name: str) -> None:
    without = objects(faultless(load(name)), NOW)
    assert without != list(rows(name))
    found = judge(without)
    assert found.confident == []

"""One cell of the matrix reads the same in both faces, and mixed results are marked."""

from __future__ import annotations

import pytest

from probes.result import Cell, Destination, Expectation, Place, ResultClass, Try
from text.matrix import cell_text, matrix_lines

OK, REFUSED, TIMEOUT = ResultClass.OK, ResultClass.REFUSED, ResultClass.TIMEOUT_CONNECT
ALLOW, DENY, UNDEFINED = Expectation.ALLOW, Expectation.DENY, Expectation.UNDEFINED


def cell(expected: Expectation, *verdicts: ResultClass) -> Cell:
    target = Destination("shop", "node-2", "cart-1", "10.0.0.7", 80)
    tries = tuple(Try(verdict, 3) for verdict in verdicts)
    return Cell(Place("nginx", "node-1"), target, expected, "", tries)


@pytest.mark.parametrize(
    ("expected", "verdicts", "said"),
    [
        (ALLOW, [REFUSED] * 5, "refused 5 of 5 !"),
        (ALLOW, [OK] * 5, "ok 5 of 5"),
        (ALLOW, [OK, OK, OK, REFUSED, REFUSED], "refused 2 of 5 !"),
        (ALLOW, [OK, REFUSED, TIMEOUT], "failed 2 of 3 !"),
        (DENY, [REFUSED] * 5, "refused 5 of 5"),
        (DENY, [OK] * 5, "ok 5 of 5 !"),
        (DENY, [OK, REFUSED], "refused 1 of 2 !"),
        (UNDEFINED, [REFUSED] * 5, "refused 5 of 5"),
        (UNDEFINED, [OK, REFUSED], "refused 1 of 2 !"),
        (ALLOW, [ResultClass.TOOL_MISSING], "no tool"),
        (ALLOW, [], "not measured"),
    ],
)
def test_a_cell_says_what_failed_how_often_and_whether_that_differs(
    expected: Expectation, verdicts: list[ResultClass], said: str
) -> None:
    assert cell_text(cell(expected, *verdicts))[0] == said


def test_a_narrow_screen_lists_the_same_cells() -> None:
    cells = [cell(ALLOW, REFUSED, OK)]
    for width in (20, 120):
        text = "\n".join(row.text for row in matrix_lines(cells, width))
        assert "refused 1 of 2 !" in text
        assert "! differs from what the network policies say" in text

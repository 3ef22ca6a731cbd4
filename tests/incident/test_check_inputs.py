"""What a check is given, apart from the cluster."""

from __future__ import annotations

import pytest

from incident.walkthrough.check_inputs import readyz_checks

LINES = "[+]ping ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n"


@pytest.mark.parametrize("text", [LINES, LINES.replace("\n", " "), f"HTTP 500 of /readyz: {LINES}"])
def test_the_checks_of_a_failing_readyz_are_read_also_from_one_line(text: str) -> None:
    found = {check["name"]: check["ok"] for check in readyz_checks(text)}
    assert found == {"ping": True, "informer-sync": False}
    failing = next(check for check in readyz_checks(text) if not check["ok"])
    assert failing["reason"].startswith("failed: reason withheld")


def test_an_answer_without_checks_has_none() -> None:
    assert readyz_checks("no answer from 10.0.0.1:6443 within 3 s") == []

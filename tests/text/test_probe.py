"""What a probe left in the cluster reads the same in both faces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cluster.kube.objects import Ref
from incident.walkthrough.probe_runner import summary
from probes.result import Component, Conclusion, ProbeResult, not_measured
from text.lines import plain_text
from text.probe import result_lines

START = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
POD, EPHEMERAL = Ref("Pod", "shop", "stanch-probe-1"), Ref("EphemeralContainer", "shop", "cart-1")


def test_a_conclusion_that_blames_nothing_names_no_part() -> None:
    fine = Conclusion("Names resolve", Component("none", ""), 0.7, "")
    result = ProbeResult("dns", {}, START, START, conclusions=(fine,))
    assert plain_text(result_lines(result, 100)[0]) == " Names resolve  0.70"


def test_what_was_not_measured_has_no_confidence() -> None:
    nothing = not_measured("the connection ended before the exit status")
    result = ProbeResult("dns", {}, START, START, conclusions=(nothing,))
    claim = plain_text(result_lines(result, 100)[0])
    assert claim.strip() == nothing.claim
    assert summary(result) == f"probe dns: {nothing.claim}"


def said(*left: Ref) -> str:
    created = (POD, EPHEMERAL)
    end = START + timedelta(seconds=12)
    result = ProbeResult("connectivity", {}, START, end, created=created, left_behind=left)
    return "\n".join(map(plain_text, result_lines(result, 100)))


def test_an_ephemeral_container_stays_and_was_not_left_behind() -> None:
    text = said(EPHEMERAL)
    assert "stays    EphemeralContainer shop/cart-1; it cannot be removed" in text
    assert "1 object created and removed again" in text
    assert "LEFT BEHIND" not in text


def test_what_can_be_removed_was_left_behind() -> None:
    text = said(POD)
    assert "LEFT BEHIND  Pod shop/stanch-probe-1; remove with `stanch probe sweep`" in text
    assert "stays" not in text

"""One kind of signal less: the rank may fall, nothing crashes, and nothing becomes certain that was
not."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.drill_gates.expected import DRILLS, TOLD
from tests.drill_gates.ground import Change, Raw, Seen, calm, judge, rows, seen

FIRST_ENOUGH = 0.75
"""Share of drills whose runbook comes first whatever single signal is missing; measured 0.8 and
more for each."""


def _without(kind: str) -> Change:
    return lambda raw: None if raw["kind"] == kind else raw


def _bare_metadata(field: str) -> Change:
    return lambda raw: {
        **raw,
        "metadata": {key: value for key, value in raw["metadata"].items() if key != field},
    }


def _no_condition_messages(raw: Raw) -> Raw:
    if not raw.get("status", {}).get("conditions"):
        return raw
    conditions = [
        {key: value for key, value in one.items() if key != "message"}
        for one in raw["status"]["conditions"]
    ]
    return {**raw, "status": {**raw["status"], "conditions": conditions}}


def _no_last_state(raw: Raw) -> Raw:
    if raw["kind"] != "Pod":
        return raw
    status: dict[str, Any] = dict(raw["status"])
    for field in ("containerStatuses", "initContainerStatuses"):
        if field in status:
            status[field] = [
                {key: value for key, value in one.items() if key != "lastState"}
                for one in status[field]
            ]
    return {**raw, "status": status}


SIGNALS: dict[str, Change] = {
    "events": _without("Event"),
    "leases": _without("Lease"),
    "endpoint slices": _without("EndpointSlice"),
    "managedFields": _bare_metadata("managedFields"),
    "labels": _bare_metadata("labels"),
    "condition messages": _no_condition_messages,
    "lastState": _no_last_state,
}


@cache
def mutated(name: str, signal: str) -> Seen:
    return judge(rows(name), SIGNALS[signal])


def allowed(name: str) -> set[str]:
    """What may be certain: what is when nothing is missing, or else what the rest of the evidence
    fits as well."""
    return {
        *seen(name).confident,
        *([TOLD[name].fallback] if name in TOLD and TOLD[name].fallback else []),
    }


UNREADABLE = ("Event", "Lease", "EndpointSlice", "Secret", "Node", "ReplicaSet")


@pytest.mark.parametrize("name", DRILLS)
@pytest.mark.parametrize("signal", SIGNALS)
def test_one_signal_less_invents_nothing(signal: str, name: str) -> None:
    found = mutated(name, signal)
    assert set(found.confident) <= allowed(name), found.ranked[:4]


@pytest.mark.parametrize("name", DRILLS)
@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_kind_that_may_not_be_read_invents_nothing(kind: str, name: str) -> None:
    found = judge(rows(name), forbidden=(kind,))
    assert [gap.what for gap in found.report.unavailable] == [kind]
    assert set(found.confident) <= allowed(name), found.ranked[:4]


@pytest.mark.parametrize("signal", SIGNALS)
def test_most_stories_are_told_by_more_than_one_signal(signal: str) -> None:
    first = [name for name in TOLD if mutated(name, signal).first_three[:1] == [name]]
    assert len(first) >= FIRST_ENOUGH * len(TOLD), sorted(set(TOLD) - set(first))


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_healthy_cluster_stays_healthy(signal: str) -> None:
    found = judge(calm(), SIGNALS[signal])
    assert found.confident == []
    if signal != "labels":  # without its labels no Service selects a pod, and that is said
        assert [view.symptom.title for view in found.warnings] == []

"""A second batch of clusters, made apart from the first one, the drills and the detectors: other
distributions, sizes and variants.

Each was looked at for the first time as a test of the product, so the figures of that day are an
honest measure: 22 of 24 came first, 21 with confidence, 3 with a wrong runbook beside it; 3 of 12
healthy ones were not quiet.
"""

from __future__ import annotations

import copy
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.triage.elsewhere.judge import MATCHER, answer
from tests.triage.elsewhere.second import on_control, on_data, on_networks, on_nodes, well
from tests.triage.elsewhere.second.objects import Obj
from tests.triage.elsewhere.second.registry import CASES, Case

NOW = datetime(2026, 6, 3, 9, 41, tzinfo=UTC)
assert all(module.__doc__ for module in (on_control, on_data, on_networks, on_nodes, well)), (
    "importing them registers their cases"
)


def named(case: Case) -> str:
    return f"{case.expected or 'healthy'}-{case.name}"


SHOWN = [case for case in CASES if case.expected and not case.silent]
SILENT = [case for case in CASES if case.silent]
HEALTHY = [case for case in CASES if case.expected is None]


def test_every_situation_of_the_catalogue_is_there() -> None:
    assert {case.expected for case in CASES} == {
        None,
        *(runbook.id for runbook in MATCHER.library.runbooks if not runbook.guide),
    }


@pytest.mark.parametrize("case", SHOWN, ids=named)
def test_its_runbook_comes_first_and_no_other_is_confident(case: Case) -> None:
    objects = case.build(NOW, True)
    kinds = Counter(
        (o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects
    )
    assert kinds.most_common(1)[0][1] == 1, "an object is there twice"
    found = answer(objects, NOW)
    stories = [match.id for match, _ in found.ranked if not match.guide]
    assert (stories if case.ranked_only else found.ids)[:1] == [case.expected]
    assert found.confident == ([] if case.ranked_only else [case.expected])


@pytest.mark.parametrize("case", [c for c in CASES if c.twin], ids=named)
def test_without_its_fault_nothing_is_claimed(case: Case) -> None:
    found = answer(case.build(NOW, False), NOW)
    assert found.confident == []


@pytest.mark.parametrize("case", SILENT, ids=named)
def test_what_leaves_no_trace_is_not_claimed(case: Case) -> None:
    assert answer(case.build(NOW, True), NOW).confident == []


@pytest.mark.parametrize("case", HEALTHY, ids=named)
def test_a_healthy_cluster_is_quiet(case: Case) -> None:
    found = answer(case.build(NOW, True), NOW)
    assert (found.loud(), found.confident) == ([], [])


def test_a_copy_without_replica_sets_has_lost_nothing() -> None:
    """Only the pods name them: with their Deployments there, a controller would have created them
    again."""
    objects = [
        o for o in well.loaded_without_system_workloads(NOW, True) if o["kind"] != "ReplicaSet"
    ]
    assert answer(objects, NOW).confident == []


def test_what_the_server_makes_by_itself_is_no_change() -> None:
    found = answer(well.server_started_minutes_ago(NOW, True), NOW)
    started = NOW - timedelta(minutes=5)
    assert [str(change.object) for change in found.report.changes if change.at >= started] == [
        "ConfigMap kube-system/coredns"
    ]


def test_a_node_that_was_asked_for_and_does_not_come_is_a_warning() -> None:
    late = NOW + timedelta(minutes=12)
    objects: list[Obj] = copy.deepcopy(well.autoscaler_adds_nodes(NOW, True))
    assert any(" pending: " in text for text in answer(objects, late).loud())

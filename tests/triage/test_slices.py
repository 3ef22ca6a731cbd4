"""Triage works in slices that are bounded by count, so that no key waits for a flood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from cluster.kube.objects import Pod, Ref
from cluster.live.store import Key, Store, StoreUpdate
from tests.triage.build import NOW, Cluster, meta, row
from tests.triage.situation import LIVE
from triage.cohorts.healthy import COUNTED, HealthyCounts
from triage.engine import GATHERED, Triage
from triage.facts.finding_index import FindingIndex
from triage.facts.population import attributes
from triage.symptoms import grouping
from triage.symptoms.grouping import FOUND
from triage.symptoms.history import FOLLOWED, SymptomHistory

MANY = 3 * GATHERED


def test_a_step_marks_and_evaluates_a_bounded_number_of_objects(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, engine, evaluated = Store(), Triage(lambda: NOW), list[Ref]()
    rows = [row("Deployment", {"metadata": meta(f"d{n}", "shop")}) for n in range(MANY)]
    engine.update(store.apply("Deployment", rows), store)
    evaluate = engine._evaluate

    def counted(ref: Ref, view: Any) -> None:
        evaluated.append(ref)
        evaluate(ref, view)

    monkeypatch.setattr(engine, "_evaluate", counted)
    done = 0
    for _ in engine.settle(NOW, store, LIVE):
        assert len(evaluated) - done <= 8
        done = len(evaluated)
    assert evaluated[:MANY] == sorted(evaluated[:MANY])
    assert {ref.name for ref in evaluated} == {f"d{n}" for n in range(MANY)}


def test_marking_all_objects_again_takes_steps() -> None:
    store, engine = Store(), Triage(lambda: NOW)
    rows = [row("Deployment", {"metadata": meta(f"d{n}", "shop")}) for n in range(MANY)]
    store.apply("Deployment", rows)
    marked = 0
    for _ in engine.settle(NOW, store, LIVE):
        assert len(engine._dirty) - marked <= GATHERED
        marked = len(engine._dirty)


def test_a_report_of_many_findings_takes_a_bounded_number_in_each_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, engine, taken = Store(), Triage(lambda: NOW), Counter[str]()
    rows = [row("Pod", {"metadata": meta(f"p{n}", "shop")}) for n in range(3 * FOUND)]
    engine.update(store.apply("Pod", rows), store)
    for owner, name in (
        (FindingIndex, "add"),
        (grouping, "keys"),
        (grouping, "_symptom"),
        (SymptomHistory, "_follow"),
    ):
        real = getattr(owner, name)

        def counted(*given: Any, name: str = name, real: Any = real) -> Any:
            taken[name] += 1
            return real(*given)

        monkeypatch.setattr(owner, name, counted)
    whole = Counter[str]()
    for _ in engine.reporting(NOW, store, LIVE):
        assert taken["add"] <= FOUND
        assert taken["keys"] <= FOUND
        assert taken["_symptom"] <= 1
        assert taken["_follow"] <= FOLLOWED
        whole += taken
        taken.clear()
    assert len(whole) == 4
    assert min(whole.values()) >= len(rows)


def test_what_many_failing_pods_share_is_counted_once_and_in_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, taken = Cluster(9), Counter[str]()
    failing = [
        pod
        for number in range(6)
        for pod in cluster.deployment(f"web{number}", replicas=COUNTED)["pods"]
    ]
    for pod in failing:
        cluster.waiting(pod, "CrashLoopBackOff", restarts=5)
    store, engine = cluster.store(), Triage(lambda: NOW)
    for kind in ("Node", "Deployment", "ReplicaSet", "Pod"):
        rows = store.rows(kind).items()
        engine.update([StoreUpdate(kind, key, None, each) for key, each in rows], store)
    left_out = HealthyCounts.leave_out

    def look(pod: Pod) -> Iterator[tuple[str, str]]:
        taken["looked"] += 1
        return attributes(pod)

    def leave_out(healthy: HealthyCounts, pod: Pod, of_node: Mapping[str, str]) -> None:
        taken["left out"] += 1
        left_out(healthy, pod, of_node)

    monkeypatch.setattr("triage.cohorts.cohort.attributes", look)
    monkeypatch.setattr(HealthyCounts, "leave_out", leave_out)
    whole = Counter[str]()
    for _ in engine.reporting(NOW, store, LIVE):
        assert max(taken.values(), default=0) <= 2 * COUNTED
        whole += taken
        taken.clear()
    assert whole["left out"] == len(failing)
    assert whole["looked"] >= len(failing)


def test_many_new_services_read_the_ingresses_of_their_namespace_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, engine, reads = Store(), Triage(lambda: NOW), list[str]()
    ingresses = [row("Ingress", {"metadata": meta(f"i{n}", "shop")}) for n in range(20)]
    engine.update(store.apply("Ingress", ingresses), store)
    engine.report(NOW, store, LIVE)
    within = store.in_namespace

    def counted(kind: str, namespace: str) -> Mapping[Key, Any]:
        reads.append(kind)
        return within(kind, namespace)

    monkeypatch.setattr(store, "in_namespace", counted)
    services = [row("Service", {"metadata": meta(f"s{n}", "shop")}) for n in range(50)]
    engine.update(store.apply("Service", services), store)
    assert reads == []
    next(engine.settle(NOW, store, LIVE))
    assert reads == ["Ingress"]
    assert {ref for ref in engine._dirty if ref.kind == "Ingress"} == {
        Ref("Ingress", "shop", f"i{n}") for n in range(20)
    }

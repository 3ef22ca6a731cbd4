"""Triage works in slices that are bounded by count, so that no key waits for a flood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from cluster.kube.objects import Ref
from cluster.live.store import Key, Store
from tests.triage.build import NOW, meta, row
from tests.triage.situation import LIVE
from triage.engine import GATHERED, Triage
from triage.facts.finding_index import FindingIndex
from triage.symptoms import grouping
from triage.symptoms.grouping import FOUND
from triage.symptoms.history import SymptomHistory

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
        (grouping, "_place"),
        (SymptomHistory, "_followed"),
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
        assert taken["_place"] <= 1
        assert taken["_followed"] <= 1
        whole += taken
        taken.clear()
    assert len(whole) == 4
    assert min(whole.values()) >= len(rows)


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

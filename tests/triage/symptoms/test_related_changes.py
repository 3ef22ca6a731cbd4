"""The changes of a symptom: those near in time of each rule and manager, not all of a namespace."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from cluster.kube.objects import Ref
from tests.triage.build import NOW, Cluster
from triage.changes import change_log
from triage.facts.cluster_view import ClusterView
from triage.facts.events import EventMemory
from triage.facts.finding import ChangeFact, Finding, Severity, SinceSource
from triage.symptoms import related_changes
from triage.symptoms.related_changes import RelatedChanges

RULES = ("workload-created", "service-edited", "scaled", "rollout", "webhook-edited", "cordoned")


def change(number: int, rule: str, namespace: str, minutes: float, manager: str) -> ChangeFact:
    kind = "Node" if rule == "cordoned" else "Deployment"
    space = "" if kind == "Node" else namespace
    at = NOW - timedelta(minutes=minutes)
    return ChangeFact(at, f"change {number}", Ref(kind, space, f"o{number}"), rule, manager)


def view_of(cluster: Cluster) -> ClusterView:
    return ClusterView(cluster.store(), EventMemory(), NOW, {}, None)


def finding(ref: Ref, since: datetime | None, severity: Severity = Severity.WARNING) -> Finding:
    id_ = f"pod-crash-looping:{ref}"
    return Finding(
        id_,
        "pod-crash-looping",
        ref,
        "it fails",
        severity,
        "",
        since,
        SinceSource.CONDITION,
    )


def test_the_near_ones_of_each_rule_and_manager_are_those_that_all_would_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random, view, told = Random(7), view_of(Cluster()), 0
    for _ in range(150):
        changes = tuple(
            change(
                number,
                random.choice(RULES),
                random.choice(["shop", "pay", "blog"]),
                random.uniform(-20, 2_000),
                random.choice(["helm", "kubectl"]),
            )
            for number in range(random.choice([3, 30, 120]))
        )
        objects = tuple(
            random.sample([*(c.object for c in changes), Ref("Deployment", "shop", "other")], 2)
        )
        since = NOW - timedelta(minutes=random.uniform(0, 600))
        findings = [finding(ref, since) for ref in objects]
        near = RelatedChanges(changes, view).of(findings, objects, since)
        with monkeypatch.context() as patch:
            numbers = range(len(changes))
            patch.setattr(related_changes, "_near", lambda *_, all_of=numbers: all_of)
            everything = RelatedChanges(changes, view).of(findings, objects, since)
        # Changes within half a minute of the beginning are equally near: they are told alike.
        assert [c.object for c in near] == [c.object for c in everything]
        told += len(near)
    assert told > 300


@pytest.mark.parametrize("namespaces", [1, 3])
def test_thousands_of_changes_in_a_namespace_are_not_ranked_for_each_symptom(
    namespaces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranked = list[int]()

    def counted(facts: Iterable[ChangeFact], *rest: Any) -> tuple[ChangeFact, ...]:
        facts = list(facts)
        ranked.append(len(facts))
        return change_log.rank(facts, *rest)

    monkeypatch.setattr(related_changes, "rank", counted)
    changes = tuple(change(n, "workload-created", "shop", n / 10, "helm") for n in range(3_000))
    related = RelatedChanges(changes, view_of(Cluster()))
    objects = tuple(Ref("Deployment", f"shop{n or ''}", "web") for n in range(namespaces))
    for since in (NOW - timedelta(minutes=60), None):
        assert related.of([finding(ref, since) for ref in objects], objects, since)
    assert max(ranked) <= 2 * change_log.ALIKE


def test_a_beginning_that_is_not_known_has_no_changes_of_other_objects_days_ago() -> None:
    old = change(1, "rollout", "shop", 9 * 24 * 60, "argocd")
    own = change(2, "rollout", "shop", 9 * 24 * 60, "argocd")
    lately = change(3, "rollout", "shop", 90, "argocd")
    related = RelatedChanges((old, own, lately), view_of(Cluster()))
    told = related.of([finding(own.object, None)], (own.object,), None)
    assert {each.what for each in told} == {own.what, lately.what}


def test_secrets_that_were_written_together_are_no_cause_of_a_note_about_another_thing() -> None:
    written = change(1, "secrets-written-together", "shop", 20, "controller")
    related = RelatedChanges((written,), view_of(Cluster()))
    node, since = Ref("Node", "", "n1"), NOW - timedelta(minutes=10)
    assert related.of([finding(node, since)], (node,), since) == (written,)
    assert not related.of([finding(node, since, Severity.INFO)], (node,), since)

"""Each member of each family of everyday faults is on the first line with the words that decide."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from runbooks.model import Weight
from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.members.certificates import certified
from tests.triage.members.member import Member, lines, seen
from tests.triage.members.routes import gatewayed
from tests.triage.members.services import balanced, calls
from tests.triage.members.table import MEMBERS, named
from tests.triage.situation import MATCHER, look, loud, service
from triage.facts.rules import catalogue


@pytest.mark.parametrize("one", MEMBERS, ids=lambda one: f"{one.family}: {one.name}")
def test_a_fault_is_named_to_its_mechanism(one: Member) -> None:
    line, guide = lines(one)
    assert [word for word in one.says if word not in line] == [], line
    if one.guide:
        assert guide == one.guide, line


def test_the_same_objects_without_a_fault_are_quiet() -> None:
    """Names that exist, names of the world outside, a DaemonSet on each node, an API that answers,
    and an Ingress without a class that a controller serves."""
    cluster = Cluster(3)
    gatewayed(cluster)
    certified(cluster)
    calls(
        cluster,
        REDIS_ADDR="redis:6379",
        REDIS_HOST="redis",
        REDIS_PORT="6379",
        DB="postgres://a:b@data.storage:5432/x",
        SEARCH_URL="https://search.example.com:9200",
        CART_HOST="localhost",
    )
    cluster.deployment("agent", "shop", kind="DaemonSet")
    cluster.add("IngressClass", {"metadata": meta("nginx")})
    served = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    cluster.add("Ingress", {"metadata": meta("old", "shop"), "spec": {}, "status": served})
    available = {"type": "Available", "status": "True", "lastTransitionTime": ts(None)}
    cluster.add(
        "APIService",
        {
            "metadata": meta("v1beta1.metrics.k8s.io"),
            "spec": {"group": "metrics.k8s.io", "service": {"namespace": "x", "name": "y"}},
            "status": {"conditions": [available]},
        },
    )
    assert loud(look(cluster)) == set()


def test_a_name_that_may_be_a_default_is_a_note() -> None:
    cluster = Cluster(3)
    calls(cluster, OTLP_ENDPOINT="http://collector:4317", STATSD_HOST="statsd")
    report = look(cluster)
    assert [f.rule for f in report.findings] == ["service-reference-wrong"] * 2
    assert loud(report) == set()


@pytest.mark.parametrize(
    ("name", "sure"), [("scaled to zero", False), ("endpoints not ready", True)]
)
def test_a_service_without_pods_is_not_said_to_have_some(name: str, sure: bool) -> None:
    cluster = Cluster(3)
    named("services", name).build(cluster)
    report = look(cluster)
    matches = [m for s in report.symptoms for m in MATCHER.match_symptom(s, report)]
    assert ("service-endpoints-not-ready" in {m.id for m in matches if m.score >= 0.5}) is sure


def test_a_balancer_that_never_had_an_address_is_a_note_after_a_day() -> None:
    """Nothing that worked has stopped: test clusters keep such Services for months."""
    cluster = Cluster(3)
    balanced(cluster, age=26 * 60)
    report = look(cluster)
    assert [f.rule for f in report.findings] == ["load-balancer-pending"]
    assert loud(report) == set()


_QUOTED = {"other"}
"""Causes of which only the API server's own words tell what to do."""


def test_each_cause_of_a_refusal_has_a_page() -> None:
    text = catalogue.FINDINGS["create-failed"].facts["cause"]
    causes = set(text.removeprefix("str: ").replace(" or ", ", ").split(", ")) - _QUOTED
    named = {
        cause
        for runbook in MATCHER.library.runbooks
        for condition in runbook.conditions(Weight.STRONG)
        for part in condition.parts()
        if part.rule == "create-failed"
        for cause in _values(part.where["cause"])
    }
    assert causes - {"etcd"} == named, "etcd's errors are a finding of their own"


def _values(wanted: object) -> list[str]:
    return [str(one) for one in wanted] if isinstance(wanted, list | tuple) else [str(wanted)]


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def young(raw: Any) -> Any:
    """The same object with all of the last four hours in its last 40 s."""

    def cut(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[0])
        return str(ts(ago(seconds=40))) if ago(hours=4) < at < ago(seconds=40) else found[0]

    if isinstance(raw, dict):
        return {name: young(value) for name, value in raw.items()}
    if isinstance(raw, list):
        return [young(value) for value in raw]
    return _TIME.sub(cut, raw) if isinstance(raw, str) else raw


@pytest.mark.parametrize("one", MEMBERS, ids=lambda one: f"{one.family}: {one.name}")
def test_what_is_young_makes_no_page_sure(one: Member) -> None:
    cluster = Cluster(3)
    one.build(cluster)
    for _, raw in cluster.raw:
        raw.update(young({key: value for key, value in raw.items() if key not in ("pods", "set")}))
    report = look(cluster)
    for symptom in report.symptoms:
        if all(finding.young for finding in symptom.findings):
            matches = MATCHER.match_symptom(symptom, report)
            assert [match.id for match in matches if match.confident] == [], symptom.title


@pytest.mark.parametrize("one", MEMBERS, ids=lambda one: f"{one.family}: {one.name}")
def test_one_cause_makes_at_most_two_pages_sure(one: Member) -> None:
    """Two where a fault has a page and its first trace another: a readiness probe and its port."""
    for symptom, matches in seen(one):
        sure = [match.id for match in matches if match.confident]
        assert len(sure) <= 2, (symptom.title, sure)


def test_a_missing_class_makes_one_page_sure_whatever_waits_for_it() -> None:
    cluster = Cluster(3)
    named("volumes", "class missing").build(cluster)
    work = cluster.deployment("db", "shop", replicas=0, kind="StatefulSet")
    work["spec"]["replicas"] = 1
    for kind, raw in cluster.raw:
        if kind == "Pod" and raw["metadata"]["name"] == "db-0":
            raw["metadata"].update(
                labels={"app": "db"},
                ownerReferences=meta("x", owner=("StatefulSet", work))["ownerReferences"],
            )
            raw["status"]["podIP"] = "10.1.0.9"
    service(cluster, "db", "shop", {"app": "db"}, ready=False)
    symptom, *rest = look(cluster).symptoms
    assert "StorageClass fast does not exist" in symptom.title
    assert {"claim-pending", "service-no-endpoints"} <= {f.rule for f in symptom.findings}
    assert rest == []
    matches = MATCHER.match_symptom(symptom, look(cluster))
    assert [m.id for m in matches if m.confident] == ["claim-pending"]

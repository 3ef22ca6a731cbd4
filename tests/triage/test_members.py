"""Each member of each family of everyday faults is on the first line with the words that decide."""

from __future__ import annotations

import pytest

from tests.triage.build import Cluster, meta, ts
from tests.triage.members import MEMBERS, Member, calls, gatewayed, lines
from tests.triage.situation import MATCHER, look, loud


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
    next(m for m in MEMBERS if (m.family, m.name) == ("services", name)).build(cluster)
    report = look(cluster)
    pages = {m.id for s in report.symptoms for m in MATCHER.match_symptom(s, report) if m.confident}
    assert ("service-endpoints-not-ready" in pages) is sure

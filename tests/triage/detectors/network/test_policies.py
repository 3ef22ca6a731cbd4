"""Services that NetworkPolicies cut off, and the same ones when something is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.detectors.pods.test_last_words import crashing, words
from tests.triage.situation import MATCHER, background, found, look, old_crash_loop, service

HERE = {"podSelector": {"matchLabels": {"app": "web"}}}
ORDERS = {"podSelector": {"matchLabels": {"app": "orders"}}}
DNS = {"ports": [{"protocol": "UDP", "port": 53}]}
NOBODY = {"podSelector": {"matchLabels": {"app": "gone"}}}


def policy(
    cluster: Cluster, name: str = "deny", minutes: float = 5, app: str = "api", **spec: Any
) -> None:
    cluster.add(
        "NetworkPolicy",
        {
            "metadata": meta(name, "shop", created=ago(minutes=minutes)),
            "spec": {"podSelector": {"matchLabels": {"app": app}} if app else {}, **spec},
        },
    )


def shop() -> Cluster:
    cluster = background()
    service(cluster, "api", "shop", {"app": "api"})
    return cluster


@pytest.mark.parametrize(
    ("spec", "way"),
    [
        ({"policyTypes": ["Ingress"]}, "in to its pods"),
        ({"policyTypes": ["Egress"]}, "out of its pods"),
        ({"policyTypes": ["Ingress", "Egress"]}, "in to or out of its pods"),
        ({"policyTypes": ["Ingress"], "ingress": [{"from": [NOBODY]}]}, "in to its pods"),
    ],
)
def test_a_service_that_a_new_policy_cuts_off_stands_above_what_is_old(
    spec: dict[str, Any], way: str
) -> None:
    cluster = shop()
    old_crash_loop(cluster, "experiment", 6)
    policy(cluster, **spec)
    report = look(cluster)
    title = report.symptoms[0].title
    assert title == f"Service api is cut off by NetworkPolicy deny: no policy lets anything {way}"
    pages = MATCHER.match_symptom(report.symptoms[0], report)
    assert [m.id for m in pages if m.confident] == ["network-policy-blocks"]


@pytest.mark.parametrize(
    "spec",
    [
        {"policyTypes": ["Ingress"], "ingress": [{}]},
        {"policyTypes": ["Ingress"], "ingress": [{"from": [HERE]}]},
        {"policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
        {"policyTypes": ["Egress"], "egress": [{}]},
        {"policyTypes": ["Ingress"], "app": "other"},
        {"policyTypes": ["Ingress"], "minutes": 60 * 30},
    ],
)
def test_a_service_that_something_may_reach_is_not_cut_off(spec: dict[str, Any]) -> None:
    cluster = shop()
    policy(cluster, **spec)
    assert not found(cluster, "service-isolated")


def test_a_policy_that_denies_all_is_answered_by_one_that_allows() -> None:
    cluster = shop()
    policy(cluster, app="", policyTypes=["Ingress"])
    policy(cluster, "allow", policyTypes=["Ingress"], ingress=[{"from": [HERE]}])
    assert not found(cluster, "service-isolated")


def test_where_another_api_may_allow_it_no_page_is_sure() -> None:
    cluster = shop()
    policy(cluster, policyTypes=["Ingress"])
    cluster.add("CustomResourceDefinition", {"metadata": meta("ciliumnetworkpolicies.cilium.io")})
    report = look(cluster)
    assert "policies of another API may" in report.symptoms[0].title
    assert not [m for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident]


def test_a_policy_that_has_stood_for_hours_is_a_note_without_a_sure_page() -> None:
    cluster = shop()
    policy(cluster, minutes=60 * 5, policyTypes=["Ingress"])
    report = look(cluster)
    (symptom,) = [s for s in report.symptoms if s.mechanism == "service-isolated"]
    assert not [m for m in MATCHER.match_symptom(symptom, report) if m.confident]


def test_what_was_made_after_its_policy_is_a_note_without_a_sure_page() -> None:
    """A namespace was deployed anew under a policy of an hour ago."""
    cluster = background()
    raw = service(cluster, "api", "shop", {"app": "api"})
    raw["metadata"]["creationTimestamp"] = ts(ago(minutes=6))
    policy(cluster, minutes=60, policyTypes=["Ingress"])
    report = look(cluster)
    (symptom,) = [s for s in report.symptoms if s.mechanism == "service-isolated"]
    assert not [m for m in MATCHER.match_symptom(symptom, report) if m.confident]


def _called(line: str, app: str, **spec: Any) -> set[str]:
    """Pages that are sure of a crash of `orders` with that log, with a policy on `app`."""
    cluster = shop()
    policy(cluster, minutes=300, app=app, **spec)
    report = look(cluster, [words(crashing(cluster, "orders"), line)])
    assert "orders" in report.symptoms[0].title
    return {m.id for m in MATCHER.match_symptom(report.symptoms[0], report) if m.confident}


_TO_API = "dial tcp api:80: i/o timeout"
_NO_NAME = "java.net.UnknownHostException: api"


@pytest.mark.parametrize(
    ("line", "app", "spec", "sure"),
    [
        (_TO_API, "api", {"policyTypes": ["Ingress"]}, True),
        (_TO_API, "api", {"policyTypes": ["Ingress"], "ingress": [{"from": [HERE]}]}, True),
        (_TO_API, "orders", {"policyTypes": ["Egress"]}, True),
        (_NO_NAME, "orders", {"policyTypes": ["Egress"]}, True),
        # the twins: a policy of others, one that allows it, one for the other direction
        (_TO_API, "stock", {"policyTypes": ["Ingress"]}, False),
        (_TO_API, "api", {"policyTypes": ["Ingress"], "ingress": [{"from": [ORDERS]}]}, False),
        (_TO_API, "api", {"policyTypes": ["Ingress"], "ingress": [{"ports": []}]}, False),
        (_TO_API, "orders", {"policyTypes": ["Egress"], "egress": [{}]}, False),
        (_NO_NAME, "orders", {"policyTypes": ["Egress"], "egress": [DNS]}, False),
        (_NO_NAME, "api", {"policyTypes": ["Ingress"]}, False),
    ],
)
def test_a_policy_is_evidence_only_where_it_blocks_what_fails(
    line: str, app: str, spec: dict[str, Any], sure: bool
) -> None:
    assert ("network-policy-blocks" in _called(line, app, **spec)) is sure


def test_a_policy_of_others_lists_no_page_beside_a_cordoned_node() -> None:
    cluster = shop()
    cluster.nodes[1]["spec"]["unschedulable"] = True
    policy(cluster, minutes=60, app="api", policyTypes=["Ingress"])
    look_up = words(crashing(cluster, "orders"), _TO_API)
    report = look(cluster, [look_up])
    (symptom,) = [s for s in report.symptoms if s.mechanism == "node-cordoned"]
    pages = [m.id for m in MATCHER.match_symptom(symptom, report)]
    assert "network-policy-blocks" not in pages


@pytest.mark.parametrize(
    ("spec", "served", "told"),
    [
        ({"policyTypes": ["Egress"]}, False, True),
        ({"policyTypes": ["Egress"]}, True, False),  # its Service says so
        ({"policyTypes": ["Ingress"]}, False, False),  # nothing calls it
        ({"policyTypes": ["Egress"], "egress": [{}]}, False, False),
        ({"policyTypes": ["Egress"], "minutes": 60 * 30}, False, False),
    ],
)
def test_a_workload_without_a_service_that_may_reach_nothing(
    spec: dict[str, Any], served: bool, told: bool
) -> None:
    cluster = background()
    if served:
        service(cluster, "worker", "shop", {"app": "worker"})
    policy(cluster, app="worker", **spec)
    cut = [f for f in found(cluster, "service-isolated") if f.object.kind == "Deployment"]
    assert [f.claim for f in cut] == [
        "is cut off by NetworkPolicy deny: no policy lets anything out of its pods"
    ] * told

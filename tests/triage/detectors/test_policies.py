"""Services that NetworkPolicies cut off, and the same ones when something is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, meta
from tests.triage.situation import MATCHER, background, found, look, old_crash_loop, service

HERE = {"podSelector": {"matchLabels": {"app": "web"}}}
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

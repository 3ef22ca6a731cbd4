"""Names of Services that exist and are not found: the cluster's DNS, not the Services."""

from __future__ import annotations

import pytest

from tests.triage.build import Cluster, ago
from tests.triage.detectors.pods.test_last_words import crashing, words
from tests.triage.situation import background, look, service
from triage.facts.finding import Report, Severity

SAID = "dial tcp: lookup {} on 10.2.0.10:53: no such host"


def looked_up(cluster: Cluster, **asked: str) -> Report:
    """A report in which each workload does not find a name."""
    said = [words(crashing(cluster, who), SAID.format(name)) for who, name in asked.items()]
    return look(cluster, said)


def shop() -> Cluster:
    cluster = background()
    for name in ("web", "api"):
        service(cluster, name, "shop", {"app": name})
    return cluster


def titles(report: Report) -> list[str]:
    return [s.title for s in report.symptoms if s.severity is not Severity.INFO]


def test_several_names_that_exist_are_told_as_one_suspicion_of_dns() -> None:
    report = looked_up(shop(), orders="web.shop.svc.cluster.local", mails="api")
    assert titles(report) == [
        "mails and orders cannot resolve api and web, which exist: the cluster's DNS is suspected"
    ]
    assert {f.rule for f in report.findings}.isdisjoint({"dependency-failing"})
    report = looked_up(shop(), orders="web", mails="api", feeds="web")
    assert titles(report)[0].startswith("feeds, mails and 1 more cannot resolve api and web")
    assert report.symptoms[0].severity is Severity.CRITICAL


def test_dns_that_is_ill_is_the_cause_and_stands_first() -> None:
    cluster = shop()
    dns = cluster.deployment("names", "kube-system", replicas=2, image="mirror/coredns:1.11")
    service(cluster, "resolver", "kube-system", {"app": "names"}, port=53)
    for pod in dns["pods"]:
        cluster.ended(pod, ago(minutes=4), reason="OOMKilled", restarts=2)
    report = looked_up(cluster, orders="web", mails="api")
    assert titles(report)[0].startswith("names, the cluster's DNS: ")
    assert len(titles(report)) == 1
    [finding] = (f for f in report.findings if f.rule == "service-names-unresolved")
    assert finding.claim.endswith("the cluster's DNS is at fault")


@pytest.mark.parametrize(
    ("orders", "mails"),
    [
        ("web", "web"),  # one Service
        ("web", "ledger"),  # the other does not exist
        ("web", "lone"),  # the other is headless and has no pod, so that it has no address
        ("web", "partner"),  # the other leads out of the cluster
        ("partner.example.com", "api.example.com"),  # not of the cluster
    ],
)
def test_one_name_or_one_that_has_no_address_is_not_dns(orders: str, mails: str) -> None:
    cluster = shop()
    service(cluster, "lone", "shop", {"app": "none"}, clusterIP="None")
    out = service(cluster, "partner", "shop", {}, type_="ExternalName")
    out["spec"]["externalName"] = "partner.example.com"
    report = looked_up(cluster, orders=orders, mails=mails)
    assert "service-names-unresolved" not in {f.rule for f in report.findings}

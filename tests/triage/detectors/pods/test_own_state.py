"""What a pod's own state adds to the sentence that decides in its log, and the twins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.detectors.pods.test_last_words import crashing, first, words
from tests.triage.situation import background, look

_NO_NAME = "java.net.UnknownHostException: orders-db"
_IN_USE = "Web server failed to start. Port 8080 was already in use."


def title(spec: dict[str, Any], line: str, annotations: dict[str, str] | None = None) -> str:
    cluster = background()
    pod = crashing(cluster, "orders")
    own = {**pod["spec"]["containers"][0], **spec.pop("app", {})}
    pod["spec"].update(spec)
    pod["spec"]["containers"] = [own, *spec.get("containers", [])]
    pod["metadata"]["annotations"] = annotations or {}
    return first(look(cluster, [words(pod, line)])).title


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.255.9.254"]}},
            "the pod asks the name server 10.255.9.254 (dnsPolicy None), which is no Service of the"
            " cluster",
        ),
        ({"dnsPolicy": "Default"}, "the name servers of its node (dnsPolicy Default)"),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, "hostNetwork without dnsPolicy"),
    ],
)
def test_a_name_is_not_found_because_the_pod_asks_other_name_servers(
    spec: dict[str, Any], says: str
) -> None:
    assert says in title(spec, _NO_NAME)


@pytest.mark.parametrize(
    "spec",
    [
        {"dnsPolicy": "ClusterFirst"},
        {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True},
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["169.254.20.10"]}},
    ],
)
def test_a_pod_that_asks_the_dns_of_the_cluster_is_told_without(spec: dict[str, Any]) -> None:
    assert "the pod asks" not in title(spec, _NO_NAME)


def test_other_name_servers_are_no_news_where_an_address_refuses() -> None:
    spec = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.255.9.254"]}}
    assert "the pod asks" not in title(spec, "dial tcp 10.1.2.3:5432: connect: connection refused")


@pytest.mark.parametrize(
    ("other", "annotations", "says"),
    [
        (
            {"name": "metrics", "ports": [{"containerPort": 8080}]},
            {},
            "container metrics of the same pod uses port 8080",
        ),
        (
            {"name": "istio-proxy"},
            {"proxy.istio.io/config": '{"statusPort": 8080}'},
            "annotation proxy.istio.io/config gives port 8080 to istio-proxy",
        ),
        ({"name": "istio-proxy"}, {"proxy.istio.io/config": '{"statusPort": 18080}'}, "shares its"),
    ],
)
def test_what_else_in_the_pod_has_the_port_that_is_in_use(
    other: dict[str, Any], annotations: dict[str, str], says: str
) -> None:
    assert says in title({"containers": [other]}, _IN_USE, annotations)


def test_a_pod_of_one_container_shares_its_ports_with_none() -> None:
    assert title({}, _IN_USE).endswith("already in use.")


def _from(*names: str) -> dict[str, Any]:
    return {"app": {"envFrom": [{"secretRef": {"name": name}} for name in names]}}


@pytest.mark.parametrize(
    ("names", "line", "says"),
    [
        (("orders-mysql", "mail"), "MySQL: Connection refused", "Secret orders-mysql"),
        (("orders-db",), "Access denied for user 'o'@'10.1.1.1'", "Secret orders-db"),
        (("orders-mysql", "stock-mysql"), "MySQL: Connection refused", ""),
        (("orders-redis",), "MySQL: Connection refused", ""),
        (("orders-mysql",), "MySQL: connect to db:3306: Connection refused", ""),
    ],
)
def test_the_secret_that_configures_a_peer_without_address_is_named(
    names: tuple[str, ...], line: str, says: str
) -> None:
    told = title(_from(*names), line)
    assert f"configured by {says}" in told if says else "configured by" not in told

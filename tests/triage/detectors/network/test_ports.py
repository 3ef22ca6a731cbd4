"""Services and Ingresses that lead nowhere, and the same ones when they fit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, managed, meta, ts
from tests.triage.situation import background, first, found
from triage.facts.finding import Severity


def shop(ports: list[dict[str, Any]], service: dict[str, Any]) -> Cluster:
    """A workload `api` that declares these ports, and its Service."""
    cluster = background()
    raw = cluster.deployment("api", "shop", replicas=2)
    for pod in raw["pods"]:
        pod["spec"]["containers"][0]["ports"] = ports
    cluster.add(
        "Service",
        {
            "metadata": meta("api", "shop", created=ago(hours=5)),
            "spec": {"selector": {"app": "api"}, "ports": [service]},
        },
    )
    endpoints(cluster, "api")
    return cluster


def endpoints(cluster: Cluster, name: str, *, ready: bool = True) -> None:
    cluster.add(
        "EndpointSlice",
        {
            "metadata": meta(f"{name}-x", "shop", labels={"kubernetes.io/service-name": name}),
            "endpoints": [{"addresses": ["10.1.0.1"]}] if ready else [],
        },
    )


HTTP = [{"name": "http", "containerPort": 8080}]


@pytest.mark.parametrize(
    ("ports", "service", "words"),
    [
        (HTTP, {"port": 80, "targetPort": 8081}, "port 80 leads to port 8081, which no container"),
        (HTTP, {"port": 80, "targetPort": "web"}, "port 80 leads to port web, which no container"),
        ([], {"port": 80, "targetPort": "web"}, "they declare none"),
        (HTTP, {"port": 53, "targetPort": 8080, "protocol": "UDP"}, "port 8080/UDP, which is TCP"),
    ],
)
def test_a_target_port_that_no_container_has(
    ports: list[dict[str, Any]], service: dict[str, Any], words: str
) -> None:
    cluster = shop(ports, service)
    assert first(cluster).startswith("Service api's port")
    assert words in found(cluster, "service-port-mismatch")[0].claim


@pytest.mark.parametrize(("ready", "young"), [(True, False), (False, True)])
def test_a_port_name_that_ready_pods_lack_is_no_matter_of_age(ready: bool, young: bool) -> None:
    """They get no endpoint; pods that are not ready may be those of the release before."""
    cluster = shop(HTTP, {"port": 80, "targetPort": "web"})
    for kind, raw in cluster.raw:
        if raw["metadata"]["name"].startswith("api"):
            raw["metadata"]["creationTimestamp"] = ts(ago(minutes=1))
            if kind == "EndpointSlice":
                raw["endpoints"] = []
            for condition in raw["status"]["conditions"] if kind == "Pod" else ():
                condition["status"] = str(ready)
    [finding] = found(cluster, "service-port-mismatch")
    assert (finding.young, finding.severity is Severity.INFO) == (young, young)
    if ready:
        assert first(cluster).startswith("Service api's port 80 leads to port web, which no")


@pytest.mark.parametrize(
    ("ports", "service"),
    [
        (HTTP, {"port": 80, "targetPort": 8080}),
        (HTTP, {"port": 80, "targetPort": "http"}),
        (HTTP, {"port": 8080}),
        ([], {"port": 80, "targetPort": 8081}),  # containers need not declare their ports
    ],
)
def test_a_port_that_fits_or_is_not_declared(
    ports: list[dict[str, Any]], service: dict[str, Any]
) -> None:
    assert not found(shop(ports, service), "service-port-mismatch")


def test_a_name_for_a_service_that_does_not_exist() -> None:
    cluster = background()
    spec = {"type": "ExternalName", "externalName": "db.data.svc.cluster.local"}
    cluster.add("Service", {"metadata": meta("db", "shop"), "spec": spec})
    assert first(cluster) == "Service db is another name for Service data/db, which does not exist"
    cluster.add("Service", {"metadata": meta("db", "data"), "spec": {}})
    assert not found(cluster, "external-name-missing")


def scaled(at: Any) -> Cluster:
    cluster = shop(HTTP, {"port": 80, "targetPort": 8080})
    cluster.raw = [
        (k, r)
        for k, r in cluster.raw
        if k not in ("Pod", "EndpointSlice") or not r["metadata"]["name"].startswith("api-")
    ]
    endpoints(cluster, "api", ready=False)
    for kind, row in cluster.raw:
        if kind == "Deployment" and row["metadata"]["name"] == "api":
            row["spec"]["replicas"] = 0
            row["metadata"]["managedFields"] = [
                managed("kubectl", at, {"f:spec": {"f:replicas": {}}}, "scale")
            ]
    return cluster


def test_a_workload_that_was_scaled_to_zero_says_by_whom_and_when() -> None:
    [finding] = found(scaled(ago(minutes=40)), "service-no-endpoints")
    assert finding.severity is Severity.INFO
    assert "Deployment shop/api was scaled to 0 by kubectl at 08:46 UTC" in finding.claim


def test_scaled_to_zero_while_a_workload_names_it_is_a_warning() -> None:
    cluster = scaled(ago(minutes=40))
    caller = cluster.deployment("front", "shop", replicas=1)
    variables = [{"name": "API_URL", "value": "http://api:80/v1"}]
    caller["spec"]["template"]["spec"]["containers"][0]["env"] = variables
    [finding] = found(cluster, "service-no-endpoints")
    assert finding.severity is Severity.WARNING
    assert finding.claim.endswith("and Deployment shop/front names it")
    caller["spec"]["replicas"] = 0
    assert found(cluster, "service-no-endpoints")[0].severity is Severity.INFO


def test_with_an_ingress_before_it_it_is_an_incident() -> None:
    cluster = scaled(ago(minutes=40))
    ingress(cluster, "front", "api")
    assert "scaled to 0 by kubectl" in first(cluster)
    assert found(cluster, "service-no-endpoints")[0].severity is Severity.CRITICAL


def test_a_workload_that_has_stood_at_zero_for_days_is_no_news() -> None:
    assert not found(scaled(ago(days=9)), "service-no-endpoints")


def ingress(
    cluster: Cluster, name: str, service: str, port: int = 80, **more: Any
) -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": port}}}
    return cluster.add(
        "Ingress",
        {
            "metadata": meta(name, "shop", created=ago(hours=4)),
            "spec": {
                "rules": [
                    {"host": "a.example", "http": {"paths": [{"path": "/", "backend": backend}]}}
                ],
                **more,
            },
        },
    )


def test_an_ingress_to_a_port_that_its_service_does_not_have() -> None:
    cluster = shop(HTTP, {"port": 80, "targetPort": 8080})
    ingress(cluster, "front", "api", 8443)
    assert "leads to port 8443 of Service api, which does not exist" in first(cluster)
    twin = shop(HTTP, {"port": 80, "targetPort": 8080})
    ingress(twin, "front", "api")
    assert not found(twin, "ingress-backend-missing")


def test_a_young_ingress_is_a_note_with_its_cause() -> None:
    cluster = background()
    raw = ingress(cluster, "front", "api")
    raw["metadata"]["creationTimestamp"] = ts(ago(seconds=40))
    [finding] = found(cluster, "ingress-backend-missing")
    assert (finding.young, finding.severity) == (True, Severity.INFO)


def test_two_ingresses_that_claim_one_host() -> None:
    cluster = shop(HTTP, {"port": 80, "targetPort": 8080})
    cluster.add("Service", {"metadata": meta("old", "shop"), "spec": {"ports": [{"port": 80}]}})
    ingress(cluster, "front", "api")
    assert not found(cluster, "ingress-host-twice")
    raw = ingress(cluster, "second", "old")
    assert "Ingress second claims a.example/, which Ingress shop/front leads to" in first(cluster)
    raw["metadata"]["annotations"] = {"nginx.ingress.kubernetes.io/canary": "true"}
    assert not found(cluster, "ingress-host-twice")


@pytest.mark.parametrize(
    ("name", "found_"), [("http-envoy-prom", 0), ("metrics", 0), ("healthz", 0), ("delivery", 1)]
)
def test_a_port_for_metrics_or_checks_says_nothing_about_the_ports_that_serve(
    name: str, found_: int
) -> None:
    declared = [{"name": name, "containerPort": 15090}]
    cluster = shop(declared, {"port": 80, "targetPort": 80})
    assert len(found(cluster, "service-port-mismatch")) == found_

"""Services, load balancers, Ingresses, and what is open to the world."""

from __future__ import annotations

from typing import Any

import pytest

from tests.triage.build import Cluster, ago, meta, ts
from tests.triage.situation import (
    background,
    look,
    loud,
    one,
    service,
)
from triage.facts.finding import Severity


def test_services_balancers_and_what_leads_to_them() -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"}, ready=False)
    service(cluster, "front", "shop", {"app": "api"}, type_="LoadBalancer", address="192.0.2.9")
    cluster.event(
        "Service",
        "shop",
        "front",
        "SyncLoadBalancerFailed",
        "Error syncing load balancer: quota",
        ago(minutes=3),
        count=5,
    )
    cluster.event(
        "Service",
        "shop",
        "front",
        "FailedToUpdateEndpointSlices",
        "Error updating Endpoint Slices",
        ago(minutes=3),
        count=5,
    )
    path = {"path": "/", "backend": {"service": {"name": "gone", "port": {"number": 80}}}}
    rules = [{"host": "a.example", "http": {"paths": [path]}}]
    cluster.add(
        "Ingress",
        {"metadata": meta("a", "shop"), "spec": {"rules": rules, "tls": [{"secretName": "cert"}]}},
    )
    cluster.add("Secret", {"metadata": meta("other", "shop")})
    found = {f.rule for f in look(cluster).findings}
    assert {
        "service-no-endpoints",
        "load-balancer-failed",
        "endpoints-not-updated",
        "ingress-backend-missing",
        "ingress-tls-missing",
    } <= found


def test_one_conflict_over_endpoints_is_no_trouble() -> None:
    cluster = background()
    service(cluster, "web", "shop", {"app": "web"})
    cluster.event(
        "Service",
        "shop",
        "web",
        "FailedToUpdateEndpoint",
        "the object has been modified",
        ago(minutes=3),
    )
    assert look(cluster).findings == ()


def test_load_balancer_rewritten_again_and_again_while_all_inside_is_well() -> None:
    cluster = background()
    service(cluster, "edge", "shop", {"app": "web"}, type_="LoadBalancer", address="203.0.113.9")
    cluster.event(
        "Service",
        "shop",
        "edge",
        "UpdatedLoadBalancer",
        "Updated load balancer with new hosts",
        ago(minutes=2),
        first=ago(minutes=40),
        count=19,
        type_="Normal",
    )
    assert one(look(cluster), "load-balancer-churn").facts["count"] == 19


def ingress(cluster: Cluster, replicas: int = 3) -> dict[str, Any]:
    raw = cluster.deployment(
        "front", "edge", replicas=replicas, image="registry.example/team/skipper:v0.21"
    )
    service(
        cluster,
        "front",
        "edge",
        {"app": "front"},
        type_="LoadBalancer",
        address="203.0.113.7",
        ports=[{"port": 80}, {"port": 443}],
    )
    service(cluster, "web", "shop", {"app": "web"})
    cluster.add(
        "Ingress",
        {
            "metadata": meta("web", "shop"),
            "spec": {
                "rules": [
                    {
                        "host": "shop.example",
                        "http": {"paths": [{"backend": {"service": {"name": "web"}}}]},
                    }
                ]
            },
            "status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}},
        },
    )
    return raw


def test_ingress_controller_killed_for_memory() -> None:
    cluster = background()
    front = ingress(cluster)
    assert loud(look(cluster)) == set()
    for number, pod in enumerate(front["pods"][:2]):
        cluster.ended(pod, ago(minutes=6, seconds=number * 20), reason="OOMKilled", restarts=3)
    finding = one(look(cluster), "ingress-degraded")
    assert finding.severity is Severity.CRITICAL
    assert (
        finding.facts["oom_killed"],
        finding.facts["hosts"],
        finding.facts["backends_ready"],
        finding.facts["limit"],
    ) == (
        2,
        1,
        True,
        "256Mi",
    )


def test_api_server_killed_for_memory_takes_ingress_routes() -> None:
    cluster = background()
    front = ingress(cluster)
    for number in range(3):
        node = cluster.nodes[number]
        pod = cluster.add(
            "Pod",
            {
                "metadata": meta(
                    f"kube-apiserver-{number}",
                    "kube-system",
                    owner=("Node", node),
                    annotations={"kubernetes.io/config.mirror": "x"},
                ),
                "spec": {
                    "nodeName": node["metadata"]["name"],
                    "hostNetwork": True,
                    "containers": [
                        {
                            "name": "kube-apiserver",
                            "image": "registry.k8s.io/kube-apiserver:v1.33.2",
                            "resources": {"limits": {"memory": "2Gi"}},
                        }
                    ],
                },
                "status": {
                    "phase": "Running",
                    "conditions": [
                        {"type": "Ready", "status": "True", "lastTransitionTime": ts(ago(days=3))}
                    ],
                    "containerStatuses": [
                        {"name": "kube-apiserver", "ready": True, "restartCount": 0}
                    ],
                },
            },
        )
        cluster.ended(pod, ago(minutes=9 - number), reason="OOMKilled", restarts=4)
    for pod in front["pods"]:
        cluster.ended(pod, ago(minutes=5), code=1, restarts=1)
    report = look(cluster)
    plane = one(report, "control-plane-degraded")
    assert (plane.severity, plane.facts["component"], plane.facts["oom_killed"]) == (
        Severity.CRITICAL,
        "kube-apiserver",
        3,
    )
    assert (
        one(report, "ingress-degraded").facts["restarted"],
        one(report, "ingress-degraded").facts["oom_killed"],
    ) == (3, 0)


def test_dashboard_with_power_over_nodes_behind_a_public_balancer() -> None:
    cluster = background()
    label = {"metadata": {"labels": {"app": "board"}}}
    board = cluster.deployment("board", "tools", replicas=1)
    agents = cluster.deployment(
        "probe",
        "tools",
        kind="DaemonSet",
        spec={
            "hostPID": True,
            "hostNetwork": True,
            "volumes": [{"name": "s", "hostPath": {"path": "/var/run/docker.sock"}}],
        },
    )
    for raw in (board, agents):
        for pod in raw["pods"]:
            pod["metadata"]["labels"]["app.kubernetes.io/part-of"] = "board"
    assert label
    service(
        cluster, "board", "tools", {"app": "board"}, type_="LoadBalancer", address="198.51.100.4"
    )
    finding = one(look(cluster), "exposed-privileged-workload")
    assert (
        finding.facts["host_pid"],
        finding.facts["host_paths"],
        finding.facts["agents"],
        finding.facts["source_ranges"],
    ) == (
        True,
        ("/var/run/docker.sock",),
        9,
        False,
    )
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(("name", "together"), [("svclb-media-9f8e7d6c", True), ("other", False)])
def test_the_pods_of_k3s_that_wait_are_why_a_balancer_has_no_address(
    name: str, together: bool
) -> None:
    cluster = background()
    image = {"containers": [{"name": "lb", "image": "rancher/klipper-lb:v0.4.13"}]}
    for each in ("svclb-traefik-1a2b3c4d", name):
        work = cluster.deployment(each, "kube-system", kind="DaemonSet", spec=image)
    row = service(cluster, "media", "shop", {"app": "web"}, type_="LoadBalancer")
    row["metadata"]["creationTimestamp"] = ts(ago(minutes=25))
    said = "0/6 nodes are available: 6 node(s) didn't have free ports for the requested pod ports."
    for pod in work["pods"]:
        pod["spec"].pop("nodeName")
        refused: dict[str, Any] = {"type": "PodScheduled", "status": "False"}
        refused |= {"reason": "Unschedulable", "message": said}
        refused["lastTransitionTime"] = ts(ago(minutes=24))
        pod["status"] = {"phase": "Pending", "conditions": [refused]}
    work["status"]["numberReady"] = 0
    report = look(cluster)
    waits = one(report, "load-balancer-pending")
    [symptom] = [each for each in report.symptoms if waits in each.findings]
    assert ("host port in use" in symptom.title) is together

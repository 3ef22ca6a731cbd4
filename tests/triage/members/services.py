"""Services without pods or address, and names that lead nowhere."""

from __future__ import annotations

from typing import Any

from tests.triage.build import Cluster, ago, managed, meta
from tests.triage.members.kubelet import http, probed
from tests.triage.members.member import member
from tests.triage.situation import service


def balanced(cluster: Cluster, age: int = 30, **given: Any) -> None:
    """A Service of type LoadBalancer without an address, of `age` minutes; `given`: what is there
    that may give one."""
    at = meta("front", "shop", created=ago(minutes=age))
    spec = {"type": "LoadBalancer", "selector": {"app": "calm"}, "ports": [{"port": 80}]}
    cluster.add("Service", {"metadata": at, "spec": spec, "status": {"loadBalancer": {}}})
    for node in cluster.nodes:
        node["spec"]["providerID"] = given.get("provider", "")
    if "image" in given:
        container = {"name": "main", "image": given["image"]}
        cluster.deployment("giver", "lb", replicas=1, spec={"containers": [container]})
    if "event" in given:
        reason, said = given["event"]
        cluster.event("Service", "shop", "front", reason, said, ago(minutes=1), ago(minutes=age))


def served(
    cluster: Cluster, selector: dict[str, str] | None = None, ready: bool = True, **spec: Any
) -> dict[str, Any]:
    work = cluster.deployment("api", "shop", replicas=2)
    for pod in (work, *work["pods"]):
        container = (pod["spec"].get("template") or pod)["spec"]["containers"][0]
        container["ports"] = [{"name": "http", "containerPort": 8080}]
    ports = {"ports": [{"port": 80, "targetPort": 8080}]}
    service(cluster, "api", "shop", selector or {"app": "api"}, ready=ready, **ports | spec)
    return work


@member(
    "services", "scaled to zero", "scaled to 0", "by kubectl-scale", guide="workload-scaled-to-zero"
)
def _(cluster: Cluster) -> None:
    work = cluster.deployment("api", "shop", replicas=0)
    work["metadata"]["managedFields"] = [
        managed("kubectl-scale", ago(minutes=9), {"f:spec": {"f:replicas": {}}})
    ]
    service(cluster, "api", "shop", {"app": "api"})


@member(
    "services", "ExternalName", "other/db", "does not exist", guide="reference-to-missing-service"
)
def _(cluster: Cluster) -> None:
    cluster.add(
        "Service",
        {
            "metadata": meta("db", "shop", created=ago(hours=1)),
            "spec": {"type": "ExternalName", "externalName": "db.other.svc.cluster.local"},
        },
    )


@member("services", "endpoints not ready", "readiness", "503", guide="readiness-probe-fails")
def _(cluster: Cluster) -> None:
    probed(
        cluster,
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        readinessProbe=http(),
    )
    service(cluster, "web", "shop", {"app": "web"}, ready=False)


def calls(cluster: Cluster, **variables: str) -> None:
    """A workload whose variables name Services; `redis` has port 6379, `data` is elsewhere."""
    cluster.add("Namespace", {"metadata": meta("shop"), "status": {"phase": "Active"}})
    cluster.add("Namespace", {"metadata": meta("storage"), "status": {"phase": "Active"}})
    cluster.deployment("redis", "shop", replicas=1)
    cluster.deployment("data", "storage", replicas=1)
    service(cluster, "redis", "shop", {"app": "redis"}, port=6379)
    service(cluster, "data", "storage", {"app": "data"}, port=5432)
    env = [{"name": name, "value": value} for name, value in variables.items()]
    container = {"name": "app", "image": "app:1", "env": env}
    cluster.deployment("cart", "shop", replicas=2, spec={"containers": [container]})

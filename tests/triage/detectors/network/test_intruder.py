"""The intruder behind an open door: dates the break-in, and names no manager where none is new."""

from __future__ import annotations

from typing import Any

from tests.triage.build import NOW, Cluster, ago, managed, meta
from tests.triage.situation import one, service
from triage.engine import triage_once
from triage.facts.finding import Finding, SinceSource

OPENED = ago(hours=70)


def door(cluster: Cluster) -> None:
    spec = {
        "hostPID": True,
        "containers": [
            {
                "name": "ui",
                "image": "docker.io/weaveworks/scope:1.13",
                "securityContext": {"privileged": True},
            }
        ],
    }
    cluster.deployment(
        "scope",
        "tools",
        replicas=1,
        created=OPENED,
        spec=spec,
        managedFields=[managed("kubectl", OPENED, {"f:spec": {}})],
    )
    raw = service(
        cluster, "scope", "tools", {"app": "scope"}, type_="LoadBalancer", address="192.0.2.44"
    )
    raw["metadata"]["managedFields"] = [managed("kubectl", OPENED, {"f:spec": {}})]


def made(cluster: Cluster, kind: str, name: str, manager: str, hours: float) -> dict[str, Any]:
    fields = [managed(manager, ago(hours=hours), {"f:spec": {}})]
    if kind == "ClusterRoleBinding":
        return cluster.add(
            kind, {"metadata": meta(name, created=ago(hours=hours), managedFields=fields)}
        )
    return cluster.deployment(
        name, "default", kind=kind, created=ago(hours=hours), managedFields=fields
    )


def told(cluster: Cluster) -> Finding:
    return one(triage_once(cluster.store(), NOW, {}), "exposed-privileged-workload")


def test_the_break_in_is_dated_by_the_first_stranger() -> None:
    cluster = Cluster(6)
    door(cluster)
    made(cluster, "DaemonSet", "sysupdate", "curl", 20)
    made(cluster, "ClusterRoleBinding", "sysupdate-admin", "curl", 21)
    found = told(cluster)
    assert (found.since, found.since_source) == (ago(hours=21), SinceSource.CREATION)
    assert found.claim.endswith(
        "; ClusterRoleBinding sysupdate-admin came later, by curl, who had written nothing before"
    )
    assert (found.facts["stranger"], found.facts["stranger_by"]) == (
        "ClusterRoleBinding sysupdate-admin",
        "curl",
    )
    assert found.evidence[0].at == OPENED, "the opening stays in the evidence"
    report = triage_once(cluster.store(), NOW, {})
    symptom = next(s for s in report.symptoms if s.mechanism == found.rule)
    assert symptom.since == ago(hours=21)
    assert "came later" not in symptom.title
    assert {c.object.name for c in symptom.changes} >= {"scope", "sysupdate-admin"}


def test_known_hands_and_the_clusters_own_workloads_are_no_strangers() -> None:
    cluster = Cluster(6)
    door(cluster)
    cluster.deployment(
        "shop",
        created=ago(days=90),
        managedFields=[managed("argocd", ago(days=90), {"f:spec": {}})],
    )
    cluster.deployment(
        "redis-operator",
        "data",
        created=ago(days=60),
        managedFields=[managed("argocd", ago(days=60), {"f:spec": {}})],
    )
    made(cluster, "StatefulSet", "cache", "redis-operator", 12)
    made(cluster, "Deployment", "cart", "argocd", 9)
    made(cluster, "Deployment", "probe", "kubectl", 5)
    found = told(cluster)
    assert (found.since, found.facts["stranger"]) == (OPENED, "")
